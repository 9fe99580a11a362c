/*
 * region.c: VMXON and the life of a VMCS region: clear, active, current; not launched, launched (SDM "Format
 * of the VMCS Region" and "Software Use of Virtual-Machine Control Structures").
 *
 * Used by setup, load and run. A VMCS stays on its processor, so it is cleared once, before its first use.
 */
#include "boot/log.h"
#include "boot/memory.h"
#include "boot/panic.h"
#include "boot/x86.h"
#include "vmx/instructions.h"
#include "vmx/region.h"
#include "vmx/vmx.h"

#define REGION_BYTES		4096
#define BASIC_REVISION		0x7fffffffu
#define ENCODING_INSTRUCTION_ERROR 0x4400

static uint64_t region_new(const struct capability *c, const char *what)
{
	uint32_t *region = memory_allocate(REGION_BYTES, REGION_BYTES, what);

	region[0] = (uint32_t)c->basic & BASIC_REVISION;
	return (uint64_t)region;
}

void region_vmxon(const struct capability *c)
{
	/*
	 * SDM "Restrictions on VMX Operation": bits that are 1 in FIXED0 must be 1, bits that are 0 in FIXED1
	 * must be 0.
	 */
	x86_cr0_write((x86_cr0_read() | c->cr0_fixed0) & c->cr0_fixed1);
	x86_cr4_write(((x86_cr4_read() | X86_CR4_VMXE | X86_CR4_OSXSAVE) | c->cr4_fixed0) & c->cr4_fixed1);
	if (!vmx_vmxon(region_new(c, "the VMXON region")))
		log_host_error("VMXON failed");
}

void region_allocate(struct vmx_cpu *c, const struct capability *capability)
{
	c->region = region_new(capability, "a VMCS region");
	if (!vmx_vmclear(c->region))
		panic("VMCLEAR of vCPU %u's VMCS at %#lx failed", c->v->index, c->region);
	c->state = REGION_CLEAR;
	c->launched = false;
	c->enter = vmx_launch;
	c->exit_due |= DUE_LAUNCHED;
}

void region_load(struct vmx_cpu *c)
{
	struct vmx *x = c->vmx;

	if (!vmx_vmptrld(c->region))
		panic("VMPTRLD of vCPU %u's VMCS at %#lx failed", c->v->index, c->region);
	if (x->current)
		x->current->state = REGION_ACTIVE;	/* stays active and launched, only no longer current */
	x->current = c;
	c->state = REGION_CURRENT;
}

void region_launched(struct vmx_cpu *c)
{
	c->launched = true;
	c->enter = vmx_resume;
}

void region_failed(const struct vmx_cpu *c, const char *what, enum vmcs_slot slot)
{
	uint64_t error = 0;

	vmx_vmread(ENCODING_INSTRUCTION_ERROR, &error);
	panic("%s of %s (vCPU %u) failed: VM-instruction error %lu, %s", what, vmcs_fields[slot].name, c->v->index,
	      error, report_instruction_error(error));
}
