/*
 * apic.h: the local APIC in xAPIC mode (SDM, "Advanced Programmable Interrupt Controller").
 *
 * Each access is one MOV of 32 bits, in a fixed form: under a hypervisor each is an exit.
 */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include "asm.h"
#include "platform.h"

#define APIC_ID            0x020
#define APIC_VERSION       0x030
#define APIC_TPR           0x080
#define APIC_PPR           0x0a0
#define APIC_EOI           0x0b0
#define APIC_LDR           0x0d0
#define APIC_DFR           0x0e0
#define APIC_SVR           0x0f0
#define APIC_ISR           0x100
#define APIC_TMR           0x180
#define APIC_IRR           0x200
#define APIC_ESR           0x280
#define APIC_ICR_LOW       0x300
#define APIC_ICR_HIGH      0x310
#define APIC_LVT_TIMER     0x320
#define APIC_LVT_LINT0     0x350
#define APIC_LVT_ERROR     0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE  0x3e0

#define APIC_SVR_ENABLE       0x100
#define APIC_SPURIOUS_VECTOR  0xff
#define APIC_LVT_MASKED       0x10000
#define APIC_TIMER_PERIODIC   0x20000
#define APIC_TIMER_DIVIDE_BY_1 0xb

#define ICR_FIXED          0x00000
#define ICR_NMI            0x00400
#define ICR_INIT           0x00500
#define ICR_STARTUP        0x00600
#define ICR_PENDING        0x01000
#define ICR_ASSERT         0x04000
#define ICR_SELF           0x40000
#define ICR_ALL            0x80000
#define ICR_OTHERS         0xc0000

static inline uint32_t apic_read(uint32_t reg)
{
	uint32_t value;

	asm volatile("movl (%1), %0" : "=r"(value) : "r"((uint64_t)MMIO_LAPIC + reg) : "memory");
	return value;
}

static inline void apic_write(uint32_t reg, uint32_t value)
{
	asm volatile("movl %0, (%1)" : : "r"(value), "r"((uint64_t)MMIO_LAPIC + reg) : "memory");
}

static inline void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

/* Software-enables it, TPR 0, timer masked. Called for each vCPU before main() or its AP function. */
void apic_init(void);

/* To one vCPU: `command` is an ICR_… value with the vector in its low byte. Returns when delivered. */
void apic_send(uint32_t destination, uint32_t command);

/* With one of the shorthands (ICR_SELF, ICR_ALL, ICR_OTHERS) in `command`. */
void apic_broadcast(uint32_t command);

/* Starts the timer at `count` of its clock, undivided; periodic or once. */
void apic_timer_start(uint8_t vector, uint32_t count, bool periodic);
void apic_timer_stop(void);

#endif
