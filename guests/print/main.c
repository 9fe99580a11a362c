/*
 * print: prints the same line on each vCPU by each way there is, and checks what a vCPU may rely on.
 *
 * On every vCPU (the BSP starts the others by INIT/SIPI):
 *   1. its line by hypercall, by port I/O (the first half by an OUT for each byte, the rest by REP OUTSB)
 *      and by MMIO;
 *   2. policy.c: CPUID, RDMSR and WRMSR, good and bad (#GP is caught), hypercalls, good and bad;
 *   3. state.c: what the processor holds for a vCPU outside the VMCS survives that others run in between.
 *
 * Exits: VMCALL, I/O instruction (single and string), EPT violation (MMIO console, local APIC), CPUID, RDMSR,
 * WRMSR, XSETBV, HLT, preemption timer, and PAUSE, MOV CR or MOV DR if the hypervisor intercepts them.
 * Options: none.
 * Verdicts: 0; 1 if a check failed; 3 outside vexit, where only port I/O and state are tried.
 */
#include "print.h"

static void hello(struct cpu *cpu)
{
	static const char format[] = "vCPU %u: hello by %s\n";
	char line[64];
	size_t length, half;

	if (under_vexit)
		console_printf(CONSOLE_HYPERCALL, format, cpu->index, "hypercall");
	/* One line in two halves: locked as a whole, so that no other vCPU's comes in between. */
	length = string_format(line, sizeof(line), format, cpu->index, "port I/O");
	half = length / 2;
	console_lock();
	/* A real 16550 has to be waited for. */
	console_write(under_vexit ? CONSOLE_OUT : CONSOLE_PORT, line, half);
	console_write(under_vexit ? CONSOLE_REP_OUTSB : CONSOLE_PORT, line + half, length - half);
	console_unlock();
	if (under_vexit)
		console_printf(CONSOLE_MMIO, format, cpu->index, "MMIO");
}

static void run(struct cpu *cpu)
{
	hello(cpu);
	check_cpuid(cpu);
	if (under_vexit) {
		check_msrs(cpu);
		check_hypercalls();
	}
	check_state(cpu);
}

int main(void)
{
	char subject[32];

	state_init();
	smp_run(run);
	string_format(subject, sizeof(subject), "%u vCPUs, ", cpu_count());
	if (!under_vexit && !test_failures) {
		printf("print: %sno vexit here: hypercalls, MMIO, CPUID and MSR policy skipped\n", subject);
		return VERDICT_SKIP;
	}
	return test_result("print", subject);
}
