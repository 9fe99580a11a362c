/*
 * mmio.c: what answers at a guest-physical address.
 *
 * Called by linear.c for each piece of an access. The local APIC's page is where the vCPU's IA32_APIC_BASE
 * says; RAM comes first, then the devices, then nothing.
 */
#include <string.h>

#include "dev/mmio.h"
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "dev/pv_eoi.h"
#include "dev/vm_state.h"
#include "platform.h"

#define PAGE_MASK UINT64_C(0xfff)

enum region { REGION_RAM, REGION_CONSOLE, REGION_LAPIC, REGION_IOAPIC, REGION_ABSENT };

static enum region region_of(const struct vm *vm, unsigned self, uint64_t gpa, uint32_t len)
{
	const struct vm_cpu *cpu = &vm->cpu[self];
	uint64_t page = gpa & ~PAGE_MASK;

	if (vm_has_memory(vm, gpa, len))
		return REGION_RAM;
	/* SDM, "x2APIC Register Address Space": in x2APIC mode nothing is at the page. */
	if (lapic_enabled(cpu) && !lapic_is_x2apic(cpu) && page == (cpu->apic_base & LAPIC_BASE_ADDRESS))
		return REGION_LAPIC;
	if (page == MMIO_IOAPIC)
		return REGION_IOAPIC;
	return page == MMIO_CONSOLE ? REGION_CONSOLE : REGION_ABSENT;
}

bool physical_exists(const struct vm *vm, unsigned self, uint64_t gpa)
{
	return region_of(vm, self, gpa, 1) != REGION_ABSENT;
}

void physical_read(struct vcpu *v, struct vm *vm, struct world *w, uint64_t gpa, void *to, uint32_t len)
{
	uint64_t value;

	switch (region_of(vm, v->index, gpa, len)) {
	case REGION_RAM:
		w->ops->mem_read(w, gpa, to, len);
		return;
	case REGION_LAPIC:
		memset(to, 0, len);
		pv_eoi_take(vm, w, v->index);
		value = lapic_read(vm, v->index, gpa & PAGE_MASK, len, vm_time(vm, v->tsc));
		memcpy(to, &value, len < 8 ? len : 8);
		return;
	case REGION_IOAPIC:
		memset(to, 0, len);
		value = ioapic_read(vm, gpa & PAGE_MASK);
		memcpy(to, &value, len < 8 ? len : 8);
		return;
	case REGION_CONSOLE:
		memset(to, 0, len);
		return;
	case REGION_ABSENT:
		memset(to, 0xff, len);
		vm_count_absent(vm);
		return;
	}
}

/* Bytes that reach offset 0 are printed: one of each access. */
static void console_write(struct world *w, uint64_t gpa, const uint8_t *from)
{
	if ((gpa & PAGE_MASK) == 0)
		w->ops->console_out(w, from, 1);
}

void physical_write(struct vcpu *v, struct vm *vm, struct world *w, uint64_t gpa, const void *from,
		    uint32_t len)
{
	uint64_t value = 0;

	switch (region_of(vm, v->index, gpa, len)) {
	case REGION_RAM:
		w->ops->mem_write(w, gpa, from, len);
		return;
	case REGION_LAPIC:
		memcpy(&value, from, len < 8 ? len : 8);
		pv_eoi_take(vm, w, v->index);
		lapic_write(vm, w, v->index, gpa & PAGE_MASK, len, value, vm_time(vm, v->tsc));
		return;
	case REGION_IOAPIC:
		memcpy(&value, from, len < 8 ? len : 8);
		ioapic_write(vm, w, v->index, gpa & PAGE_MASK, (uint32_t)value);
		return;
	case REGION_CONSOLE:
		console_write(w, gpa, from);
		return;
	case REGION_ABSENT:
		vm_count_absent(vm);
		return;
	}
}
