/*
 * lapic.h: a vCPU's local APIC in xAPIC mode (SDM, "Advanced Programmable Interrupt Controller (APIC)").
 *
 * Its timer counts at the TSC's frequency, divided as the guest says. Times (`now`) are the VM's, vm_time(); `self` is the vCPU
 * whose step this is: others that get an event are kicked.
 */
#ifndef VEXIT_DEV_LAPIC_H
#define VEXIT_DEV_LAPIC_H

#include "vm.h"
#include "world.h"

#define LAPIC_BASE_RESET	0xfee00800	/* IA32_APIC_BASE: at MMIO_LAPIC, enabled */
#define LAPIC_BASE_BSP		(1u << 8)
#define LAPIC_BASE_ENABLE	(1u << 11)
#define LAPIC_BASE_ADDRESS	UINT64_C(0x000ffffffffff000)

/* State after power-up or INIT; `id` is the vCPU's index. */
void lapic_reset(struct lapic *l, uint32_t id);

static inline bool lapic_enabled(const struct vm_cpu *cpu)
{
	return cpu->apic_base & LAPIC_BASE_ENABLE;
}

/* A guest's access of `size` bytes at `offset` in the page of vCPU `self`'s APIC. */
uint64_t lapic_read(const struct vm *vm, unsigned self, uint32_t offset, uint32_t size, uint64_t now);
void lapic_write(struct vm *vm, struct world *w, unsigned self, uint32_t offset, uint32_t size,
		 uint64_t value, uint64_t now);

/* CR8 is bits 7:4 of the TPR. */
void lapic_set_tpr(struct vm *vm, unsigned self, uint32_t tpr);

/* Edge on a local interrupt pin of vCPU `target`: 0 = LINT0, 1 = LINT1. */
void lapic_pin(struct vm *vm, struct world *w, unsigned self, unsigned target, unsigned pin);

/* The vector that would be delivered now (highest in IRR, above the processor priority), or -1. */
int lapic_pending(const struct vm_cpu *cpu);

/* lapic_pending()'s vector is being delivered: from IRR to ISR. */
void lapic_accept(struct vm *vm, unsigned self, unsigned vector);

/* Whether any interrupt is requested, deliverable or not. */
bool lapic_requested(const struct lapic *l);

/* The timer of vCPU `cpu` is due: its timer_deadline isn't after `now`. timers.c alone calls it. */
void lapic_timer_expire(struct vm *vm, struct world *w, unsigned self, unsigned cpu, uint64_t now);

/* The timer of one vCPU (lapic_timer.c): a register of it was written. */
void lapic_timer_set_initial(struct vm *vm, unsigned self, uint32_t count, uint64_t now);
void lapic_timer_set_divide(struct vm *vm, unsigned self, uint32_t divide, uint64_t now);
void lapic_timer_set_lvt(struct vm *vm, unsigned self, uint32_t lvt, uint64_t now);
uint32_t lapic_timer_current(const struct lapic *l, uint64_t now);

/* Request `vector` at vCPU `target`, as an interrupt message or a local source does. */
void lapic_request(struct vm *vm, struct world *w, unsigned self, unsigned target, unsigned vector);

/* vCPU `target` has something posted. */
void lapic_notify(struct vm *vm, struct world *w, unsigned self, unsigned target);

#define LVT_VECTOR		0xffu
#define LVT_DELIVERY_MODE	(7u << 8)
#define LVT_MASKED		(1u << 16)
#define LVT_TIMER_PERIODIC	(1u << 17)
#define SVR_ENABLE		(1u << 8)

#endif
