/*
 * entry.h: the entry step in which nothing happens, found out in a few instructions. For entry.c, and for
 * metal, which need not call it then.
 */
#ifndef VEXIT_EXIT_ENTRY_H
#define VEXIT_EXIT_ENTRY_H

#include "vcpu.h"
#include "vm.h"

/*
 * Whether vcpu_prepare_entry() would say ENTRY_ENTER again and change nothing, ask nothing: no timer runs in
 * this VM, nobody else can run, nothing was posted, and the last entry was like that, too. Then wake_at and
 * deadline are TIME_NONE, and both fields that an entry step sets hold what they must; they are always loaded
 * (vmcs.def: KEPT).
 */
static inline bool vcpu_goes_on(const struct vcpu *v, const struct vm *vm)
{
	const struct vm_cpu *cpu = &vm->cpu[0];

	_Static_assert(CPU_RUNNING == 0 && ENTRY_ENTER == 0, "what is usual is 0");
	return vm->timer_next == TIME_NONE && v->deadline == TIME_NONE && vm->config.cpu_count == 1 &&
	       !(cpu->activity | cpu->attention | v->entry | vm->config.hide_tracing_time) &&
	       v->vmcs[VMCS_TSC_OFFSET] == cpu->tsc_offset - vm->hidden && vm_time(vm, v->tsc) < vm->uart.poll_at;
}

#endif
