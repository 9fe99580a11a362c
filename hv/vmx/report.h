/* report.h: the vCPU in hand and the last exits, for a person. */
#ifndef VMX_REPORT_H
#define VMX_REPORT_H

#include <stdint.h>

struct vcpu;
struct vmx;
struct vmx_cpu;

#define EXIT_HISTORY 16u		/* a power of two */

struct exit_memory {		/* 32 bytes, and the vCPU by pointer: written at each exit */
	uint64_t tsc, rip, reason;
	const struct vcpu *v;
};

struct exit_history {
	uint64_t count;			/* exits ever */
	struct exit_memory exit[EXIT_HISTORY];
};

/* Makes a panic print this VM, and send its open frame. */
void report_init(struct vmx *x);

/* Why the VM can't go on: guest registers, control and guest state, and the last exits. */
void report_vcpu(struct vmx *x, struct vmx_cpu *c);

/* How many exits there were, by reason. */
void report_totals(const struct vmx *x);

/* "CPUID"; "?" for a reason that the SDM doesn't name. */
const char *report_reason(uint64_t reason);

/* What a VM-instruction error number means (SDM, table "VM-Instruction Error Numbers"). */
const char *report_instruction_error(uint64_t number);

#endif
