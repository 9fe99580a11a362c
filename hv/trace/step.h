/*
 * step.h: one decoded step of a trace, and the limits of records. traces/FORMAT.md is the byte-level text.
 *
 * The decoder gives a struct step whose vCPU stands as it was when the handler got it; `effects` is what the
 * handler did. The encoder takes the same facts from metal, piece by piece.
 */
#ifndef VEXIT_STEP_H
#define VEXIT_STEP_H

#include "vm.h"
#include "world.h"

/* Item codes: what a changed value belongs to. Slots are their own codes. */
#define ITEM_GPR	0xe0			/* + enum gpr */
_Static_assert(VMCS_SLOTS < ITEM_GPR, "slots are one byte");
_Static_assert(ITEM_GPR + GPR_COUNT <= 0x100, "registers are one byte");

#define STEP_ITEMS	(VMCS_SLOTS + GPR_COUNT)
#define STEP_INSN_MAX	15			/* bytes of an instruction */

enum step_kind { STEP_EXIT = 0, STEP_ENTRY = 1 };

struct crossing {
	uint8_t kind;			/* enum crossing_kind */
	uint32_t size;			/* bytes; up to 8 they are in `value`, little-endian */
	uint64_t addr;
	uint64_t value;
	const uint8_t *bytes;		/* `size` bytes, always valid */
};

struct effect {				/* a slot or register that the step changed */
	uint8_t code;			/* item code */
	uint64_t before, after;
};

struct device_check {
	uint8_t device;			/* enum vm_device, of the trace */
	uint8_t value;
};

struct step {
	uint64_t number;		/* over all vCPUs */
	uint64_t seq;			/* exits: number of this exit. Entry steps: the vCPU's last exit, or SEQ_NONE */
	uint32_t vcpu;
	enum step_kind kind;
	bool unfinished;		/* the hypervisor died in it: there are no effects */
	uint64_t tsc;

	enum exit_action action;	/* exits */
	enum entry_result entry;	/* entry steps: with wake_at and deadline */
	uint64_t wake_at, deadline;

	unsigned changed_count;		/* items that changed since the vCPU's last step (bit set `changed` of the decoder) */
	unsigned effect_count;
	unsigned crossing_count;
	unsigned check_count;
	struct effect effects[STEP_ITEMS];
	struct crossing crossings[STEP_CROSSINGS];
	struct device_check checks[VM_DEVICE_COUNT];

	/* Notes (exits) */
	uint64_t tsc_entry;		/* TSC just before the VM entry that this exit ended; 0: none */
	uint64_t handler_cycles;
	uint64_t tracer_cycles;		/* since the vCPU's exit before */
	uint8_t insn_len;		/* instruction bytes at a (CS:RIP, CR3) new in this frame */
	uint8_t insn[STEP_INSN_MAX];
};

#define SEQ_NONE UINT64_MAX

#endif
