/*
 * cpu: the processor that a guest sees: control registers, instructions that exit, exceptions, interrupts.
 * What is expected is what the SDM says of a processor without VMX, SMX and MONITOR; a real one (or plain
 * Bochs) passes as well, QEMU's TCG doesn't (it skips many a check).
 *
 * Exits: MOV CR (CR0, CR3, CR4, CR8), CLTS, LMSW, XSETBV, INVD, WBINVD, RDPMC, MONITOR, MWAIT, GETSEC, RSM,
 * VMX instructions, RDRAND and RDSEED, exceptions raised by handlers, interrupt window, NMI window,
 * preemption timer, HLT, EPT violation (local APIC), INIT/SIPI.
 * Options: only=control|xsetbv|insn|exception|step|irq|timer|ipi|nmi.
 * Verdicts: 0; 1 if a check failed; 2 for an unknown part.
 */
#include "cpu.h"

static const struct part {
	const char *name;
	void (*test)(void);
	bool everywhere; /* on each vCPU at the same time, not on the BSP alone */
} parts[] = {
	{ "control", test_control_registers, true },
	{ "xsetbv", test_xsetbv, true },
	{ "insn", test_instructions, true },
	{ "exception", test_exceptions, true },
	{ "step", test_single_step, true },
	{ "irq", test_interrupts, false },
	{ "timer", test_timer, false },
	{ "ipi", test_ipis, false },
	{ "nmi", test_nmi, false },
};

static const struct part *current;

static void run_part(struct cpu *cpu)
{
	(void)cpu;
	current->test();
}

int main(void)
{
	const char *only = option_string("only");
	unsigned tested = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint32_t before = test_failures;

		if (only && strcmp(only, parts[i].name) != 0)
			continue;
		current = &parts[i];
		if (current->everywhere)
			smp_run(run_part);
		else
			current->test();
		printf("cpu: %s %s\n", current->name, test_failures == before ? "ok" : "FAILED");
		tested++;
	}
	if (!tested) {
		printf("cpu: only=%s is no part\n", only);
		return VERDICT_ERROR;
	}
	return test_result("cpu", "");
}
