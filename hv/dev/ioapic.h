/*
 * ioapic.h: the I/O APIC (Intel, "82093AA I/O Advanced Programmable Interrupt Controller"), at MMIO_IOAPIC.
 */
#ifndef VEXIT_DEV_IOAPIC_H
#define VEXIT_DEV_IOAPIC_H

#include "vm.h"
#include "world.h"

#define IOAPIC_PIN_INTR	0	/* the 8259 pair's output */
#define IOAPIC_PIN_IRQ0	2	/* where IRQ 0 is; other ISA IRQs have their own numbers */

void ioapic_reset(struct ioapic *io);

/* A guest's access of `size` bytes at `offset` in its page. `self` is the vCPU whose step this is. */
uint32_t ioapic_read(const struct vm *vm, uint32_t offset);
void ioapic_write(struct vm *vm, struct world *w, unsigned self, uint32_t offset, uint32_t value);

/* Pin `pin` went high. (That one went low needs no call: its level is asked for.) */
void ioapic_rise(struct vm *vm, struct world *w, unsigned self, unsigned pin);

/* A vCPU ended the level-triggered interrupt `vector`. */
void ioapic_eoi(struct vm *vm, struct world *w, unsigned self, uint8_t vector);

/* An APIC accepts interrupts that didn't: what is level-triggered and still requested is sent. */
void ioapic_retry(struct vm *vm, struct world *w, unsigned self);

#endif
