/* schedule.h: who runs next. */
#ifndef VMX_SCHEDULE_H
#define VMX_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmx/vmx.h"

void schedule_init(struct vmx *x);

/* Whether the vCPU that exited goes on, if its entry step says so: its slice isn't over. */
static inline bool schedule_goes_on(const struct vmx *x, uint64_t now)
{
	return now < x->scheduler.slice_end;
}

/*
 * Takes entry steps until a vCPU says that it is to be entered, and gives it; NULL: the VM has stopped. For
 * the first entry, and when the last vCPU doesn't go on.
 */
struct vmx_cpu *schedule_next(struct vmx *x);

/* Host TSC at which the slice of this vCPU ends; TIME_NONE while no other one can run. */
uint64_t schedule_slice_end(const struct vmx *x, const struct vmx_cpu *c);

/* The vCPU that ran gives the rest of its slice away. */
static inline void schedule_yield(struct vmx *x)
{
	x->scheduler.slice_end = 0;
}

#endif
