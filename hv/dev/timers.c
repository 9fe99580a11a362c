/*
 * timers.c: the nearest deadline of a VM, and what happens when it has come.
 *
 * Called by devices whose deadline changed, and by entry steps. A device with a timer has a line in each of
 * the two functions.
 */
#include "dev/lapic.h"
#include "dev/pit.h"
#include "dev/rtc.h"
#include "dev/timers.h"
#include "dev/uart.h"
#include "dev/vm_state.h"

static void nearer(uint64_t *next, uint64_t deadline)
{
	if (deadline < *next)
		*next = deadline;
}

void timers_update(struct vm *vm)
{
	uint64_t next = TIME_NONE;

	for (unsigned i = 0; i < vm_cpus(vm); i++)
		nearer(&next, vm->cpu[i].lapic.timer_deadline);
	nearer(&next, vm->pit.channel[0].deadline);
	nearer(&next, vm->rtc.deadline);
	nearer(&next, vm->uart.poll_at);
	if (next != vm->timer_next) {
		vm->timer_next = next;
		vm_touch(vm, VM_DEVICE_VM);
	}
}

void timers_run(struct vm *vm, struct world *w, unsigned self, uint64_t now)
{
	for (unsigned i = 0; i < vm_cpus(vm); i++) {
		if (vm->cpu[i].lapic.timer_deadline <= now)
			lapic_timer_expire(vm, w, self, i, now);
	}
	if (vm->pit.channel[0].deadline <= now)
		pit_expire(vm, w, self, now);
	if (vm->rtc.deadline <= now)
		rtc_expire(vm, w, self, now);
	if (vm->uart.poll_at <= now)
		uart_take_input(vm, w, self, now);
	timers_update(vm);
}
