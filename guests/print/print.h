/*
 * print.h: the parts of guest print. Each runs on every vCPU and reports by test_fail().
 */
#ifndef PRINT_H
#define PRINT_H

#include "guest.h"

/* policy.c */
void check_cpuid(struct cpu *cpu);
void check_msrs(struct cpu *cpu);
void check_hypercalls(void);

/* state.c */
void state_init(void); /* once, before check_state() on any vCPU */
void check_state(struct cpu *cpu);

#endif
