/* schedule.h: who runs next. */
#ifndef VMX_SCHEDULE_H
#define VMX_SCHEDULE_H

#include <stdint.h>

struct vmx;
struct vmx_cpu;

void schedule_init(struct vmx *x);

/* Takes entry steps until a vCPU says that it is to be entered, and gives it; NULL: the VM has stopped. */
struct vmx_cpu *schedule_next(struct vmx *x);

/* Host TSC at which the slice of this vCPU ends; TIME_NONE while no other one can run. */
uint64_t schedule_slice_end(const struct vmx *x, const struct vmx_cpu *c);

/* The vCPU that ran gives the rest of its slice away. */
void schedule_yield(struct vmx *x);

#endif
