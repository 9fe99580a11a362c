/*
 * mode.h: which mode a vCPU is in, as handlers ask for it. Reads VMCS fields alone.
 */
#ifndef VEXIT_EXIT_MODE_H
#define VEXIT_EXIT_MODE_H

#include "exit/arch.h"
#include "vcpu.h"

/*
 * What the guest believes CR0 to be: bits of the mask come from the shadow (SDM, "Guest/Host Masks and Read
 * Shadows").
 */
static inline uint64_t vcpu_cr0(struct vcpu *v)
{
	uint64_t mask = vmcs_read(v, VMCS_CR0_MASK);

	return (vmcs_read(v, VMCS_GUEST_CR0) & ~mask) | (vmcs_read(v, VMCS_CR0_READ_SHADOW) & mask);
}

static inline uint64_t vcpu_cr4(struct vcpu *v)
{
	uint64_t mask = vmcs_read(v, VMCS_CR4_MASK);

	return (vmcs_read(v, VMCS_GUEST_CR4) & ~mask) | (vmcs_read(v, VMCS_CR4_READ_SHADOW) & mask);
}

static inline bool vcpu_is_long(struct vcpu *v)
{
	return vmcs_read(v, VMCS_GUEST_EFER) & EFER_LMA;
}

/* 64-bit mode proper, not compatibility mode. */
static inline bool vcpu_is_64bit(struct vcpu *v)
{
	return vcpu_is_long(v) && (vmcs_read(v, VMCS_GUEST_CS_ACCESS_RIGHTS) & AR_LONG);
}

static inline bool vcpu_is_protected(struct vcpu *v)
{
	return vmcs_read(v, VMCS_GUEST_CR0) & CR0_PE;
}

static inline bool vcpu_is_virtual_8086(struct vcpu *v)
{
	return vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_VM;
}

/* SDM, "Guest Register State": SS's DPL is always the CPL. */
static inline unsigned vcpu_cpl(struct vcpu *v)
{
	return (vmcs_read(v, VMCS_GUEST_SS_ACCESS_RIGHTS) & AR_DPL) >> 5;
}

/* SDM, "Canonical Addressing" */
static inline bool is_canonical(struct vcpu *v, uint64_t linear)
{
	unsigned unused;

	if (__builtin_expect(linear >> 47 == 0, 1))
		return true;
	unused = vcpu_cr4(v) & CR4_LA57 ? 64 - 57 : 64 - 48;
	return (uint64_t)((int64_t)(linear << unused) >> unused) == linear;
}

/* A register as an operand of a system instruction: 64 bits in 64-bit mode, otherwise 32. */
static inline uint64_t vcpu_reg_operand(struct vcpu *v, enum gpr reg)
{
	uint64_t value = gpr_read(v, reg);

	return vcpu_is_64bit(v) ? value : (uint32_t)value;
}

/* RAX, RCX, RDX, RBX at once, as CPUID writes them: their numbers are 0 to 3. */
static inline void gpr_write_quad(struct vcpu *v, uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t rbx)
{
	if (__builtin_expect(v->gpr_dirty & 15, 0)) {
		gpr_write(v, GPR_RAX, rax);
		gpr_write(v, GPR_RCX, rcx);
		gpr_write(v, GPR_RDX, rdx);
		gpr_write(v, GPR_RBX, rbx);
		return;
	}
	v->gpr_dirty |= 15;
	for (unsigned i = 0; i < 4; i++)
		v->gpr_before[i] = v->gpr[i];
	v->gpr[GPR_RAX] = rax;
	v->gpr[GPR_RCX] = rcx;
	v->gpr[GPR_RDX] = rdx;
	v->gpr[GPR_RBX] = rbx;
}

/* EDX:EAX */
static inline uint64_t vcpu_edx_eax(struct vcpu *v)
{
	return gpr_read(v, GPR_RDX) << 32 | (uint32_t)gpr_read(v, GPR_RAX);
}

#endif
