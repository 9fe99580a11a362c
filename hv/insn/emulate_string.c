/*
 * emulate_string.c: MOVS, CMPS, STOS, LODS, SCAS, with REP, REPE, REPNE (SDM, "String Instructions").
 *
 * Called through emulate.c's table. An exit does a bounded number of iterations; the instruction runs again
 * for the rest, and interrupts are taken between. A fault leaves the iterations before it done, as the SDM
 * has it.
 */
#include "insn/emulate_string.h"
#include "exit/mode.h"
#include "insn/alu.h"
#include "insn/operand.h"

#define ITERATIONS 64	/* in one exit, at most */

struct string {
	unsigned size;
	uint64_t mask;		/* of the address size */
	int64_t step;		/* bytes that an index moves: negative with DF */
};

/* One iteration. false: a->fault. */
typedef bool iteration(struct access *a, const struct insn *insn, const struct string *s);

static uint64_t index_read(struct vcpu *v, enum gpr reg, const struct string *s)
{
	return gpr_read(v, reg) & s->mask;
}

/* An index or counter of 16 bits leaves the rest of its register, one of 32 clears the upper half. */
static void index_add(struct vcpu *v, enum gpr reg, const struct string *s, int64_t amount)
{
	uint64_t old = gpr_read(v, reg), kept = s->mask == 0xffff ? old & ~s->mask : 0;

	gpr_write(v, reg, kept | ((old + (uint64_t)amount) & s->mask));
}

/* SDM, "REP/REPE/REPZ/REPNE/REPNZ": RCX counts down; CMPS and SCAS also end by ZF. */
static enum emulate_result repeat(struct access *a, const struct insn *insn, iteration *once, bool by_zf)
{
	struct vcpu *v = a->v;
	bool down = vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_DF;
	struct string s = {
		.size = insn->opcode & 1 ? insn->operand_size : 1,
		.mask = alu_mask(insn->address_size),
	};
	bool single = vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_TF;

	s.step = down ? -(int64_t)s.size : (int64_t)s.size;
	if (!insn->rep)
		return once(a, insn, &s) ? EMULATE_DONE : EMULATE_FAULT;
	for (unsigned i = 0; index_read(v, GPR_RCX, &s) != 0; i++) {
		if (i == ITERATIONS || (single && i == 1))
			return EMULATE_AGAIN;
		if (!once(a, insn, &s))
			return EMULATE_FAULT;
		index_add(v, GPR_RCX, &s, -1);
		if (by_zf && !(vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_ZF) == (insn->rep == 0xf3))
			break;
	}
	return EMULATE_DONE;
}

static bool movs(struct access *a, const struct insn *insn, const struct string *s)
{
	uint64_t value;

	if (!operand_load(a, insn->segment, index_read(a->v, GPR_RSI, s), s->size, ACCESS_READ, &value) ||
	    !operand_store(a, SEG_ES, index_read(a->v, GPR_RDI, s), s->size, value))
		return false;
	index_add(a->v, GPR_RSI, s, s->step);
	index_add(a->v, GPR_RDI, s, s->step);
	return true;
}

static bool stos(struct access *a, const struct insn *insn, const struct string *s)
{
	uint64_t value = operand_reg_read(a->v, insn, GPR_RAX, s->size);

	if (!operand_store(a, SEG_ES, index_read(a->v, GPR_RDI, s), s->size, value))
		return false;
	index_add(a->v, GPR_RDI, s, s->step);
	return true;
}

static bool lods(struct access *a, const struct insn *insn, const struct string *s)
{
	uint64_t value;

	if (!operand_load(a, insn->segment, index_read(a->v, GPR_RSI, s), s->size, ACCESS_READ, &value))
		return false;
	operand_reg_write(a->v, insn, GPR_RAX, s->size, value);
	index_add(a->v, GPR_RSI, s, s->step);
	return true;
}

static void compare(struct vcpu *v, unsigned size, uint64_t x, uint64_t y)
{
	uint64_t flags = vmcs_read(v, VMCS_GUEST_RFLAGS);

	alu_binary(ALU_CMP, size, x, y, &flags);
	vmcs_write(v, VMCS_GUEST_RFLAGS, flags);
}

static bool cmps(struct access *a, const struct insn *insn, const struct string *s)
{
	uint64_t x, y;

	if (!operand_load(a, insn->segment, index_read(a->v, GPR_RSI, s), s->size, ACCESS_READ, &x) ||
	    !operand_load(a, SEG_ES, index_read(a->v, GPR_RDI, s), s->size, ACCESS_READ, &y))
		return false;
	compare(a->v, s->size, x, y);
	index_add(a->v, GPR_RSI, s, s->step);
	index_add(a->v, GPR_RDI, s, s->step);
	return true;
}

static bool scas(struct access *a, const struct insn *insn, const struct string *s)
{
	uint64_t y;

	if (!operand_load(a, SEG_ES, index_read(a->v, GPR_RDI, s), s->size, ACCESS_READ, &y))
		return false;
	compare(a->v, s->size, operand_reg_read(a->v, insn, GPR_RAX, s->size), y);
	index_add(a->v, GPR_RDI, s, s->step);
	return true;
}

enum emulate_result emulate_movs(struct access *a, const struct insn *insn)
{
	return repeat(a, insn, movs, false);
}

enum emulate_result emulate_cmps(struct access *a, const struct insn *insn)
{
	return repeat(a, insn, cmps, true);
}

enum emulate_result emulate_stos(struct access *a, const struct insn *insn)
{
	return repeat(a, insn, stos, false);
}

enum emulate_result emulate_lods(struct access *a, const struct insn *insn)
{
	return repeat(a, insn, lods, false);
}

enum emulate_result emulate_scas(struct access *a, const struct insn *insn)
{
	return repeat(a, insn, scas, true);
}
