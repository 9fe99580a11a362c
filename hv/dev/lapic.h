/*
 * lapic.h: a vCPU's local APIC (SDM, "Advanced Programmable Interrupt Controller (APIC)"), in xAPIC mode by
 * its page and in x2APIC mode by MSRs.
 *
 * Its timer counts at the TSC's frequency, divided as the guest says. Times (`now`) are the VM's,
 * vm_time(); `self` is the vCPU whose step this is: others that get an event are kicked.
 */
#ifndef VEXIT_DEV_LAPIC_H
#define VEXIT_DEV_LAPIC_H

#include "vm.h"
#include "world.h"

#define LAPIC_BASE_RESET	0xfee00800	/* IA32_APIC_BASE: at MMIO_LAPIC, enabled */
#define LAPIC_BASE_BSP		(1u << 8)
#define LAPIC_BASE_X2APIC	(1u << 10)
#define LAPIC_BASE_ENABLE	(1u << 11)
#define LAPIC_BASE_ADDRESS	UINT64_C(0x000ffffffffff000)

/* State after power-up or INIT; `id` is the vCPU's index. */
void lapic_reset(struct lapic *l, uint32_t id);

/*
 * The BSP's as firmware hands it over: LINT0 is ExtINT, so that a guest which knows only the 8259 pair gets
 * its interrupts.
 */
void lapic_virtual_wire(struct lapic *l);

static inline bool lapic_enabled(const struct vm_cpu *cpu)
{
	return cpu->apic_base & LAPIC_BASE_ENABLE;
}

static inline bool lapic_is_x2apic(const struct vm_cpu *cpu)
{
	return cpu->apic_base & LAPIC_BASE_X2APIC;
}

/* A guest's access of `size` bytes at `offset` in the page of vCPU `self`'s APIC. Pre: xAPIC mode. */
uint64_t lapic_read(const struct vm *vm, unsigned self, uint32_t offset, uint32_t size, uint64_t now);
void lapic_write(struct vm *vm, struct world *w, unsigned self, uint32_t offset, uint32_t size,
		 uint64_t value, uint64_t now);

/* lapic_x2apic.c: MSRs 0x800 to 0x8ff. false: #GP(0). */
#define LAPIC_MSR_FIRST		0x800
#define LAPIC_MSR_LAST		0x8ff
bool lapic_msr_read(const struct vm *vm, unsigned self, uint32_t msr, uint64_t *value, uint64_t now);
bool lapic_msr_write(struct vm *vm, struct world *w, unsigned self, uint32_t msr, uint64_t value, uint64_t now);

/* lapic_x2apic.c: WRMSR to IA32_APIC_BASE, after the checks of address and reserved bits. false: #GP(0). */
bool lapic_set_base(struct vm *vm, struct world *w, unsigned self, uint64_t base);

/* CR8 is bits 7:4 of the TPR. */
void lapic_set_tpr(struct vm *vm, unsigned self, uint32_t tpr);

/*
 * vCPU `target` looks at its LINT0, where the 8259 pair's output is, vm->pic.intr. `rose`: it is high since
 * now; otherwise what the vCPU makes of it has changed.
 */
void lapic_lint0(struct vm *vm, struct world *w, unsigned self, unsigned target, bool rose);

/* Whether vCPU `cpu` has an interrupt whose vector the 8259 pair gives: it goes past IRR, ISR and TPR. */
bool lapic_extint(const struct vm *vm, const struct vm_cpu *cpu);

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
/* IA32_TSC_DEADLINE was written; the guest's TSC was, by a write to tsc_offset. */
void lapic_timer_set_tsc_deadline(struct vm *vm, unsigned self, uint64_t deadline, uint64_t now);
void lapic_timer_tsc_changed(struct vm *vm, unsigned self, uint64_t now);

/* An interrupt message, as processors and the I/O APIC send them. */
struct apic_message {
	uint32_t destination;	/* APIC ID, or bits of logical ones */
	bool wide;		/* the destination has 32 bits (an x2APIC sends), not 8 */
	bool logical, level;
	uint8_t vector;
	uint16_t mode;		/* ICR_MODE_… */
};

/* Deliver it. Gives whether any APIC took it. lapic_icr.c */
bool lapic_message(struct vm *vm, struct world *w, unsigned self, const struct apic_message *m);

/*
 * Request `vector` at vCPU `target`, as an interrupt message or a local source does. Gives whether it was
 * accepted.
 */
bool lapic_request(struct vm *vm, struct world *w, unsigned self, unsigned target, unsigned vector, bool level);

/* vCPU `target` has something posted. */
void lapic_notify(struct vm *vm, struct world *w, unsigned self, unsigned target);

#define LVT_VECTOR		0xffu
#define LVT_DELIVERY_MODE	(7u << 8)
#define LVT_STATUS		(1u << 12)	/* read-only; always idle here */
#define LVT_REMOTE_IRR		(1u << 14)	/* read-only */
#define LVT_LEVEL		(1u << 15)
#define LVT_MASKED		(1u << 16)
#define LVT_TIMER_MODE		(3u << 17)
#define LVT_TIMER_PERIODIC	(1u << 17)
#define LVT_TIMER_TSC_DEADLINE	(2u << 17)
#define SVR_ENABLE		(1u << 8)

/* Delivery modes of messages, interrupt commands and LVT entries (SDM, "Interrupt Command Register (ICR)") */
#define ICR_MODE_FIXED		(0u << 8)
#define ICR_MODE_LOWEST		(1u << 8)
#define ICR_MODE_SMI		(2u << 8)
#define ICR_MODE_NMI		(4u << 8)
#define ICR_MODE_INIT		(5u << 8)
#define ICR_MODE_SIPI		(6u << 8)
#define ICR_MODE_EXTINT		(7u << 8)

#endif
