/*
 * pic.h: the 8259A pair (Intel, "8259A Programmable Interrupt Controller"), at PORT_PIC_MASTER and
 * PORT_PIC_SLAVE, with the ELCR of PC chipsets.
 */
#ifndef VEXIT_DEV_PIC_H
#define VEXIT_DEV_PIC_H

#include "dev/ports.h"

void pic_reset(struct pic *pic);

/* The two ports of each, and the chips' ELCR: a bit for each input that is level-triggered. */
uint32_t pic_read(const struct port_access *a);
void pic_write(const struct port_access *a, uint32_t value);
uint32_t pic_elcr_read(const struct port_access *a);
void pic_elcr_write(const struct port_access *a, uint32_t value);

/* `self` is the vCPU whose step this is. vm->ioapic.lines has a new level of IRQ `irq`. */
void pic_line(struct vm *vm, struct world *w, unsigned self, unsigned irq);

/* A processor acknowledges (both INTA cycles): gives the vector; that of IR7 if nobody requests any more. */
uint8_t pic_acknowledge(struct vm *vm, struct world *w, unsigned self);

#endif
