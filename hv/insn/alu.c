/*
 * alu.c: the arithmetic of emulated instructions. Checked against the processor's own by test/unit/alu_test.c.
 */
#include "insn/alu.h"

#define RESULT_FLAGS (RFLAGS_PF | RFLAGS_ZF | RFLAGS_SF)
#define ALL_FLAGS (RFLAGS_CF | RFLAGS_AF | RFLAGS_OF | RESULT_FLAGS)

static uint64_t sign_bit(unsigned size)
{
	return UINT64_C(1) << (8 * size - 1);
}

/* Zero, sign and parity of the low byte, which every operation sets. */
static uint64_t result_flags(unsigned size, uint64_t r)
{
	uint64_t flags = 0;

	if (r == 0)
		flags |= RFLAGS_ZF;
	if (r & sign_bit(size))
		flags |= RFLAGS_SF;
	if (!__builtin_parity((unsigned)r & 0xff))
		flags |= RFLAGS_PF;
	return flags;
}

static uint64_t add(unsigned size, uint64_t a, uint64_t b, uint64_t carry, uint64_t *flags)
{
	uint64_t r = (a + b + carry) & alu_mask(size), f = result_flags(size, r);
	/* The carry out of each bit, by how its inputs and its sum differ. */
	uint64_t carries = (a & b) | ((a | b) & ~r);

	if (carries & sign_bit(size))
		f |= RFLAGS_CF;
	if (carries & 8)
		f |= RFLAGS_AF;
	if ((a ^ r) & (b ^ r) & sign_bit(size))
		f |= RFLAGS_OF;
	*flags = (*flags & ~ALL_FLAGS) | f;
	return r;
}

static uint64_t subtract(unsigned size, uint64_t a, uint64_t b, uint64_t borrow, uint64_t *flags)
{
	uint64_t r = (a - b - borrow) & alu_mask(size), f = result_flags(size, r);
	uint64_t borrows = (~a & b) | ((~a | b) & r);

	if (borrows & sign_bit(size))
		f |= RFLAGS_CF;
	if (borrows & 8)
		f |= RFLAGS_AF;
	if ((a ^ b) & (a ^ r) & sign_bit(size))
		f |= RFLAGS_OF;
	*flags = (*flags & ~ALL_FLAGS) | f;
	return r;
}

/* AF is undefined after a logical operation; processors clear it. */
static uint64_t logic(unsigned size, uint64_t r, uint64_t *flags)
{
	*flags = (*flags & ~ALL_FLAGS) | result_flags(size, r);
	return r;
}

uint64_t alu_binary(enum alu_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *flags)
{
	uint64_t carry = *flags & RFLAGS_CF;

	a &= alu_mask(size);
	b &= alu_mask(size);
	switch (op) {
	case ALU_ADD: return add(size, a, b, 0, flags);
	case ALU_ADC: return add(size, a, b, carry, flags);
	case ALU_SUB: case ALU_CMP: return subtract(size, a, b, 0, flags);
	case ALU_SBB: return subtract(size, a, b, carry, flags);
	case ALU_OR: return logic(size, a | b, flags);
	case ALU_AND: return logic(size, a & b, flags);
	case ALU_XOR: return logic(size, a ^ b, flags);
	}
	return a;
}

/* SDM, "INC", "DEC": as ADD and SUB of 1, but CF stays. */
uint64_t alu_increment(unsigned size, uint64_t a, uint64_t *flags)
{
	uint64_t carry = *flags & RFLAGS_CF, r = add(size, a & alu_mask(size), 1, 0, flags);

	*flags = (*flags & ~RFLAGS_CF) | carry;
	return r;
}

uint64_t alu_decrement(unsigned size, uint64_t a, uint64_t *flags)
{
	uint64_t carry = *flags & RFLAGS_CF, r = subtract(size, a & alu_mask(size), 1, 0, flags);

	*flags = (*flags & ~RFLAGS_CF) | carry;
	return r;
}

uint64_t alu_negate(unsigned size, uint64_t a, uint64_t *flags)
{
	return subtract(size, 0, a & alu_mask(size), 0, flags);
}
