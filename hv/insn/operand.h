/*
 * operand.h: the operands of a decoded instruction: registers and memory of 1, 2, 4 or 8 bytes.
 */
#ifndef VEXIT_INSN_OPERAND_H
#define VEXIT_INSN_OPERAND_H

#include "insn/emulate.h"

/* A register as the instruction names it: without REX, bytes 4 to 7 are AH, CH, DH, BH. */
uint64_t operand_reg_read(struct vcpu *v, const struct insn *insn, unsigned reg, unsigned size);
/* 32 bits clear the upper half; 8 and 16 leave the rest. */
void operand_reg_write(struct vcpu *v, const struct insn *insn, unsigned reg, unsigned size, uint64_t value);

/* The memory operand's offset in its segment, wrapped to the address size. */
uint64_t operand_offset(struct vcpu *v, const struct insn *insn);

/* Memory at seg:offset. `access`: ACCESS_WRITE when a read will be followed by a write. false: a->fault. */
bool operand_load(struct access *a, enum segment seg, uint64_t offset, unsigned size, uint32_t access,
		  uint64_t *value);
bool operand_store(struct access *a, enum segment seg, uint64_t offset, unsigned size, uint64_t value);

/* The ModR/M operand, register or memory. */
bool operand_rm_read(struct access *a, const struct insn *insn, unsigned size, uint32_t access,
		     uint64_t *value);
bool operand_rm_write(struct access *a, const struct insn *insn, unsigned size, uint64_t value);

#endif
