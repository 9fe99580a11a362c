/*
 * operand.c: reading and writing an instruction's operands.
 *
 * Called by emulate.c and emulate_string.c. Checks and faults are linear.c's.
 */
#include "insn/operand.h"
#include "exit/mode.h"
#include "insn/alu.h"

static bool is_high_byte(const struct insn *insn, unsigned reg, unsigned size)
{
	return size == 1 && !insn->rex && reg >= 4 && reg < 8;
}

uint64_t operand_reg_read(struct vcpu *v, const struct insn *insn, unsigned reg, unsigned size)
{
	if (is_high_byte(insn, reg, size))
		return gpr_read(v, reg - 4) >> 8 & 0xff;
	return gpr_read(v, reg) & alu_mask(size);
}

void operand_reg_write(struct vcpu *v, const struct insn *insn, unsigned reg, unsigned size, uint64_t value)
{
	uint64_t mask = alu_mask(size);

	if (is_high_byte(insn, reg, size))
		gpr_write(v, reg - 4, (gpr_read(v, reg - 4) & ~UINT64_C(0xff00)) | (value & 0xff) << 8);
	else if (size >= 4)
		gpr_write(v, reg, value & mask);
	else
		gpr_write(v, reg, (gpr_read(v, reg) & ~mask) | (value & mask));
}

uint64_t operand_offset(struct vcpu *v, const struct insn *insn)
{
	uint64_t offset = (uint64_t)insn->displacement;

	if (insn->base != INSN_NO_REG)
		offset += gpr_read(v, insn->base);
	if (insn->index != INSN_NO_REG)
		offset += gpr_read(v, insn->index) << insn->scale;
	if (insn->rip_relative)
		offset += vmcs_read(v, VMCS_GUEST_RIP) + insn->length;
	return offset & alu_mask(insn->address_size);
}

bool operand_load(struct access *a, enum segment seg, uint64_t offset, unsigned size, uint32_t access,
		  uint64_t *value)
{
	uint64_t linear;

	access |= walk_privilege(a->v);
	*value = 0;
	return linear_address(a, seg, offset, size, access, &linear) &&
	       linear_read(a, linear, value, size, access);
}

bool operand_store(struct access *a, enum segment seg, uint64_t offset, unsigned size, uint64_t value)
{
	uint32_t access = ACCESS_WRITE | walk_privilege(a->v);
	uint64_t linear;

	return linear_address(a, seg, offset, size, access, &linear) &&
	       linear_write(a, linear, &value, size, access);
}

bool operand_rm_read(struct access *a, const struct insn *insn, unsigned size, uint32_t access,
		     uint64_t *value)
{
	if (insn->memory)
		return operand_load(a, insn->segment, operand_offset(a->v, insn), size, access, value);
	*value = operand_reg_read(a->v, insn, insn->rm, size);
	return true;
}

bool operand_rm_write(struct access *a, const struct insn *insn, unsigned size, uint64_t value)
{
	if (insn->memory)
		return operand_store(a, insn->segment, operand_offset(a->v, insn), size, value);
	operand_reg_write(a->v, insn, insn->rm, size, value);
	return true;
}
