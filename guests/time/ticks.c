/*
 * ticks.c: interrupts at a fixed pace, held against the TSC.
 *
 * Called by the parts. One device at a time.
 */
#include "time.h"

static struct {
	volatile unsigned count;
	volatile uint64_t tsc[TICKS_MAX];
	void (*acknowledge)(void);
} ticks;

static void tick(struct trap_frame *frame)
{
	(void)frame;
	if (ticks.count < TICKS_MAX)
		ticks.tsc[ticks.count] = rdtsc();
	ticks.count++;
	if (ticks.acknowledge)
		ticks.acknowledge();
	apic_eoi();
}

void ticks_expect(uint8_t vector, void (*acknowledge)(void))
{
	ticks.count = 0;
	ticks.acknowledge = acknowledge;
	trap_set_handler(vector, tick);
}

static void wait_for(unsigned count)
{
	for (;;) {
		irq_disable();
		if (ticks.count >= count)
			return;
		irq_enable_and_halt();
	}
}

static void check(const struct pace *p, unsigned n)
{
	uint64_t due = (n + 1) * p->clocks * tsc_hz / p->hz, slack = 2 * tsc_hz / p->hz + 2;
	uint64_t half = p->clocks * tsc_hz / p->hz / 2, tsc = ticks.tsc[n];

	CHECK(tsc >= p->before + due, "%s: interrupt %u came %lu cycles early", p->name, n,
	      p->before + due - tsc);
	CHECK(tsc <= p->after + due + slack + half, "%s: interrupt %u came %lu cycles late", p->name, n,
	      tsc - p->after - due);
}

void ticks_run(uint8_t vector, unsigned count, const struct pace *pace, void (*each)(void))
{
	for (unsigned n = 1; n <= count; n++) {
		wait_for(n);
		if (each)
			each();
	}
	trap_set_handler(vector, NULL);
	for (unsigned n = 0; n < count; n++)
		check(pace, n);
}
