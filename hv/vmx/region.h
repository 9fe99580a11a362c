/* region.h: VMX operation, and the VMCS regions with their states. */
#ifndef VMX_REGION_H
#define VMX_REGION_H

#include <stdint.h>

#include "include/vmcs.h"

struct capability;
struct vmx_cpu;

/* Makes CR0 and CR4 what VMX wants, and executes VMXON. */
void region_vmxon(const struct capability *c);

/* Gives the vCPU a VMCS region, in state clear. */
void region_allocate(struct vmx_cpu *c, const struct capability *capability);

/* Makes this vCPU's VMCS the current one; nothing to do if it is. */
void region_make_current(struct vmx_cpu *c);

/* After a VM entry that worked: the next one is VMRESUME. */
void region_entered(struct vmx_cpu *c);

/* VMREAD and VMWRITE of the current VMCS; a failure is a panic that names the field and the VM-instruction error. */
uint64_t region_read(struct vmx_cpu *c, enum vmcs_slot slot);
void region_write(struct vmx_cpu *c, enum vmcs_slot slot, uint64_t value);

#endif
