/*
 * vmx.h: metal's own state: one struct vmx for the VM, one struct vmx_cpu beside each struct vcpu.
 *
 * Private to hv/vmx. Nothing here is seen by the core, recorded, or global.
 */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "boot/options.h"
#include "include/vcpu.h"
#include "include/vm.h"
#include "include/world.h"
#include "vmx/capability.h"
#include "vmx/load.h"
#include "vmx/report.h"
#include "vmx/tracer.h"

/* What the processor holds of a vCPU outside VMCS, general registers and CR2 (switch.c). */
enum { SWITCHED_MSRS = 6 };
struct switched {
	uint64_t dr[4], dr6;
	uint64_t xcr0, xss;
	uint64_t msr[SWITCHED_MSRS];
	uint8_t *xsave;			/* vector and x87 state, PKRU */
};

/* SDM "Format of the VMCS Region", figure "States of VMCS X". Launched is a property of its own. */
enum region_state { REGION_CLEAR, REGION_ACTIVE, REGION_CURRENT };

#define DUE_LAUNCHED	(1u << 0)	/* it is the first exit of all */
#define DUE_WHOLE	(1u << 1)	/* it is the first one in its frame: read and compare all fields */
#define DUE_FORGET	(1u << 2)	/* slots were loaded on request since the last one */

struct vmx_cpu {
	struct vmx *vmx;
	struct vcpu *v;

	uint64_t region;		/* the VMCS region's physical address */
	enum region_state state;
	void (*enter)(void);		/* entry.S: vmx_launch, or vmx_resume once it is launched */
	bool launched;
	bool step_due;			/* it exited, and has not taken its entry step yet */
	uint8_t exit_due;		/* DUE_…: what its next exit does beyond the usual */
	uint64_t pending[VMCS_WORDS];	/* slots that entry steps wrote while it waited: VMWRITE before the entry */

	uint64_t tsc_entry;		/* just before the last VM entry */
	uint64_t tracer_cycles;		/* what the tracer spent on this vCPU, ever; run.c, tracer_begins() */
	uint64_t tracer_cycles_told;	/* of these, what exit records have reported */

	struct load_image image;
	struct switched switched;
};

struct scheduler {
	unsigned last;			/* the vCPU that was entered last */
	uint64_t slice_end;		/* host TSC; TIME_NONE with one vCPU */
	uint64_t slice;			/* cycles */
};

/* Where a run's time went, in cycles of the host's TSC; report.c prints it. */
struct vmx_time {
	uint64_t start;			/* the run began */
	uint64_t guest;			/* untraced: from entry steps to exits. Traced, the records say more */
	uint64_t idle;			/* in activity state HLT */
	uint64_t idle_since;		/* entered in it then; 0: it wasn't */
};

struct vmx {
	struct vm vm;
	struct world world;
	struct vcpu vcpu[VM_MAX_CPUS];
	struct vmx_cpu cpu[VM_MAX_CPUS];

	struct vmx_cpu *current;	/* whose VMCS is current */
	struct vmx_cpu *resident;	/* whose switched state the processor holds */
	struct vmx_cpu *running;	/* whose step is in hand: the world's calls are about it */
	struct scheduler scheduler;
	bool check_snapshot;
	uint64_t input_taken;		/* bytes that the guest's console took */

	uint64_t supported[VMCS_WORDS];	/* fields that this processor has */
	uint64_t known[VMCS_WORDS];	/* slots that no exit changes, and those that aren't supported */
	uint64_t loaded_at_exit[VMCS_WORDS]; /* known, and what exits read at once, or at level full all */
	uint8_t *guest_memory;		/* GPA 0 */
	struct capability capability;
	struct exit_history history;
	struct vmx_time time;
	struct tracer tracer;
};

static inline struct vmx_cpu *vmx_cpu_of(struct vcpu *v)
{
	struct vcpu *first = v - v->index;
	struct vmx *x = (struct vmx *)((char *)first - offsetof(struct vmx, vcpu));

	return &x->cpu[v->index];
}

#endif
