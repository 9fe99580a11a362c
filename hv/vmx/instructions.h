/*
 * instructions.h: the VMX instructions (SDM "VMX Instruction Reference"), one inline function each.
 *
 * Each gives false where the processor says VMfail. For hv/vmx only; what a failure means, the caller says:
 * it is a bug everywhere but in setup.c, which probes.
 */
#ifndef VMX_INSTRUCTIONS_H
#define VMX_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct invvpid_descriptor {
	uint64_t vpid;		/* bits 15:0; the rest must be zero */
	uint64_t linear;
};
_Static_assert(sizeof(struct invvpid_descriptor) == 16, "SDM: INVVPID descriptor");

/* CF = VMfailInvalid, ZF = VMfailValid: "above" is neither. */
#define VMX_OK "=@cca"

static inline bool vmx_vmxon(uint64_t region)
{
	bool ok;

	__asm__ volatile("vmxon %1" : VMX_OK(ok) : "m"(region) : "memory");
	return ok;
}

static inline bool vmx_vmclear(uint64_t region)
{
	bool ok;

	__asm__ volatile("vmclear %1" : VMX_OK(ok) : "m"(region) : "memory");
	return ok;
}

static inline bool vmx_vmptrld(uint64_t region)
{
	bool ok;

	__asm__ volatile("vmptrld %1" : VMX_OK(ok) : "m"(region) : "memory");
	return ok;
}

static inline bool vmx_vmread(uint64_t encoding, uint64_t *value)
{
	bool ok;

	__asm__ volatile("vmread %2, %1" : VMX_OK(ok), "=r"(*value) : "r"(encoding));
	return ok;
}

static inline bool vmx_vmwrite(uint64_t encoding, uint64_t value)
{
	bool ok;

	__asm__ volatile("vmwrite %1, %2" : VMX_OK(ok) : "r"(value), "r"(encoding) : "memory");
	return ok;
}

static inline bool vmx_invvpid(uint64_t type, uint16_t vpid, uint64_t linear)
{
	struct invvpid_descriptor d = { vpid, linear };
	bool ok;

	__asm__ volatile("invvpid %1, %2" : VMX_OK(ok) : "m"(d), "r"(type) : "memory");
	return ok;
}

#endif
