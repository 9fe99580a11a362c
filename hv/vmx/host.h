/* host.h: this processor's own block, which %gs points at in the hypervisor. */
#ifndef VMX_HOST_H
#define VMX_HOST_H

#include <stdint.h>

/* Sets GS.base; before the first entry. */
void host_init(void);

/* For HOST_GS_BASE: a VM exit loads it again. */
uint64_t host_gs_base(void);

#endif
