/*
 * lapic_timer.c: the local APIC's timer (SDM, "APIC Timer"), one-shot and periodic.
 *
 * Called by lapic.c and timers.c. State is a base and a deadline, never a count: a step in which only time
 * passed changes nothing here. A division happens only when a guest reads the count or misses whole periods.
 */
#include "dev/lapic.h"
#include "dev/timers.h"
#include "dev/vm_state.h"

/* SDM, "APIC Timer": the divide configuration is bits 0, 1 and 3; 111 divides by 1, 000 by 2. */
static unsigned divide_shift(uint32_t divide)
{
	return (((divide & 3) | (divide >> 1 & 4)) + 1) & 7;
}

static uint64_t period_cycles(const struct lapic *l)
{
	return (uint64_t)l->initial_count << divide_shift(l->divide);
}

static bool counting(const struct lapic *l)
{
	return l->timer_base != TIME_NONE && l->initial_count != 0;
}

uint32_t lapic_timer_current(const struct lapic *l, uint64_t now)
{
	uint64_t elapsed;

	if (!counting(l) || now < l->timer_base)
		return counting(l) ? l->initial_count : 0;
	elapsed = (now - l->timer_base) >> divide_shift(l->divide);
	if (l->lvt_timer & LVT_TIMER_PERIODIC)
		return l->initial_count - (uint32_t)(elapsed % l->initial_count);
	return elapsed >= l->initial_count ? 0 : l->initial_count - (uint32_t)elapsed;
}

/* The first expiry after `now` of a count that runs. */
static uint64_t next_expiry(const struct lapic *l, uint64_t now)
{
	uint64_t period = period_cycles(l), first = l->timer_base + period;

	if (first > now)
		return first;
	if (!(l->lvt_timer & LVT_TIMER_PERIODIC) || period == 0)
		return TIME_NONE;
	return l->timer_base + ((now - l->timer_base) / period + 1) * period;
}

/* Base, count, divider or mask changed: find the next interrupt. */
static void rearm(struct vm *vm, unsigned self, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;

	l->timer_deadline = TIME_NONE;
	if (counting(l) && !(l->lvt_timer & LVT_MASKED))
		l->timer_deadline = next_expiry(l, now);
	vm_touch_cpu(vm, self);
	timers_update(vm);
}

void lapic_timer_set_initial(struct vm *vm, unsigned self, uint32_t count, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;

	l->initial_count = count;
	l->timer_base = count ? now : TIME_NONE;
	rearm(vm, self, now);
}

void lapic_timer_set_divide(struct vm *vm, unsigned self, uint32_t divide, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;
	uint32_t current = lapic_timer_current(l, now);

	/* The count goes on from where it is, at the new pace. */
	l->divide = divide;
	if (current)
		l->timer_base = now - ((uint64_t)(l->initial_count - current) << divide_shift(divide));
	rearm(vm, self, now);
}

void lapic_timer_set_lvt(struct vm *vm, unsigned self, uint32_t lvt, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;

	/*
	 * A one-shot count that reached zero, masked or not, stays there even if the mode becomes periodic.
	 */
	if (!(l->lvt_timer & LVT_TIMER_PERIODIC) && lapic_timer_current(l, now) == 0)
		l->timer_base = TIME_NONE;
	l->lvt_timer = lvt;
	rearm(vm, self, now);
}

void lapic_timer_expire(struct vm *vm, struct world *w, unsigned self, unsigned cpu, uint64_t now)
{
	struct lapic *l = &vm->cpu[cpu].lapic;

	if (l->lvt_timer & LVT_TIMER_PERIODIC) {
		/* Interrupts of periods that nobody could run in are one, as they are in an IRR bit. */
		l->timer_deadline += period_cycles(l);
		if (l->timer_deadline <= now)
			l->timer_deadline = next_expiry(l, now);
	} else {
		l->timer_deadline = TIME_NONE;
		l->timer_base = TIME_NONE;
	}
	vm_touch_cpu(vm, cpu);
	lapic_request(vm, w, self, cpu, l->lvt_timer & LVT_VECTOR);
}
