/*
 * emulate_alu.h: arithmetic of emulate.c's table, and what its functions share.
 */
#ifndef VEXIT_INSN_EMULATE_ALU_H
#define VEXIT_INSN_EMULATE_ALU_H

#include "insn/emulate.h"

typedef enum emulate_result emulate_function(struct access *a, const struct insn *insn);

/* Most opcodes come in pairs: bytes if bit 0 is clear. */
static inline unsigned insn_operand_size(const struct insn *insn)
{
	return insn->opcode & 1 ? insn->operand_size : 1;
}

static inline uint64_t sign_extend(uint64_t value, unsigned size)
{
	unsigned unused = 64 - 8 * size;

	return (uint64_t)((int64_t)(value << unused) >> unused);
}

emulate_function emulate_arithmetic, emulate_group1, emulate_test, emulate_group3, emulate_group5,
	emulate_shift, emulate_imul, emulate_imul_immediate, emulate_cmpxchg, emulate_xadd,
	emulate_bit_by_register, emulate_bit_by_immediate;

#endif
