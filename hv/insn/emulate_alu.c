/*
 * emulate_alu.c: instructions that compute: arithmetic, logic, shifts, multiplication, bits,
 * compare-and-exchange.
 *
 * Called through emulate.c's table. Results and flags are alu.c's; here are the operands.
 */
#include "exit/mode.h"
#include "insn/alu.h"
#include "insn/emulate_alu.h"
#include "insn/operand.h"

static void flags_write(struct vcpu *v, uint64_t flags)
{
	vmcs_write(v, VMCS_GUEST_RFLAGS, flags);
}

/* rm = rm op b, or for CMP only the flags. */
static enum emulate_result modify_rm(struct access *a, const struct insn *insn, enum alu_op op,
				     unsigned size, uint64_t b)
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
enum emulate_result emulate_arithmetic(struct access *a, const struct insn *insn)
{
	enum alu_op op = insn->opcode >> 3 & 7;
	unsigned size = insn_operand_size(insn);
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

enum emulate_result emulate_group1(struct access *a, const struct insn *insn)
{
	return modify_rm(a, insn, insn->reg & 7, insn_operand_size(insn), insn->immediate);
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

enum emulate_result emulate_test(struct access *a, const struct insn *insn)
{
	unsigned size = insn_operand_size(insn);

	return test_with(a, insn, size, operand_reg_read(a->v, insn, insn->reg, size));
}

/* SDM, "MUL", "IMUL": AX, or RDX:RAX of the operand's size. CF and OF say that the upper half counts. */
static enum emulate_result multiply(struct access *a, const struct insn *insn, unsigned size, bool is_signed)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value, low, high;

	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	low = operand_reg_read(a->v, insn, GPR_RAX, size);
	low = alu_multiply(size, is_signed, low, value, &high, &flags);
	if (size == 1) {
		operand_reg_write(a->v, insn, GPR_RAX, 2, low | high << 8);
	} else {
		operand_reg_write(a->v, insn, GPR_RAX, size, low);
		operand_reg_write(a->v, insn, GPR_RDX, size, high);
	}
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

/* F6, F7: TEST, NOT, NEG, MUL, IMUL. A division by a device's register: nobody does that. */
enum emulate_result emulate_group3(struct access *a, const struct insn *insn)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value;
	unsigned size = insn_operand_size(insn), op = insn->reg & 7;

	if (op < 2)
		return test_with(a, insn, size, insn->immediate);
	if (op > 5)
		return EMULATE_UNSUPPORTED;
	if (op > 3)
		return multiply(a, insn, size, op == 5);
	if (!operand_rm_read(a, insn, size, ACCESS_WRITE, &value))
		return EMULATE_FAULT;
	value = op == 2 ? ~value & alu_mask(size) : alu_negate(size, value, &flags);
	if (!operand_rm_write(a, insn, size, value))
		return EMULATE_FAULT;
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

/* IMUL with two or three operands: the product, cut to the operand's size. */
static enum emulate_result imul_with(struct access *a, const struct insn *insn, bool by_immediate)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value, high, factor;
	unsigned size = insn->operand_size;

	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value))
		return EMULATE_FAULT;
	factor = by_immediate ? insn->immediate & alu_mask(size) :
				operand_reg_read(a->v, insn, insn->reg, size);
	operand_reg_write(a->v, insn, insn->reg, size,
			  alu_multiply(size, true, value, factor, &high, &flags));
	flags_write(a->v, flags);
	return EMULATE_DONE;
}

enum emulate_result emulate_imul(struct access *a, const struct insn *insn)
{
	return imul_with(a, insn, false);
}

enum emulate_result emulate_imul_immediate(struct access *a, const struct insn *insn)
{
	return imul_with(a, insn, true);
}

/* C0, C1: by an immediate; D0, D1: by one; D2, D3: by CL. */
enum emulate_result emulate_shift(struct access *a, const struct insn *insn)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value;
	unsigned size = insn_operand_size(insn);
	unsigned count = insn->opcode < 0xd0 ? insn->immediate & 0xff :
			 insn->opcode & 2 ? gpr_read(a->v, GPR_RCX) & 0xff : 1;

	if (!operand_rm_read(a, insn, size, ACCESS_WRITE, &value))
		return EMULATE_FAULT;
	value = alu_shift(insn->reg & 7, size, value, count, &flags);
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

	if (!operand_rm_read(a, insn, size, ACCESS_READ, &value) ||
	    !operand_store(a, SEG_SS, top, size, value))
		return EMULATE_FAULT;
	gpr_write(v, GPR_RSP, (rsp & ~mask) | top);
	return EMULATE_DONE;
}

/* FE, FF: INC, DEC; FF also PUSH. Branches through a device's register are not for us. */
enum emulate_result emulate_group5(struct access *a, const struct insn *insn)
{
	uint64_t flags = vmcs_read(a->v, VMCS_GUEST_RFLAGS), value;
	unsigned size = insn_operand_size(insn), op = insn->reg & 7;

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

enum emulate_result emulate_cmpxchg(struct access *a, const struct insn *insn)
{
	unsigned size = insn_operand_size(insn);
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

enum emulate_result emulate_xadd(struct access *a, const struct insn *insn)
{
	unsigned size = insn_operand_size(insn);
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
static enum emulate_result bit_operation(struct access *a, const struct insn *insn, unsigned op,
					 uint64_t offset, unsigned bit)
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
enum emulate_result emulate_bit_by_register(struct access *a, const struct insn *insn)
{
	unsigned size = insn->operand_size, bits = 8 * size;
	int64_t index = (int64_t)sign_extend(operand_reg_read(a->v, insn, insn->reg, size), size);
	unsigned shift = size == 8 ? 6 : size == 4 ? 5 : 4;
	uint64_t offset = operand_offset(a->v, insn) + (uint64_t)(index >> shift) * size;

	if (!insn->memory)
		return EMULATE_UNSUPPORTED;
	return bit_operation(a, insn, insn->opcode >> 3 & 3, offset & alu_mask(insn->address_size),
			     (uint64_t)index % bits);
}

enum emulate_result emulate_bit_by_immediate(struct access *a, const struct insn *insn)
{
	if (!insn->memory || (insn->reg & 7) < 4)
		return EMULATE_UNSUPPORTED;
	return bit_operation(a, insn, insn->reg & 3, operand_offset(a->v, insn),
			     insn->immediate % (8u * insn->operand_size));
}
