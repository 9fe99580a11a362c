/*
 * pv_eoi.h: ends of interrupts without an exit: KVM's paravirtual EOI (Linux,
 * Documentation/virt/kvm/x86/msr.rst, MSR_KVM_EOI_EN).
 *
 * The guest names a word of its memory. While bit 0 of it is set, the guest may end the interrupt in service by
 * clearing that bit instead of writing EOI; what it did is seen before the local APIC is looked at again.
 */
#ifndef VEXIT_DEV_PV_EOI_H
#define VEXIT_DEV_PV_EOI_H

#include "vm.h"
#include "world.h"

#define PV_EOI_ENABLE	1u
#define PV_EOI_SIZE	4	/* bytes of the word */

/* MSR_KVM_EOI_EN was written. false: #GP(0). */
bool pv_eoi_enable(struct vm *vm, struct world *w, unsigned self, uint64_t value);

/*
 * Take the end of an interrupt from vCPU `self`'s word, if it is there. Before anything asks its APIC what
 * is in service.
 */
void pv_eoi_take(struct vm *vm, struct world *w, unsigned self);

/* At the end of an entry step: may the next end of an interrupt come by the word? */
void pv_eoi_offer(struct vm *vm, struct world *w, unsigned self);

/* INIT: the word is forgotten. */
static inline void pv_eoi_reset(struct vm_cpu *cpu)
{
	cpu->pv_eoi = 0;
	cpu->pv_eoi_offered = 0;
}

#endif
