/* host_cpuid.h: the host processor's CPUID, as material for the guest's. */
#ifndef VMX_HOST_CPUID_H
#define VMX_HOST_CPUID_H

struct vm_config;

/* Reads all leaves once and has cpuid_build_policy() make the guest's policy of them. */
void host_cpuid_build_policy(struct vm_config *config);

#endif
