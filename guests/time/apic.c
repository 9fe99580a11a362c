/*
 * apic.c: the APIC timer's interrupts for a second (SDM, "APIC Timer"): one each fiftieth of what CPUID says.
 */
#include "time.h"

#define V_APIC 0x61
#define TICKS  50

void test_apic_timer(void)
{
	struct pace pace = { .name = "the APIC timer", .clocks = tsc_hz / 50, .hz = tsc_hz };

	ticks_expect(V_APIC, NULL);
	pace.before = rdtsc();
	apic_timer_start(V_APIC, (uint32_t)pace.clocks, true);
	pace.after = rdtsc();
	ticks_run(V_APIC, TICKS, &pace, NULL);
	apic_timer_stop();
}
