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

static const struct test_part parts[] = {
	{ "control", test_control_registers, true, false },
	{ "xsetbv", test_xsetbv, true, false },
	{ "insn", test_instructions, true, false },
	{ "exception", test_exceptions, true, false },
	{ "step", test_single_step, true, false },
	{ "irq", test_interrupts, false, false },
	{ "timer", test_timer, false, false },
	{ "ipi", test_ipis, false, false },
	{ "nmi", test_nmi, false, false },
};

int main(void)
{
	return test_parts("cpu", parts, sizeof(parts) / sizeof(parts[0]));
}
