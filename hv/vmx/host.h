/* host.h: this processor: its own block, which %gs points at in the hypervisor, and its interrupts. */
#ifndef VMX_HOST_H
#define VMX_HOST_H

#include <stdint.h>

struct vmx;

/* Sets GS.base; before the first entry. At each exit entry.S lists what changed as the encoder's items. */
void host_init(struct vmx *x);

/* For entry.S's sake: what host_init() was given. */
struct vmx *host_vmx(void);

/*
 * Ends an external interrupt that a VM exit has acknowledged: it is the host's, nobody waits for it, and
 * without an end the local APIC would hold back the next ones.
 */
void host_end_interrupt(void);

/* After a VM exit due to an NMI further NMIs are blocked until an IRET (SDM "Handling Multiple NMIs"). */
void host_unblock_nmi(void);

/* For HOST_GS_BASE: a VM exit loads it again. */
uint64_t host_gs_base(void);

#endif
