/*
 * irq.c: where an interrupt line goes.
 *
 * Called by device models when a request rises or falls.
 */
#include "dev/irq.h"
#include "dev/lapic.h"

void irq_set(struct vm *vm, struct world *w, unsigned self, unsigned irq, bool level)
{
	if (irq == IRQ_UART && level)
		lapic_pin(vm, w, self, 0, 0);
}
