/* lapic_icr.h: the parts of the local APIC that call each other: requests, errors, interrupt commands. */
#ifndef VEXIT_DEV_LAPIC_ICR_H
#define VEXIT_DEV_LAPIC_ICR_H

#include "vm.h"
#include "world.h"

/* Delivery modes, of interrupt commands and LVT entries (SDM, "Interrupt Command Register (ICR)") */
#define ICR_MODE_FIXED		(0u << 8)
#define ICR_MODE_LOWEST		(1u << 8)
#define ICR_MODE_SMI		(2u << 8)
#define ICR_MODE_NMI		(4u << 8)
#define ICR_MODE_INIT		(5u << 8)
#define ICR_MODE_SIPI		(6u << 8)

/* SDM, "Task and Processor Priorities" */
uint32_t lapic_ppr(const struct lapic *l);

/* Errors latched for ESR (SDM, "Error Handling") */
#define ESR_SEND_ILLEGAL	(1u << 5)
void lapic_error(struct vm *vm, struct world *w, unsigned self, unsigned target, uint32_t bits);

/* The low half of vCPU `self`'s ICR was written: send. */
void lapic_command(struct vm *vm, struct world *w, unsigned self, uint32_t command);

#endif
