/*
 * ioapic.h: the I/O APIC (Intel, "82093AA I/O Advanced Programmable Interrupt Controller").
 */
#ifndef GUEST_IOAPIC_H
#define GUEST_IOAPIC_H

#include "asm.h"
#include "platform.h"

#define IOAPIC_ID       0x00
#define IOAPIC_VERSION  0x01
#define IOAPIC_ENTRY    0x10    /* two registers for each pin */

#define IOAPIC_LOWEST     0x00100
#define IOAPIC_NMI        0x00400
#define IOAPIC_EXTINT     0x00700
#define IOAPIC_LOGICAL    0x00800
#define IOAPIC_REMOTE_IRR 0x04000
#define IOAPIC_LEVEL      0x08000
#define IOAPIC_MASKED     0x10000

static inline void ioapic_write(uint32_t index, uint32_t value)
{
	asm volatile("movl %0, (%2)\n\tmovl %1, 0x10(%2)"
		     : : "r"(index), "r"(value), "r"((uint64_t)MMIO_IOAPIC) : "memory");
}

static inline uint32_t ioapic_read(uint32_t index)
{
	uint32_t value;

	asm volatile("movl %1, (%2)\n\tmovl 0x10(%2), %0"
		     : "=&r"(value) : "r"(index), "r"((uint64_t)MMIO_IOAPIC) : "memory");
	return value;
}

/* `low`: the entry's low half: vector, delivery mode, trigger mode, mask. */
static inline void ioapic_route(unsigned pin, uint32_t destination, uint32_t low)
{
	ioapic_write(IOAPIC_ENTRY + 2 * pin + 1, destination << 24);
	ioapic_write(IOAPIC_ENTRY + 2 * pin, low);
}

#endif
