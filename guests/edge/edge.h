/*
 * edge.h: the parts of guest edge.
 */
#ifndef EDGE_H
#define EDGE_H

#include "guest.h"

#define UART_SCRATCH  (PORT_UART + 7)
#define HOLE          0xd8000000ull /* guest-physical, mapped one to one: neither memory nor a device */
#define NO_PORT       0x1230
#define NON_CANONICAL (1ull << 63)

/* processor.c: each on every vCPU */
void test_cpuid(void);
void test_msrs(void);
void test_emulation(void);

void test_devices(void); /* devices.c: ports and holes */
void test_board(void);   /* board.c: keyboard controller, PCI, ACPI, reset control */
void test_timer_chip(void); /* clocks.c: 8254 */
void test_clock_chip(void); /* and MC146818 */
void test_uart(void);    /* uart.c */
void test_memory(void);  /* memory.c: strings of I/O and hypercalls, and the page tables behind them */

/* apic.c */
void test_self(void);    /* on every vCPU */
void test_apic(void);
void test_apic_timer(void);

/* event.c */
void test_events(void);
void event_into_hole(const char *which);

#endif
