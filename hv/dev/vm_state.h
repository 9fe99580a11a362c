/* vm_state.h: what handlers and device models call on struct vm as a whole; its layout is include/vm.h. */
#ifndef VEXIT_DEV_VM_STATE_H
#define VEXIT_DEV_VM_STATE_H

#include "vm.h"

/*
 * The run ends: `kind` and `value` are its verdict. The handler gives ACTION_STOP, the entry step
 * ENTRY_STOP.
 */
void vm_end(struct vm *vm, enum stop_kind kind, uint64_t value);

/* The guest accessed a port or an address where nothing is. */
void vm_count_absent(struct vm *vm);

/* Half a second of host TSC: the furthest that the preemption timer is set. */
static inline uint64_t vm_timer_cap(const struct vm_config *config)
{
	return config->tsc_khz * 500;
}

/* vm_preemption_timer(), inline for the path of every entry. */
static inline uint64_t vm_timer_value(const struct vm_config *config, uint64_t deadline, uint64_t now)
{
	unsigned shift = config->preemption_timer_shift & 31;
	uint64_t cap = vm_timer_cap(config), ticks;

	if (deadline <= now)
		return 0;
	if (deadline - now >= cap) {
		ticks = cap >> shift;
	} else {
		/*
		 * SDM, "VMX-Preemption Timer": it counts down each time that bit `shift` of the TSC
		 * changes, so it expires at a multiple of 2^shift. The first one that isn't before the
		 * deadline is the one wanted: sooner, and the step that follows would find nothing due.
		 */
		ticks = ((deadline - 1) >> shift) + 1 - (now >> shift);
	}
	return ticks < UINT32_MAX ? ticks : UINT32_MAX;
}

/* How many vCPUs there are, never more than struct vm holds: config may come from a trace. */
static inline unsigned vm_cpus(const struct vm *vm)
{
	return vm->config.cpu_count < VM_MAX_CPUS ? vm->config.cpu_count : VM_MAX_CPUS;
}

/* All bits of a physical address (MAXPHYADDR). */
static inline uint64_t vm_phys_mask(const struct vm_config *config)
{
	return UINT64_MAX >> (64 - (config->phys_bits - 1) % 64 - 1);
}

#endif
