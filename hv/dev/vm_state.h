/* vm_state.h: what handlers and device models call on struct vm as a whole; its layout is include/vm.h. */
#ifndef VEXIT_DEV_VM_STATE_H
#define VEXIT_DEV_VM_STATE_H

#include "vm.h"

/* The run ends: `kind` and `value` are its verdict. The handler gives ACTION_STOP, the entry step ENTRY_STOP. */
void vm_end(struct vm *vm, enum stop_kind kind, uint64_t value);

/* The guest accessed a port or an address where nothing is. */
void vm_count_absent(struct vm *vm);

/* Half a second of host TSC: the furthest that the preemption timer is set. */
uint64_t vm_timer_cap(const struct vm_config *config);

#endif
