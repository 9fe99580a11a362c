/*
 * apic_parts.h: the parts of guest apic, and what they share.
 */
#ifndef APIC_PARTS_H
#define APIC_PARTS_H

#include "guest.h"

void test_x2apic(void);        /* x2apic.c: on every vCPU */
void test_tsc_deadline(void);
void test_ioapic(void);        /* ioapic.c */
void test_pic(void);           /* pic.c */

/* The UART's transmitter interrupt, a level: its line is high from uart_raise() until uart_lower(). */
#define PIN_UART 4
void uart_raise(void);
void uart_lower(void);

/* The 8254's counter 0: IRQ 0 each `clocks` of 1193182 Hz; 0 stops it. */
void pit_start(uint16_t clocks);

/* Lets in what is pending. */
static inline void open_window(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

/* Sleeps until *count has come to `value`; each HLT must be ended by an interrupt. */
void halt_until(volatile uint32_t *count, uint32_t value);

/* The local APIC through disabled and back, with the state of apic_init(). */
void apic_restart(void);

#endif
