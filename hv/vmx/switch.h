/*
 * switch.h: the state of a vCPU that stays in the processor between its exits, and moves only with the vCPU.
 */
#ifndef VMX_SWITCH_H
#define VMX_SWITCH_H

#include <stdint.h>

#include "vmx/vmx.h"

/* Tells which bits of XCR0 and IA32_XSS the guest may set. */
void switch_policy(struct vm_config *config);

/* State after reset, with room for the XSAVE area. */
void switch_init(struct vmx_cpu *c);

/* Saves the state that is in the processor, and brings this vCPU's there. */
void switch_exchange(struct vmx_cpu *c);

static inline void switch_to(struct vmx_cpu *c)
{
	if (__builtin_expect(c->vmx->resident != c, 0))
		switch_exchange(c);
}

/*
 * For struct world: in the processor or in memory, wherever the vCPU's state is. Unknown registers are a bug
 * of the core's.
 */
uint64_t switch_msr_read(struct vmx_cpu *c, uint32_t msr);
void switch_msr_write(struct vmx_cpu *c, uint32_t msr, uint64_t value);
uint64_t switch_dr_read(struct vmx_cpu *c, unsigned dr);
void switch_dr_write(struct vmx_cpu *c, unsigned dr, uint64_t value);
void switch_xcr0_write(struct vmx_cpu *c, uint64_t value);

#endif
