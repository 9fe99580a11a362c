/*
 * emulate.c: the instruction emulator: a row an opcode, a function a kind of instruction.
 *
 * Called by the handler of EPT violations. Each function reads its operands, and writes its result only when nothing
 * can fault any more, so that a fault leaves the vCPU as it was. String instructions are emulate_string.c.
 */
#include "insn/emulate.h"
#include "exit/mode.h"
#include "insn/alu.h"
#include "insn/emulate_string.h"
#include "insn/operand.h"

typedef enum emulate_result emulate_function(struct access *a, const struct insn *insn);

/* Most opcodes come in pairs: bytes if bit 0 is clear. */
static unsigned operand_size(const struct insn *insn)
{
	return insn->opcode & 1 ? insn->operand_size : 1;
}

static enum emulate_result done(bool ok)
{
	return ok ? EMULATE_DONE : EMULATE_FAULT;
}

/* ---- Moves ---- */

static enum emulate_result mov_to_rm(struct access *a, const struct insn *insn)
{
	unsigned size = operand_size(insn);

	return done(operand_rm_write(a, insn, size, operand_reg_read(a->v, insn, insn->reg, size)));
}

static enum emulate_result mov_from_rm(struct access *a, const struct insn *insn)
{
	unsigned size = operand_size(insn);
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
	return done(operand_rm_write(a, insn, operand_size(insn), insn->immediate));
}

static enum emulate_result mov_accumulator(struct access *a, const struct insn *insn)
{
	unsigned size = operand_size(insn);
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

static uint64_t sign_extend(uint64_t value, unsigned size)
{
	unsigned unused = 64 - 8 * size;

	return (uint64_t)((int64_t)(value << unused) >> unused);
}

static enum emulate_result extend(struct access *a, const struct insn *insn, unsigned size, bool is_signed)
{
	uint64_t value;

	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	operand_reg_write(a->v, insn, insn->reg, insn->operand_size, is_signed ? sign_extend(value, size) : value);
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
	unsigned size = operand_size(insn);
	uint64_t value;

	if (!operand_rm_read(a, insn, size, ACCESS_WRITE, &value) ||
	    !operand_rm_write(a, insn, size, operand_reg_read(a->v, insn, insn->reg, size)))
		return EMULATE_FAULT;
	operand_reg_write(a->v, insn, insn->reg, size, value);
	return EMULATE_DONE;
}

/* ---- Arithmetic ---- */

static void flags_write(struct vcpu *v, uint64_t flags)
{
	vmcs_write(v, VMCS_GUEST_RFLAGS, flags);
}

/* rm = rm op b, or for CMP only the flags. */
static enum emulate_result modify_rm(struct access *a, const struct insn *insn, enum alu_op op, unsigned size, uint64_t b)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value, result;

	if (!operand_rm_read(a, insn, size, op == ALU_CMP ? ACCESS_READ : ACCESS_WRITE, &value))
		return EMULATE_FAULT;
	result = alu_binary(op, size, value, b, &flags);
	if (op != ALU_CMP && !operand_rm_write(a, insn, size, result))
		return EMULATE_FAULT;
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

/* 00 to 3b: the operation is in bits 5:3, the direction in bit 1. */
static enum emulate_result arithmetic(struct access *a, const struct insn *insn)
{
	enum alu_op op = insn->opcode >> 3 & 7;
	unsigned size = operand_size(insn);
	uint64_t reg = operand_reg_read(a->v, insn, insn->reg, size), flags, value;

	if (!(insn->opcode & 2))
		return modify_rm(a, insn, op, size, reg);
	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS);
	value = alu_binary(op, size, reg, value, &flags);
	if (op != ALU_CMP)
		operand_reg_write(a->v, insn, insn->reg, size, value);
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

static enum emulate_result group1(struct access *a, const struct insn *insn)
{
	return modify_rm(a, insn, insn->reg & 7, operand_size(insn), insn->immediate);
}

static enum emulate_result test_with(struct access *a, const struct insn *insn, unsigned size, uint64_t b)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value;

	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	alu_binary(ALU_AND, size, value, b, &flags);
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

static enum emulate_result test(struct access *a, const struct insn *insn)
{
	unsigned size = operand_size(insn);

