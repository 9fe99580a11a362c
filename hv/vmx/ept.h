/* ept.h: guest-physical memory: the guest's own, and nothing else. */
#ifndef VMX_EPT_H
#define VMX_EPT_H

#include <stdint.h>

/*
 * Maps guest-physical [0, size) to host-physical `memory`; both are multiples of 2 MiB, size at most 512 GiB.
 * Returns the VMCS's EPT pointer. Anything else is an EPT violation.
 */
uint64_t ept_build(uint64_t memory, uint64_t size);

#endif
