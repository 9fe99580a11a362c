/* setup.h: a vCPU's VMCS before its first entry. */
#ifndef VMX_SETUP_H
#define VMX_SETUP_H

#include <stdint.h>

struct vmx;
struct vmx_cpu;

/* Physical addresses that all vCPUs of the VM share. */
struct setup {
	uint64_t ept_pointer, msr_bitmap, io_bitmap;
};

/* Finds out which fields the processor has. Needs a current VMCS. */
void setup_probe(struct vmx *x);

/*
 * Completes vcpu->vmcs[], which vcpu_reset() has given its guest state, by controls and host state, and
 * writes all of it. The vCPU's VMCS must be current.
 */
void setup_vmcs(struct vmx_cpu *c, const struct setup *s);

#endif
