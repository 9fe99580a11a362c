/*
 * fake.h: a VM without a machine, for tests of the core: a world that serves memory from an array and
 * keeps a log of all crossings, vCPUs in the mode a test wants, and exits and entry steps at will.
 */
#ifndef VEXIT_FAKE_H
#define VEXIT_FAKE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "dev/lapic.h"
#include "dev/ports.h"
#include "dev/vm_state.h"
#include "exit/exit.h"
#include "platform.h"

#define FAKE_MEMORY	(4u << 20)	/* bytes of guest memory */
#define FAKE_TABLES	0x100000	/* fake_long_mode() builds its page tables here */
#define FAKE_CODE	0x200000	/* RIP after fake_new() */
#define FAKE_DATA	0x210000	/* nothing is there: for a test's operands */
#define FAKE_STACK	0x220000
#define FAKE_KHZ	400000		/* the TSC's frequency */
#define FAKE_LOG	4096

struct fake_crossing {
	enum crossing_kind kind;
	uint64_t addr, value;
	uint32_t size;
	uint8_t bytes[64];		/* the first of them */
};

struct fake {
	struct world world;
	struct vm vm;
	struct vcpu cpu[VM_MAX_CPUS];
	uint64_t now;			/* the next step's time */
	uint64_t slice_end, tracer_cycles;
	const char *input;		/* what is typed; "" or NULL: nothing */
	uint64_t dr[8];
	bool memory_races;		/* each compare-and-exchange finds something else */
	unsigned log_count;
	struct fake_crossing log[FAKE_LOG];
	unsigned console_size;
	char console[1 << 16];
	uint8_t memory[FAKE_MEMORY];
};

/* The world that a fake VM stands in; its context is the struct fake. */
extern const struct world_ops fake_world_ops;

/* A VM of `cpus` vCPUs as after power-up: vCPU 0 in 32-bit flat protected mode at FAKE_CODE. */
struct fake *fake_new(unsigned cpus);
void fake_free(struct fake *f);

/* cmocka fixtures with one vCPU, and with four. */
int fake_setup(void **state);
int fake_setup_smp(void **state);
int fake_teardown(void **state);

/* The mode of a vCPU. Long mode: the first 4 GiB mapped to themselves by 2-MiB pages, user and writable. */
void fake_long_mode(struct fake *f, struct vcpu *v);
void fake_real_mode(struct vcpu *v);
void fake_set_cpl(struct vcpu *v, unsigned cpl);

/* A field as the processor leaves it, not as an effect of a handler. */
void fake_set(struct vcpu *v, enum vmcs_slot slot, uint64_t value);

/* Eight bytes of guest memory. */
void fake_put64(struct fake *f, uint64_t gpa, uint64_t value);
uint64_t fake_get64(const struct fake *f, uint64_t gpa);

/* Put instruction bytes at CS:RIP. */
void fake_code(struct fake *f, struct vcpu *v, const void *bytes, unsigned count);

/* One exit. Event information set by fake_set() before stays for this exit alone. */
enum exit_action fake_exit(struct fake *f, struct vcpu *v, enum exit_reason reason, uint64_t qualification,
			   unsigned length);
/* One entry step at f->now. */
enum entry_result fake_enter(struct fake *f, struct vcpu *v);

/* Crossings since the start of the last step. */
unsigned fake_count(const struct fake *f, enum crossing_kind kind);
const struct fake_crossing *fake_find(const struct fake *f, enum crossing_kind kind, unsigned n);

/* Whether the last step changed a slot's value. */
bool fake_changed(const struct vcpu *v, enum vmcs_slot slot);
unsigned fake_changes(const struct vcpu *v);

/* What is queued for the next entry is this exception; `error_code` -1: without one. */
void fake_assert_injected(struct vcpu *v, unsigned vector, int64_t error_code);

/* A local APIC register of vCPU `cpu`, as the guest reads and writes it. */
uint32_t fake_apic_read(struct fake *f, unsigned cpu, uint32_t offset);
void fake_apic_write(struct fake *f, unsigned cpu, uint32_t offset, uint32_t value);

/* IN and OUT of `size` bytes by vCPU 0, at f->now. */
uint32_t fake_in(struct fake *f, uint16_t port, unsigned size);
void fake_out(struct fake *f, uint16_t port, unsigned size, uint32_t value);

/* The same, of one byte. */
uint8_t fake_inb(struct fake *f, uint16_t port);
void fake_outb(struct fake *f, uint16_t port, uint8_t value);

#endif
