/* lapic_registers.h: what the files of the local APIC share: its registers, errors, interrupt commands. */
#ifndef VEXIT_DEV_LAPIC_REGISTERS_H
#define VEXIT_DEV_LAPIC_REGISTERS_H

#include "vm.h"
#include "world.h"

/* SDM, "Local APIC Register Address Map"; the MSR of a register is LAPIC_MSR_FIRST + offset / 16. */
enum {
	REG_ID = 0x020, REG_VERSION = 0x030, REG_TPR = 0x080, REG_APR = 0x090, REG_PPR = 0x0a0, REG_EOI = 0xb0,
	REG_LDR = 0x0d0, REG_DFR = 0x0e0, REG_SVR = 0x0f0, REG_ISR = 0x100, REG_TMR = 0x180, REG_IRR = 0x200,
	REG_ESR = 0x280, REG_ICR_LOW = 0x300, REG_ICR_HIGH = 0x310, REG_LVT_TIMER = 0x320,
	REG_LVT_THERMAL = 0x330, REG_LVT_PERF = 0x340, REG_LVT_LINT0 = 0x350, REG_LVT_LINT1 = 0x360, REG_LVT_ERROR = 0x370,
	REG_INITIAL_COUNT = 0x380, REG_CURRENT_COUNT = 0x390, REG_DIVIDE = 0x3e0, REG_SELF_IPI = 0x3f0,
};

/* A register's value; of those that both modes have alike. */
uint32_t lapic_register_read(const struct lapic *l, uint32_t offset, uint64_t now);

/* A register was written; bits that can't be written don't count. */
void lapic_register_write(struct vm *vm, struct world *w, unsigned self, uint32_t offset, uint32_t value,
			  uint64_t now);

/* The bits that a write to the register may set; 0 where none can. */
uint32_t lapic_writable(uint32_t offset);

/* SDM, "Task and Processor Priorities" */
uint32_t lapic_ppr(const struct lapic *l);

/* Errors latched for ESR (SDM, "Error Handling") */
#define ESR_SEND_ILLEGAL	(1u << 5)
void lapic_error(struct vm *vm, struct world *w, unsigned self, unsigned target, uint32_t bits);

/* The vector of the interrupt in service, the highest; -1: none. */
int lapic_in_service(const struct lapic *l);

/* EOI was written. */
void lapic_end_of_interrupt(struct vm *vm, struct world *w, unsigned self);

/* The low half of vCPU `self`'s ICR was written, after the high one: send. */
void lapic_command(struct vm *vm, struct world *w, unsigned self, uint32_t command);

/* SDM, "Logical x2APIC ID": cluster and bit follow from the APIC ID. */
static inline uint32_t lapic_x2apic_ldr(const struct lapic *l)
{
	uint32_t id = l->id >> 24;

	return (id >> 4) << 16 | 1u << (id & 15);
}

#endif
