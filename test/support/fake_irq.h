/*
 * fake_irq.h: interrupts of a fake VM and the timers that raise them: what a test of events or entry steps
 * sets up before the step that it looks at.
 */
#ifndef VEXIT_FAKE_IRQ_H
#define VEXIT_FAKE_IRQ_H

#include "support/fake.h"

#define APIC_INITIAL	0x380		/* the timer's initial count */

/* The local APIC enabled by software (SDM, "Spurious Interrupt"), as every guest does first. */
void fake_apic_enable(struct fake *f, unsigned cpu);

/* RFLAGS.IF */
void fake_interrupts_on(struct vcpu *v);

/* An IPI of vCPU 0 to itself. */
void fake_request(struct fake *f, unsigned vector);

/* The local APIC's timer, one-shot, `cycles` of the TSC from now. */
void fake_start_timer(struct fake *f, unsigned cpu, unsigned vector, uint32_t cycles);

/* The exit of an HLT, with interrupts off if `masked`. */
void fake_halt(struct fake *f, unsigned cpu, bool masked);

/* Of the entry that came before, its event and activity are the processor's: taken. */
void fake_taken(struct vcpu *v);

/* The 8259 pair as a BIOS leaves it, with IRQ 0 at vector 0x30; and one of its first eight inputs raised. */
void fake_start_pic(struct fake *f);
void fake_raise_irq(struct fake *f, unsigned irq);

#endif
