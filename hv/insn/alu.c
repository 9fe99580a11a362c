/*
 * alu.c: the arithmetic of emulated instructions. Checked against the processor's own by
 * test/unit/alu_test.c.
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

/* ---- Shifts and rotates: bit by bit, as the SDM defines them; they are rare, and counts are small ---- */

/* One step. *carry is CF before and after. */
static uint64_t shift_once(enum shift_op op, unsigned size, uint64_t a, uint64_t *carry)
{
	unsigned top = 8 * size - 1;
	uint64_t high = a >> top & 1, low = a & 1, old = *carry;

	switch (op) {
	case SHIFT_ROL: *carry = high; return a << 1 | high;
	case SHIFT_RCL: *carry = high; return a << 1 | old;
	case SHIFT_SHL: case SHIFT_SAL: *carry = high; return a << 1;
	case SHIFT_ROR: *carry = low; return a >> 1 | low << top;
	case SHIFT_RCR: *carry = low; return a >> 1 | old << top;
	case SHIFT_SHR: *carry = low; return a >> 1;
	case SHIFT_SAR: *carry = low; return a >> 1 | high << top;
	}
	return a;
}

/* OF is defined for a count of 1 alone; processors compute it alike for all. */
static bool shift_overflows(enum shift_op op, unsigned size, uint64_t r, uint64_t carry)
{
	uint64_t high = r >> (8 * size - 1) & 1, next = r >> (8 * size - 2) & 1;

	switch (op) {
	case SHIFT_ROL: case SHIFT_RCL: case SHIFT_SHL: case SHIFT_SAL: return high != carry;
	case SHIFT_SAR: return false;
	default: return high != next;
	}
}

uint64_t alu_shift(enum shift_op op, unsigned size, uint64_t a, unsigned count, uint64_t *flags)
{
	uint64_t carry = *flags & RFLAGS_CF, f = *flags, r = a & alu_mask(size);

	count &= size == 8 ? 63 : 31;
	if (count == 0)
		return r;
	for (unsigned i = 0; i < count; i++)
		r = shift_once(op, size, r, &carry) & alu_mask(size);
	f &= ~(RFLAGS_CF | RFLAGS_OF);
	if (op >= SHIFT_SHL)	/* rotates leave the others */
		f = (f & ~(RESULT_FLAGS | RFLAGS_AF)) | result_flags(size, r);
	if (carry)
		f |= RFLAGS_CF;
	if (shift_overflows(op, size, r, carry))
		f |= RFLAGS_OF;
	*flags = f;
	return r;
}

static int64_t to_signed(unsigned size, uint64_t a)
{
	unsigned unused = 64 - 8 * size;

	return (int64_t)(a << unused) >> unused;
}

uint64_t alu_multiply(unsigned size, bool is_signed, uint64_t a, uint64_t b, uint64_t *high, uint64_t *flags)
{
	unsigned bits = 8 * size;
	unsigned __int128 product;
	uint64_t low;
	bool overflow;

	if (is_signed)
		product = (unsigned __int128)((__int128)to_signed(size, a) * to_signed(size, b));
	else
		product = (unsigned __int128)(a & alu_mask(size)) * (b & alu_mask(size));
	low = (uint64_t)product & alu_mask(size);
	*high = (uint64_t)(product >> bits) & alu_mask(size);
	overflow = is_signed ? *high != ((uint64_t)(to_signed(size, low) >> 63) & alu_mask(size)) :
		*high != 0;
	/* The other flags are undefined; they are set by the low half, as processors do. */
	*flags = (*flags & ~ALL_FLAGS) | result_flags(size, low) | (overflow ? RFLAGS_CF | RFLAGS_OF : 0);
	return low;
}
