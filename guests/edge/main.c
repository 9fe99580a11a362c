/*
 * edge: corners of vexit's handlers and devices that the other guests don't reach: what CPUID says beyond its
 * leaves, MSRs with reserved bits, the UART's loopback, the local APIC's errors and dividers, page tables
 * behind string I/O. What is expected is what the SDM, the PC16550D's data sheet or platform.h promises.
 *
 *     vectored=int|gp    instead: an event whose stack is a hole, so that its delivery exits
 *
 * Exits: CPUID, RDMSR, WRMSR, I/O instruction, EPT violation, VMCALL, exceptions (#DB), interrupt window,
 * HLT, preemption timer.
 * Options: only=cpuid|msr|emulation|devices|uart|memory|self|apic|timer|event; vectored.
 * Verdicts: 0; 1 if a check failed; 2 for an unknown part; 3 outside vexit. With `vectored` the hypervisor
 * stops: no event's stack is a device.
 */
#include "edge.h"

static const struct part {
	const char *name;
	void (*test)(void);
	bool everywhere; /* on each vCPU, not on the BSP alone */
} parts[] = {
	{ "cpuid", test_cpuid, true },
	{ "msr", test_msrs, true },
	{ "emulation", test_emulation, false },
	{ "devices", test_devices, false },
	{ "uart", test_uart, false },
	{ "memory", test_memory, false },
	{ "self", test_self, true },
	{ "apic", test_apic, false },
	{ "timer", test_apic_timer, false },
	{ "event", test_events, false },
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

	if (!under_vexit) {
		printf("edge: needs vexit\n");
		return VERDICT_SKIP;
	}
	if (option_given("vectored"))
		event_into_hole(option_string("vectored"));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint32_t before = test_failures;

		if (only && strcmp(only, parts[i].name) != 0)
			continue;
		current = &parts[i];
		if (current->everywhere)
			smp_run(run_part);
		else
			current->test();
		printf("edge: %s %s\n", current->name, test_failures == before ? "ok" : "FAILED");
		tested++;
	}
	if (!tested) {
		printf("edge: only=%s is no part\n", only);
		return VERDICT_ERROR;
	}
	return test_result("edge", "");
}
