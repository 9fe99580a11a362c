/*
 * lapic_timer.c: the local APIC's timer (SDM, "APIC Timer"), one-shot, periodic and TSC-deadline.
 *
 * Called by the local APIC's registers, by msr.c and timers.c. State is a base and a deadline, never a
 * count: a step in which only time passed changes nothing here. A division happens only when a guest reads
 * the count or misses whole periods.
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

static bool is_tsc_deadline(uint32_t lvt)
{
	return (lvt & LVT_TIMER_MODE) == LVT_TIMER_TSC_DEADLINE;
}

/* SDM, "TSC-Deadline Mode": when the guest's TSC will be what was written; at once if it is already. */
static uint64_t tsc_deadline_time(const struct vm_cpu *cpu, uint64_t now)
{
	uint64_t deadline = cpu->lapic.tsc_deadline, tsc = now + cpu->tsc_offset, distance;

	if (deadline == 0)
		return TIME_NONE;
	distance = deadline > tsc ? deadline - tsc : 0;
	return distance < TIME_NONE - now ? now + distance : TIME_NONE;
}

/*
 * Base, count, divider, mode or mask changed: find the next interrupt. A TSC deadline passes masked, too: its
 * MSR reads 0 from then on.
 */
static void rearm(struct vm *vm, unsigned self, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;

	l->timer_deadline = TIME_NONE;
	if (is_tsc_deadline(l->lvt_timer))
		l->timer_deadline = tsc_deadline_time(&vm->cpu[self], now);
	else if (counting(l) && !(l->lvt_timer & LVT_MASKED))
		l->timer_deadline = next_expiry(l, now);
	vm_touch_cpu(vm, self);
	timers_update(vm);
}

void lapic_timer_set_initial(struct vm *vm, unsigned self, uint32_t count, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;

	if (is_tsc_deadline(l->lvt_timer))
		return;		/* SDM, "TSC-Deadline Mode": such writes are ignored */
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
	/* SDM, "TSC-Deadline Mode": into it and out of it, the timer is disarmed. */
	if (is_tsc_deadline(l->lvt_timer) != is_tsc_deadline(lvt))
		l->timer_base = TIME_NONE;
	if (!is_tsc_deadline(lvt) || ((l->lvt_timer & LVT_MASKED) && l->timer_deadline <= now))
		l->tsc_deadline = 0;
	l->lvt_timer = lvt;
	rearm(vm, self, now);
}

void lapic_timer_set_tsc_deadline(struct vm *vm, unsigned self, uint64_t deadline, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;

	if (!is_tsc_deadline(l->lvt_timer))
		return;
	l->tsc_deadline = deadline;
	rearm(vm, self, now);
}

void lapic_timer_tsc_changed(struct vm *vm, unsigned self, uint64_t now)
{
	if (vm->cpu[self].lapic.tsc_deadline)
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
	l->tsc_deadline = 0;
	vm_touch_cpu(vm, cpu);
	if (!(l->lvt_timer & LVT_MASKED))
		lapic_request(vm, w, self, cpu, l->lvt_timer & LVT_VECTOR, false);
}
