/*
 * alu.h: integer operations with their flags (SDM, "EFLAGS Cross-Reference"). Pure.
 *
 * Operands and results are zero-extended to 64 bits; `size` is 1, 2, 4 or 8 bytes. *flags is RFLAGS: the operation's
 * flags are replaced, the others kept.
 */
#ifndef VEXIT_INSN_ALU_H
#define VEXIT_INSN_ALU_H

#include "exit/arch.h"

/* The numbers of opcodes 00 to 3f (bits 5:3) and of group 1's reg field. */
enum alu_op { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

static inline uint64_t alu_mask(unsigned size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

uint64_t alu_binary(enum alu_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *flags);
uint64_t alu_increment(unsigned size, uint64_t a, uint64_t *flags);
uint64_t alu_decrement(unsigned size, uint64_t a, uint64_t *flags);
uint64_t alu_negate(unsigned size, uint64_t a, uint64_t *flags);

#endif
