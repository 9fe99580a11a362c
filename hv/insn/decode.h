/*
 * decode.h: an x86 instruction's bytes → a plain struct (SDM, volume 2, "Instruction Format").
 *
 * Pure: no vCPU, no memory. It knows the length and the operands' form of every instruction that has one of
 * the formats below; whether an opcode exists in all its variants is the emulator's question.
 */
#ifndef VEXIT_INSN_DECODE_H
#define VEXIT_INSN_DECODE_H

#include "exit/arch.h"

#include <stdbool.h>

#define INSN_MAX	15
#define INSN_NO_REG	0xff

enum insn_result {
	INSN_OK,
	INSN_SHORT,		/* the bytes end before the instruction does */
	INSN_UNDEFINED,		/* no such instruction: #UD */
	INSN_TOO_LONG,		/* more than 15 bytes: #GP(0) */
};

enum insn_map { MAP_ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A, MAP_OTHER };
enum insn_encoding { ENCODING_LEGACY, ENCODING_VEX, ENCODING_EVEX };

struct insn {
	uint8_t length;
	uint8_t code_bits;		/* 16, 32, 64: the mode it was decoded for */
	uint8_t map, encoding;		/* enum insn_map, enum insn_encoding */
	uint8_t opcode;
	uint8_t rex;			/* 0, or 0x40 to 0x4f */
	uint8_t rep;			/* 0, 0xf2, 0xf3: the last of them */
	bool lock;
	uint8_t segment;		/* enum segment of the memory operand: override or default */
	bool segment_override;
	uint8_t operand_size;		/* 2, 4, 8: of operands that aren't bytes by their opcode */
	uint8_t address_size;		/* 2, 4, 8 */
	bool has_modrm;
	uint8_t mod, reg, rm;		/* reg and rm with REX's bits */
	bool memory;			/* there is a memory operand by ModR/M or moffs */
	bool rip_relative;
	uint8_t base, index;		/* enum gpr, or INSN_NO_REG */
	uint8_t scale;			/* shift, 0 to 3 */
	int64_t displacement;		/* or the moffs address */
	uint64_t immediate;		/* sign-extended where the opcode says so */
	uint8_t immediate_size;
};

/*
 * `code_bits`: 16, 32 or 64. `count` bytes are there, at most 15 are read. *insn is valid with INSN_OK
 * alone.
 */
enum insn_result insn_decode(const uint8_t *bytes, unsigned count, unsigned code_bits, struct insn *insn);

#endif
