/*
 * pv_eoi.c: ends of interrupts without an exit.
 *
 * Called by entry steps around delivery and by accesses to the local APIC's registers. The guest's word is
 * memory like any other: a guest that writes nonsense there ends interrupts at wrong times, its own alone.
 */
#include "dev/lapic.h"
#include "dev/lapic_registers.h"
#include "dev/pv_eoi.h"

static uint64_t word_of(uint64_t value)
{
	return value & ~(uint64_t)(PV_EOI_SIZE - 1);
}

/* Asked at each use, too: what a keyframe holds may be anything. */
static bool has_word(const struct vm *vm, uint64_t value)
{
	return (value & PV_EOI_ENABLE) && vm_has_memory(vm, word_of(value), PV_EOI_SIZE);
}

static void write_word(struct vm *vm, struct world *w, unsigned self, uint32_t offered)
{
	struct vm_cpu *cpu = &vm->cpu[self];

	w->ops->mem_write(w, word_of(cpu->pv_eoi), &offered, PV_EOI_SIZE);
	cpu->pv_eoi_offered = offered;
	vm_touch_cpu(vm, self);
}

bool pv_eoi_enable(struct vm *vm, struct world *w, unsigned self, uint64_t value)
{
	struct vm_cpu *cpu = &vm->cpu[self];

	/* Bit 1 is reserved. What is named must be the guest's memory. */
	if ((value & 2) || ((value & PV_EOI_ENABLE) && !has_word(vm, value)))
		return false;
	pv_eoi_take(vm, w, self);
	if (cpu->pv_eoi_offered && has_word(vm, cpu->pv_eoi))
		write_word(vm, w, self, 0);
	cpu->pv_eoi = value;
	vm_touch_cpu(vm, self);
	return true;
}

void pv_eoi_take(struct vm *vm, struct world *w, unsigned self)
{
	struct vm_cpu *cpu = &vm->cpu[self];
	uint32_t word;

	if (!cpu->pv_eoi_offered || !has_word(vm, cpu->pv_eoi))
		return;
	w->ops->mem_read(w, word_of(cpu->pv_eoi), &word, PV_EOI_SIZE);
	if (word & PV_EOI_ENABLE)
		return;
	cpu->pv_eoi_offered = 0;
	lapic_end_of_interrupt(vm, w, self);
}

/*
 * Only if its end lets nothing else happen: no request waits for it, and no source has to be told. Otherwise
 * the end must be an exit.
 */
static bool may_end_unseen(const struct lapic *l)
{
	int vector = lapic_in_service(l);

	return vector >= 0 && !lapic_requested(l) && !(l->tmr[vector / 32] >> vector % 32 & 1);
}

void pv_eoi_offer(struct vm *vm, struct world *w, unsigned self)
{
	struct vm_cpu *cpu = &vm->cpu[self];
	uint32_t offered = may_end_unseen(&cpu->lapic);

	if (has_word(vm, cpu->pv_eoi) && offered != cpu->pv_eoi_offered)
		write_word(vm, w, self, offered);
}
