/*
 * emulate.c: the instruction emulator: a row an opcode, a function a kind of instruction.
 *
 * Called by the handler of EPT violations. Each function reads its operands, and writes its result only
 * when nothing can fault any more, so that a fault leaves the vCPU as it was. Here are moves and
 * conditions; arithmetic is emulate_alu.c, string instructions are emulate_string.c.
 */
#include "insn/emulate.h"
#include "exit/mode.h"
#include "insn/emulate_alu.h"
#include "insn/emulate_string.h"
#include "insn/operand.h"

static enum emulate_result done(bool ok)
{
	return ok ? EMULATE_DONE : EMULATE_FAULT;
}

/* ---- Moves ---- */

static enum emulate_result mov_to_rm(struct access *a, const struct insn *insn)
{
	unsigned size = insn_operand_size(insn);

	return done(operand_rm_write(a, insn, size, operand_reg_read(a->v, insn, insn->reg, size)));
}

static enum emulate_result mov_from_rm(struct access *a, const struct insn *insn)
{
	unsigned size = insn_operand_size(insn);
	uint64_t value;

	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	operand_reg_write(a->v, insn, insn->reg, size, value);
	return EMULATE_DONE;
}

static enum emulate_result mov_immediate(struct access *a, const struct insn *insn)
{
	if (insn->reg & 7)
		return EMULATE_UNSUPPORTED;
	return done(operand_rm_write(a, insn, insn_operand_size(insn), insn->immediate));
}

static enum emulate_result mov_accumulator(struct access *a, const struct insn *insn)
{
	unsigned size = insn_operand_size(insn);
	uint64_t value;

	if (insn->opcode & 2)
		return done(operand_rm_write(a, insn, size, operand_reg_read(a->v, insn, GPR_RAX, size)));
	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	operand_reg_write(a->v, insn, GPR_RAX, size, value);
	return EMULATE_DONE;
}

/* MOV of a segment register to memory is 16 bits, whatever the operand size. */
static enum emulate_result mov_from_segment(struct access *a, const struct insn *insn)
{
	unsigned seg = insn->reg & 7;

	if (seg >= SEG_COUNT || !insn->memory)
		return EMULATE_UNSUPPORTED;
	return done(operand_rm_write(a, insn, 2, vmcs_read(a->v, VMCS_GUEST_ES_SELECTOR + seg)));
}

static enum emulate_result extend(struct access *a, const struct insn *insn, unsigned size, bool is_signed)
{
	uint64_t value;

	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	operand_reg_write(a->v, insn, insn->reg, insn->operand_size,
			  is_signed ? sign_extend(value, size) : value);
	return EMULATE_DONE;
}

static enum emulate_result movzx(struct access *a, const struct insn *insn)
{
	return extend(a, insn, insn->opcode & 1 ? 2 : 1, false);
}

static enum emulate_result movsx(struct access *a, const struct insn *insn)
{
	return extend(a, insn, insn->opcode & 1 ? 2 : 1, true);
}

static enum emulate_result movsxd(struct access *a, const struct insn *insn)
{
	if (insn->code_bits != 64)
		return EMULATE_UNSUPPORTED;	/* ARPL */
	return extend(a, insn, insn->operand_size == 2 ? 2 : 4, true);
}

