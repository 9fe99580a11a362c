/*
 * mtrr.c: which MSRs are MTRRs, and what may be written to them (SDM, "Memory Type Range Registers (MTRRs)").
 *
 * Called by msr.c.
 */
#include <stddef.h>

#include "dev/vm_state.h"
#include "exit/mtrr.h"

#define VARIABLE_FIRST	0x200
#define VARIABLE_LAST	0x20f
#define FIX64K		0x250
#define FIX16K_FIRST	0x258
#define FIX16K_LAST	0x259
#define FIX4K_FIRST	0x268
#define FIX4K_LAST	0x26f
#define DEF_TYPE	0x2ff
#define DEF_TYPE_WRITABLE 0xcff	/* E, FE, type */
#define MASK_VALID	0x800

uint64_t *mtrr_register(struct vm_cpu *cpu, uint32_t msr)
{
	switch (msr) {
	case VARIABLE_FIRST ... VARIABLE_LAST: return &cpu->mtrr_var[msr - VARIABLE_FIRST];
	case FIX64K: return &cpu->mtrr_fixed[0];
	case FIX16K_FIRST ... FIX16K_LAST: return &cpu->mtrr_fixed[1 + msr - FIX16K_FIRST];
	case FIX4K_FIRST ... FIX4K_LAST: return &cpu->mtrr_fixed[3 + msr - FIX4K_FIRST];
	default: return NULL;
	}
}

/* UC, WC, WT, WP, WB */
static bool is_type(uint8_t type)
{
	return type < 7 && type != 2 && type != 3;
}

/* SDM, "Page Attribute Table (PAT)": an MTRR's types, and 7: UC-. */
bool pat_is_valid(uint64_t value)
{
	for (unsigned i = 0; i < 8; i++, value >>= 8) {
		if (!is_type(value & 0xff) && (value & 0xff) != 7)
			return false;
	}
	return true;
}

bool mtrr_is_valid(const struct vm_config *config, uint32_t msr, uint64_t value)
{
	uint64_t beyond = ~vm_phys_mask(config);

	if (msr == DEF_TYPE)
		return !(value & ~(uint64_t)DEF_TYPE_WRITABLE) && is_type(value & 0xff);
	if (msr > VARIABLE_LAST) {
		for (unsigned i = 0; i < 8; i++) {
			if (!is_type(value >> 8 * i & 0xff))
				return false;
		}
		return true;
	}
	/* Even: base and type in bits 7:0. Odd: mask and the valid bit. */
	if (msr & 1)
		return !(value & (beyond | (0xfff & ~MASK_VALID)));
	return !(value & (beyond | 0xf00)) && is_type(value & 0xff);
}
