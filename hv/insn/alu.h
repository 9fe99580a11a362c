/*
 * alu.h: integer operations with their flags (SDM, "EFLAGS Cross-Reference"). Pure.
 *
 * Operands and results are zero-extended to 64 bits; `size` is 1, 2, 4 or 8 bytes. *flags is RFLAGS: the
 * operation's flags are replaced, the others kept.
 */
#ifndef VEXIT_INSN_ALU_H
#define VEXIT_INSN_ALU_H

#include <stdbool.h>

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

/* Group 2's reg field. SHL has two numbers. */
enum shift_op { SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR, SHIFT_SHL, SHIFT_SHR, SHIFT_SAL, SHIFT_SAR };

/* `count` as the instruction has it: it is masked here. */
uint64_t alu_shift(enum shift_op op, unsigned size, uint64_t a, unsigned count, uint64_t *flags);

/* The product's low half; *high is its upper half. */
uint64_t alu_multiply(unsigned size, bool is_signed, uint64_t a, uint64_t b, uint64_t *high, uint64_t *flags);

#endif
