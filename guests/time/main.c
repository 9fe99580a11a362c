/*
 * time: whether all clocks that the guest has agree: TSC, PIT, APIC timer, RTC, and the frequencies that
 * CPUID states.
 *
 * A device is read between two readings of the TSC, so that what it may say is known to one of its own
 * clocks, whatever an exit takes; interrupts are checked one by one: never early, none lost. Each clock runs
 * for a second or more, through HLT. The bounds hold with and without --hide-tracing-time.
 *
 * Exits: CPUID, I/O instruction (8254, port 0x61, MC146818), EPT violation (APIC, I/O APIC), HLT, preemption
 * timer, interrupt window.
 * Options: only=leaves|calibrate|pit|apic|rtc.
 * Verdicts: 0; 1 if clocks disagree; 2 for an unknown part; 3 outside vexit.
 */
#include "time.h"

#define CPUID_TSC_RATIO 0x15
#define CPUID_FREQUENCY 0x16

uint64_t tsc_hz;

/* SDM, "Time Stamp Counter and Nominal Core Crystal Clock Information", "Processor Frequency Information" */
void test_leaves(void)
{
	struct cpuid ratio = cpuid(CPUID_TSC_RATIO, 0), mhz = cpuid(CPUID_FREQUENCY, 0);
	struct cpuid khz = cpuid(CPUID_HYPERVISOR_TSC, 0);

	CHECK(ratio.eax && ratio.ebx, "CPUID.15H has no ratio");
	test_equal("TSC Hz by CPUID.15H", (uint64_t)ratio.ecx * ratio.ebx / (ratio.eax ? ratio.eax : 1),
		   tsc_hz);
	test_equal("MHz by CPUID.16H", mhz.eax, tsc_hz / 1000000);
	test_equal("APIC timer kHz by CPUID.40000010H", khz.ebx, tsc_hz / 1000);
}

static const struct test_part parts[] = {
	{ "leaves", test_leaves, false, false },
	{ "calibrate", test_calibrate, false, false },
	{ "pit", test_pit, false, false },
	{ "apic", test_apic_timer, false, false },
	{ "rtc", test_rtc, false, false },
};

int main(void)
{
	uint64_t start = rdtsc();

	if (!under_vexit) {
		printf("time: needs vexit\n");
		return VERDICT_SKIP;
	}
	tsc_hz = cpuid(CPUID_HYPERVISOR_TSC, 0).eax * 1000ull;
	CHECK(start < tsc_hz, "the TSC at the guest's start is %lu, more than a second", start);
	apic_timer_stop();
	return test_parts("time", parts, sizeof(parts) / sizeof(parts[0]));
}
