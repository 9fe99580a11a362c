/*
 * cpu.h: the parts of guest cpu.
 */
#ifndef CPU_H
#define CPU_H

#include "guest.h"

/* Each on every vCPU */
void test_control_registers(void); /* control.c */
void test_xsetbv(void);
void test_instructions(void);      /* insn.c */
void test_exceptions(void);        /* exception.c */
void test_single_step(void);

/* irq.c: on the BSP, others halted */
void test_interrupts(void);
void test_timer(void);

/* ipi.c: starts the other vCPUs itself */
void test_ipis(void);
void test_nmi(void);

#endif
