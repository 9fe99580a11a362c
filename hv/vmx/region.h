/* region.h: VMX operation, and the VMCS regions with their states. */
#ifndef VMX_REGION_H
#define VMX_REGION_H

#include <stdint.h>
#include <stdnoreturn.h>

#include "vmx/instructions.h"
#include "vmx/vmx.h"

/* entry.S; backend.h calls the one that vmx_cpu's `enter` is. */
void vmx_launch(void);
void vmx_resume(void);

/* Makes CR0 and CR4 what VMX wants, and executes VMXON. */
void region_vmxon(const struct capability *c);

/* Gives the vCPU a VMCS region, in state clear. */
void region_allocate(struct vmx_cpu *c, const struct capability *capability);

/* Makes this vCPU's VMCS the current one. */
void region_load(struct vmx_cpu *c);

/* After a VM exit: the VMCS is launched, and the next entry is VMRESUME. */
void region_launched(struct vmx_cpu *c);

static inline void region_make_current(struct vmx_cpu *c)
{
	if (__builtin_expect(c->vmx->current != c, 0))
		region_load(c);
}

/*
 * VMREAD and VMWRITE of the current VMCS; a failure is a panic that names the field and the VM-instruction
 * error.
 */
noreturn void region_failed(const struct vmx_cpu *c, const char *what, enum vmcs_slot slot);

static inline uint64_t region_read(const struct vmx_cpu *c, enum vmcs_slot slot)
{
	uint64_t value;

	if (__builtin_expect(!vmx_vmread(vmcs_fields[slot].encoding, &value), 0))
		region_failed(c, "VMREAD", slot);
	return value;
}

static inline void region_write(const struct vmx_cpu *c, enum vmcs_slot slot, uint64_t value)
{
	if (__builtin_expect(!vmx_vmwrite(vmcs_fields[slot].encoding, value), 0))
		region_failed(c, "VMWRITE", slot);
}

#endif
