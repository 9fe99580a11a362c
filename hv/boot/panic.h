/*
 * panic.h: the end of the line for a broken invariant of the hypervisor. A guest must not be able to get
 * here.
 */
#ifndef BOOT_PANIC_H
#define BOOT_PANIC_H

#include <stdint.h>
#include <stdnoreturn.h>

/* What vectors.S pushes, lowest address first. */
struct fault_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector;
	uint64_t error;		/* 0 for vectors that push none */
	uint64_t rip, cs, rflags, rsp, ss;
};

/*
 * What vmx/ adds to a panic once it is up; either may be NULL. Each runs once, and a fault inside one goes on
 * with the next, so that a broken report doesn't cost the trace.
 */
struct panic_hooks {
	void (*report)(void);	/* prints the VMCS in hand and the last exits */
	void (*flush)(void);	/* sends the open frame */
};

void panic_set_hooks(const struct panic_hooks *hooks);

/* Prints the message, the callers, the hooks' reports; then `vexit: verdict panic 0` and power-off. */
__attribute__((format(printf, 1, 2))) noreturn void panic(const char *format, ...);

/* Every exception and stray interrupt of the host comes here from vectors.S. */
noreturn void panic_fault(const struct fault_frame *frame);

#endif
