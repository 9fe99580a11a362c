/*
 * vmm.h: a virtual machine monitor on /dev/kvm, as small as a measurement allows.
 *
 * main.c makes a machine, loads a kernel and runs it; ports.c is the part of the PC that KVM leaves to user
 * space; ring.c and statistics.c count what the run did. Runs in L1 only (guests/kvm/init starts it).
 */
#ifndef GUESTS_KVM_VMM_H
#define GUESTS_KVM_VMM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/load.h"

#define MEMORY_SIZE  (256ull << 20)	/* as `vexit record --mem` has by default */
#define CONSOLE_SIZE (1u << 20)

struct uart {
	uint8_t ier, lcr, mcr, scr, dll, dlm, received;
	bool fifo, has_received, empty_pending, line;
};

struct machine {
	int kvm, vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	struct uart uart;
	uint8_t cmos_index;
	uint16_t pm1_enable;
	bool ended;			/* by the guest itself */
	unsigned verdict;
	const char *marker;		/* the run ends when the console has printed it */
	size_t console_used;
	char console[CONSOLE_SIZE];
};

/* Says why and exits with status 2: a measurement goes on with nothing that failed. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
int must(int result, const char *what);

/* machine.c: memory is m->memory, zeros; the vCPU starts as hv/load says. */
void machine_create(struct machine *m);
void machine_start(struct machine *m, const struct vcpu_start *start);

/* load.c: FILE is a bzImage or a multiboot-1 ELF. */
void load_guest(struct machine *m, const char *file, const char *initrd, const char *append, bool acpi,
		struct vcpu_start *start);

/* ports.c and uart.c: one access of `size` bytes; what is absent reads as all ones. */
uint32_t port_read(struct machine *m, uint16_t port, unsigned size);
void port_write(struct machine *m, uint16_t port, unsigned size, uint32_t value);
uint8_t uart_read(struct machine *m, unsigned reg);
void uart_write(struct machine *m, unsigned reg, uint8_t value);

/* statistics.c: the vCPU's statistics as KVM keeps them; 0 for a name that this kernel doesn't have. */
struct statistics;
struct statistics *statistics_read(int vcpu);
uint64_t statistics_value(const struct statistics *s, const char *name);
void statistics_print(const struct statistics *s);

/* ring.c: what lies in the trace ring of CPU 0, printed; consumes it. */
void ring_report(void);

#endif
