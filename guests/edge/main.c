/*
 * edge: corners of vexit's handlers and devices that the other guests don't reach: what CPUID says beyond its
 * leaves, MSRs with reserved bits, the UART's loopback, the local APIC's errors and dividers, page tables
 * behind string I/O. What is expected is what the SDM, the PC16550D's data sheet or platform.h promises.
 *
 *     vectored=int|gp    instead: an event whose stack is a hole, so that its delivery exits
 *
 * Exits: CPUID, RDMSR, WRMSR, I/O instruction, EPT violation, VMCALL, exceptions (#DB), interrupt window,
 * HLT, preemption timer.
 * Options: only=cpuid|msr|emulation|devices|board|pit|rtc|uart|memory|self|apic|timer|event; vectored.
 * Verdicts: 0; 1 if a check failed; 2 for an unknown part; 3 outside vexit. With `vectored` the hypervisor
 * stops: no event's stack is a device.
 */
#include "edge.h"

static const struct test_part parts[] = {
	{ "cpuid", test_cpuid, true, false },
	{ "msr", test_msrs, true, false },
	{ "emulation", test_emulation, false, false },
	{ "devices", test_devices, false, false },
	{ "board", test_board, false, false },
	{ "pit", test_timer_chip, false, false },
	{ "rtc", test_clock_chip, false, false },
	{ "uart", test_uart, false, false },
	{ "memory", test_memory, false, false },
	{ "self", test_self, true, false },
	{ "apic", test_apic, false, false },
	{ "timer", test_apic_timer, false, false },
	{ "event", test_events, false, false },
};

int main(void)
{
	if (!under_vexit) {
		printf("edge: needs vexit\n");
		return VERDICT_SKIP;
	}
	if (option_given("vectored"))
		event_into_hole(option_string("vectored"));
	return test_parts("edge", parts, sizeof(parts) / sizeof(parts[0]));
}