	return test_with(a, insn, size, operand_reg_read(a->v, insn, insn->reg, size));
}

/* F6, F7: TEST, NOT, NEG. MUL and DIV of a device's register: nobody does that. */
static enum emulate_result group3(struct access *a, const struct insn *insn)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value;
	unsigned size = operand_size(insn), op = insn->reg & 7;

	if (op < 2)
		return test_with(a, insn, size, insn->immediate);
	if (op > 3)
		return EMULATE_UNSUPPORTED;
	if (!operand_rm_read(a, insn, size, ACCESS_WRITE, &value))
		return EMULATE_FAULT;
	value = op == 2 ? ~value & alu_mask(size) : alu_negate(size, value, &flags);
	if (!operand_rm_write(a, insn, size, value))
		return EMULATE_FAULT;
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

static enum emulate_result push_rm(struct access *a, const struct insn *insn)
{
	struct vcpu *v = a->v;
	bool long_mode = vcpu_is_64bit(v);
	unsigned size = long_mode && insn->operand_size != 2 ? 8 : insn->operand_size;
	uint64_t mask = long_mode ? UINT64_MAX :
			vmcs_read(v, VMCS_GUEST_SS_ACCESS_RIGHTS) & AR_DB ? UINT32_MAX : 0xffff;
	uint64_t rsp = gpr_read(v, GPR_RSP), top = (rsp - size) & mask, value;

	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value) || !operand_store(a, SEG_SS, top, size, value))
		return EMULATE_FAULT;
	gpr_write(v, GPR_RSP, (rsp & ~mask) | top);
	return EMULATE_DONE;
}

/* FE, FF: INC, DEC; FF also PUSH. Branches through a device's register are not for us. */
static enum emulate_result group5(struct access *a, const struct insn *insn)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value;
	unsigned size = operand_size(insn), op = insn->reg & 7;

	if (op == 6 && insn->opcode == 0xff)
		return push_rm(a, insn);
	if (op > 1)
		return EMULATE_UNSUPPORTED;
	if (!operand_rm_read(a, insn, size, ACCESS_WRITE, &value))
		return EMULATE_FAULT;
	value = op == 0 ? alu_increment(size, value, &flags) : alu_decrement(size, value, &flags);
	if (!operand_rm_write(a, insn, size, value))
		return EMULATE_FAULT;
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

static enum emulate_result cmpxchg(struct access *a, const struct insn *insn)
{
	unsigned size = operand_size(insn);
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value;
	uint64_t expected = operand_reg_read(a->v, insn, GPR_RAX, size);
	bool equal;

	if (!operand_rm_read(a, insn, size, ACCESS_WRITE, &value))
		return EMULATE_FAULT;
	alu_binary(ALU_CMP, size, expected, value, &flags);
	equal = value == expected;
	/* SDM, "CMPXCHG": the destination is written in either case. */
	if (!operand_rm_write(a, insn, size, equal ? operand_reg_read(a->v, insn, insn->reg, size) : value))
		return EMULATE_FAULT;
	if (!equal)
		operand_reg_write(a->v, insn, GPR_RAX, size, value);
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

static enum emulate_result xadd(struct access *a, const struct insn *insn)
{
	unsigned size = operand_size(insn);
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value;
	uint64_t sum;

