/*
 * entry.h: the entry step in which only time passes, found out in a few instructions. For entry.c, and for
 * metal, which need not call it then.
 */
#ifndef VEXIT_EXIT_ENTRY_H
#define VEXIT_EXIT_ENTRY_H

#include "dev/vm_state.h"
#include "vcpu.h"
#include "vm.h"

/* A time of the VM's as host TSC, which the preemption timer counts. */
static inline uint64_t vm_host_time(const struct vm *vm, uint64_t time)
{
	return time == TIME_NONE ? TIME_NONE : time + vm->hidden;
}

/*
 * Whether the deadline of the last entry is that of one now, at v->tsc, and hasn't come. Beyond the cap it
 * is TIME_NONE: enter() in entry.c.
 */
static inline bool vcpu_same_deadline(const struct vcpu *v, const struct vm *vm)
{
	uint64_t deadline = vm_host_time(vm, vm->timer_next);

	if (deadline <= v->tsc)
		return false;
	return v->deadline == deadline ||
	       (v->deadline == TIME_NONE && deadline - v->tsc >= vm_timer_cap(&vm->config));
}

/*
 * Whether vcpu_prepare_entry() would say ENTRY_ENTER again, ask nothing and change nothing but the
 * preemption timer's value, which is vm_timer_value() of the old deadline: nobody else can run, nothing was
 * posted or is due, and the last entry was like that, too. Then wake_at is TIME_NONE. The two fields that
 * an entry step sets are always loaded (vmcs.def: KEPT).
 */
static inline bool vcpu_goes_on(const struct vcpu *v, const struct vm *vm)
{
	const struct vm_cpu *cpu = &vm->cpu[0];

	_Static_assert(CPU_RUNNING == 0 && ENTRY_ENTER == 0, "what is usual is 0");
	return vm->config.cpu_count == 1 &&
	       !(cpu->activity | cpu->attention | v->entry | vm->config.hide_tracing_time) &&
	       v->vmcs[VMCS_TSC_OFFSET] == cpu->tsc_offset - vm->hidden &&
	       vcpu_same_deadline(v, vm);
}

#endif
