/*
 * irq.c: where an interrupt line goes: to the I/O APIC and to the 8259 pair, which both look at
 * vm->ioapic.lines.
 *
 * Called by device models when a request rises or falls.
 */
#include "dev/ioapic.h"
#include "dev/irq.h"
#include "dev/pic.h"

void irq_set(struct vm *vm, struct world *w, unsigned self, unsigned irq, bool level)
{
	uint32_t bit = 1u << (irq & 15);

	if (!!(vm->ioapic.lines & bit) == level)
		return;
	vm->ioapic.lines ^= bit;
	vm_touch(vm, VM_DEVICE_IOAPIC);
	pic_line(vm, w, self, irq & 15);
	if (level)
		ioapic_rise(vm, w, self, irq == 0 ? IOAPIC_PIN_IRQ0 : irq & 15);
}
