/*
 * timers.h: all timers of a VM: local APICs', and the PC's.
 *
 * Each device keeps its own deadline, in the VM's time; vm->timer_next is the nearest of them.
 */
#ifndef VEXIT_DEV_TIMERS_H
#define VEXIT_DEV_TIMERS_H

#include "vm.h"
#include "world.h"

/* vm->timer_next anew, after a deadline changed. */
void timers_update(struct vm *vm);

/* Let what is due by `now` happen; for entry steps, when `now` is not before vm->timer_next. */
void timers_run(struct vm *vm, struct world *w, unsigned self, uint64_t now);

#endif
