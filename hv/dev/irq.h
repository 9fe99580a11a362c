/*
 * irq.h: the interrupt lines of a PC: ISA IRQs 0 to 15, which reach the 8259 pair and the I/O APIC alike.
 */
#ifndef VEXIT_DEV_IRQ_H
#define VEXIT_DEV_IRQ_H

#include "vm.h"
#include "world.h"

#define IRQ_PIT		0	/* at the I/O APIC: pin 2 */
#define IRQ_KEYBOARD	1
#define IRQ_UART	4
#define IRQ_RTC		8
#define IRQ_SCI		9	/* ACPI's; level-triggered */

/* A device's request on line `irq` is at `level` from now on; calling with the level it has does nothing. */
void irq_set(struct vm *vm, struct world *w, unsigned self, unsigned irq, bool level);

#endif
