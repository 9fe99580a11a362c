/* run.h: the run loop. */
#ifndef VMX_RUN_H
#define VMX_RUN_H

#include <stdint.h>

#include "include/vcpu.h"

struct vmx;
struct vmx_cpu;

/* Runs the VM until it stops or the recorder asks for it; gives how it ended. */
struct vm_stop run(struct vmx *x);

/* One entry step of this vCPU at time `now`, recorded. For the scheduler. */
enum entry_result run_entry_step(struct vmx_cpu *c, uint64_t now);

#endif