static uint64_t byte_swap(uint64_t value, unsigned size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

static enum emulate_result movbe(struct access *a, const struct insn *insn)
{
	unsigned size = insn->operand_size;
	uint64_t value;

	if (!insn->memory || insn->rep == 0xf2)
		return EMULATE_UNSUPPORTED;	/* CRC32 */
	if (insn->opcode & 1)
		return done(operand_rm_write(a, insn, size,
					     byte_swap(operand_reg_read(a->v, insn, insn->reg, size), size)));
	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	operand_reg_write(a->v, insn, insn->reg, size, byte_swap(value, size));
	return EMULATE_DONE;
}

/* MOVNTI: a store past the caches. */
static enum emulate_result movnti(struct access *a, const struct insn *insn)
{
	unsigned size = insn->operand_size == 8 ? 8 : 4;

	if (!insn->memory)
		return EMULATE_UNSUPPORTED;
	return done(operand_rm_write(a, insn, size, operand_reg_read(a->v, insn, insn->reg, size)));
}

static enum emulate_result xchg(struct access *a, const struct insn *insn)
{
	unsigned size = insn_operand_size(insn);
	uint64_t value;

	if (!operand_rm_read(a, insn, size, ACCESS_WRITE, &value) ||
	    !operand_rm_write(a, insn, size, operand_reg_read(a->v, insn, insn->reg, size)))
		return EMULATE_FAULT;
	operand_reg_write(a->v, insn, insn->reg, size, value);
	return EMULATE_DONE;
}

/* ---- Conditions ---- */

/* SDM, appendix "EFLAGS Condition Codes" */
static bool condition(uint64_t flags, unsigned code)
{
	bool c = flags & RFLAGS_CF, z = flags & RFLAGS_ZF;
	bool less = !(flags & RFLAGS_SF) != !(flags & RFLAGS_OF);
	bool result = false;

	switch (code >> 1 & 7) {
	case 0: result = flags & RFLAGS_OF; break;
	case 1: result = c; break;
	case 2: result = z; break;
	case 3: result = c || z; break;
	case 4: result = flags & RFLAGS_SF; break;
	case 5: result = flags & RFLAGS_PF; break;
	case 6: result = less; break;
	case 7: result = less || z; break;
	}
	return result != (code & 1);
}

/*
 * CMOVcc reads its operand even if it doesn't move it, and then clears the upper half of a 32-bit
 * destination.
 */
static enum emulate_result cmov(struct access *a, const struct insn *insn)
{
	unsigned size = insn->operand_size;
	uint64_t value;

	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	if (!condition(vmcs_read(a->v, VMCS_GUEST_RFLAGS), insn->opcode & 15))
		value = operand_reg_read(a->v, insn, insn->reg, size);
	operand_reg_write(a->v, insn, insn->reg, size, value);
	return EMULATE_DONE;
}

static enum emulate_result setcc(struct access *a, const struct insn *insn)
{
	bool holds = condition(vmcs_read(a->v, VMCS_GUEST_RFLAGS), insn->opcode & 15);

	return done(operand_rm_write(a, insn, 1, holds));
}

/* ---- The table ---- */

struct emulate_row {
	uint8_t map, mask, opcode;	/* of a map: opcodes that equal `opcode` in the bits of `mask` */
	emulate_function *function;
};

static const struct emulate_row rows[] = {
	{ MAP_ONE_BYTE, 0xfe, 0x88, mov_to_rm },
	{ MAP_ONE_BYTE, 0xfe, 0x8a, mov_from_rm },
	{ MAP_ONE_BYTE, 0xfe, 0xc6, mov_immediate },
	{ MAP_ONE_BYTE, 0xfc, 0xa0, mov_accumulator },
	{ MAP_ONE_BYTE, 0xff, 0x8c, mov_from_segment },
	{ MAP_ONE_BYTE, 0xff, 0x63, movsxd },
	{ MAP_ONE_BYTE, 0xfe, 0x86, xchg },
	{ MAP_ONE_BYTE, 0xc4, 0x00, emulate_arithmetic },
	{ MAP_ONE_BYTE, 0xfc, 0x80, emulate_group1 },
	{ MAP_ONE_BYTE, 0xfe, 0x84, emulate_test },
	{ MAP_ONE_BYTE, 0xfe, 0xf6, emulate_group3 },
	{ MAP_ONE_BYTE, 0xfe, 0xfe, emulate_group5 },
	{ MAP_ONE_BYTE, 0xfe, 0xc0, emulate_shift },
	{ MAP_ONE_BYTE, 0xfc, 0xd0, emulate_shift },
	{ MAP_ONE_BYTE, 0xfd, 0x69, emulate_imul_immediate },
	{ MAP_ONE_BYTE, 0xfe, 0xa4, emulate_movs },
	{ MAP_ONE_BYTE, 0xfe, 0xa6, emulate_cmps },
	{ MAP_ONE_BYTE, 0xfe, 0xaa, emulate_stos },
	{ MAP_ONE_BYTE, 0xfe, 0xac, emulate_lods },
	{ MAP_ONE_BYTE, 0xfe, 0xae, emulate_scas },
	{ MAP_0F, 0xfe, 0xb6, movzx },
	{ MAP_0F, 0xfe, 0xbe, movsx },
	{ MAP_0F, 0xff, 0xc3, movnti },
	{ MAP_0F, 0xfe, 0xb0, emulate_cmpxchg },
	{ MAP_0F, 0xfe, 0xc0, emulate_xadd },
	{ MAP_0F, 0xe7, 0xa3, emulate_bit_by_register },
	{ MAP_0F, 0xff, 0xba, emulate_bit_by_immediate },
	{ MAP_0F, 0xff, 0xaf, emulate_imul },
	{ MAP_0F, 0xf0, 0x40, cmov },
	{ MAP_0F, 0xf0, 0x90, setcc },
	{ MAP_0F38, 0xfe, 0xf0, movbe },
};

enum emulate_result insn_emulate(struct access *a, const struct insn *insn)
{
	if (insn->encoding != ENCODING_LEGACY)
		return EMULATE_UNSUPPORTED;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct emulate_row *row = &rows[i];

		if (insn->map == row->map && (insn->opcode & row->mask) == row->opcode)
			return row->function(a, insn);
	}
	return EMULATE_UNSUPPORTED;
}

unsigned insn_code_bits(struct vcpu *v)
{
	uint64_t rights = vmcs_read(v, VMCS_GUEST_CS_ACCESS_RIGHTS);

	if (vcpu_is_long(v) && (rights & AR_LONG))
		return 64;
	return rights & AR_DB ? 32 : 16;
}