	if (!operand_rm_read(a, insn, size, ACCESS_WRITE, &value))
		return EMULATE_FAULT;
	sum = alu_binary(ALU_ADD, size, value, operand_reg_read(a->v, insn, insn->reg, size), &flags);
	if (!operand_rm_write(a, insn, size, sum))
		return EMULATE_FAULT;
	operand_reg_write(a->v, insn, insn->reg, size, value);
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

/* ---- Bits ---- */

/* BT, BTS, BTR, BTC are 0 to 3: bits 4:3 of the opcode, or of group 8's reg field less 4. */
static enum emulate_result bit_operation(struct access *a, const struct insn *insn, unsigned op, uint64_t offset,
					 unsigned bit)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value, mask = UINT64_C(1) << bit;
	unsigned size = insn->operand_size;

	if (!operand_load(a, insn->segment, offset, size, op ? ACCESS_WRITE : ACCESS_READ, &value))
		return EMULATE_FAULT;
	flags = value & mask ? flags | RFLAGS_CF : flags & ~RFLAGS_CF;
	value = op == 1 ? value | mask : op == 2 ? value & ~mask : value ^ mask;
	if (op && !operand_store(a, insn->segment, offset, size, value))
		return EMULATE_FAULT;
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

/* SDM, "BT": with a register, the bit may lie anywhere before or after the operand's address. */
static enum emulate_result bit_by_register(struct access *a, const struct insn *insn)
{
	unsigned size = insn->operand_size, bits = 8 * size;
	int64_t index = (int64_t)sign_extend(operand_reg_read(a->v, insn, insn->reg, size), size);
	uint64_t offset = operand_offset(a->v, insn) + (uint64_t)(index >> (size == 8 ? 6 : size == 4 ? 5 : 4)) * size;

	if (!insn->memory)
		return EMULATE_UNSUPPORTED;
	return bit_operation(a, insn, insn->opcode >> 3 & 3, offset & alu_mask(insn->address_size),
			     (uint64_t)index % bits);
}

static enum emulate_result bit_by_immediate(struct access *a, const struct insn *insn)
{
	if (!insn->memory || (insn->reg & 7) < 4)
		return EMULATE_UNSUPPORTED;
	return bit_operation(a, insn, insn->reg & 3, operand_offset(a->v, insn),
			     insn->immediate % (8u * insn->operand_size));
}

/* ---- Conditions ---- */

/* SDM, appendix "EFLAGS Condition Codes" */
static bool condition(uint64_t flags, unsigned code)
{
	bool c = flags & RFLAGS_CF, z = flags & RFLAGS_ZF, less = !(flags & RFLAGS_SF) != !(flags & RFLAGS_OF);
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

/* CMOVcc reads its operand even if it doesn't move it, and then clears the upper half of a 32-bit destination. */
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
	return done(operand_rm_write(a, insn, 1, condition(vmcs_read(a->v, VMCS_GUEST_RFLAGS), insn->opcode & 15)));
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
	{ MAP_ONE_BYTE, 0xc4, 0x00, arithmetic },
	{ MAP_ONE_BYTE, 0xfc, 0x80, group1 },
	{ MAP_ONE_BYTE, 0xfe, 0x84, test },
	{ MAP_ONE_BYTE, 0xfe, 0xf6, group3 },
	{ MAP_ONE_BYTE, 0xfe, 0xfe, group5 },
	{ MAP_ONE_BYTE, 0xfe, 0xa4, emulate_movs },
	{ MAP_ONE_BYTE, 0xfe, 0xa6, emulate_cmps },
	{ MAP_ONE_BYTE, 0xfe, 0xaa, emulate_stos },
	{ MAP_ONE_BYTE, 0xfe, 0xac, emulate_lods },
	{ MAP_ONE_BYTE, 0xfe, 0xae, emulate_scas },
	{ MAP_0F, 0xfe, 0xb6, movzx },
	{ MAP_0F, 0xfe, 0xbe, movsx },
	{ MAP_0F, 0xff, 0xc3, movnti },
	{ MAP_0F, 0xfe, 0xb0, cmpxchg },
	{ MAP_0F, 0xfe, 0xc0, xadd },
	{ MAP_0F, 0xe7, 0xa3, bit_by_register },
	{ MAP_0F, 0xff, 0xba, bit_by_immediate },
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
