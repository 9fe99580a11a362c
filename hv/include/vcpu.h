/*
 * vcpu.h: the seam, first half. A virtual processor as a value.
 *
 * Metal (hv/vmx) fills a struct vcpu at a VM exit, or replay fills it from a trace; the core
 * (hv/exit, hv/insn, hv/dev) reads and writes it through the functions below; what the core
 * changed is then VMWRITten, or compared. vcpu->vmcs[] is the snapshot: between steps it holds the
 * vCPU's state at the end of its last step, the base of the next record's delta.
 */
#ifndef VEXIT_VCPU_H
#define VEXIT_VCPU_H

#include "vmcs.h"

struct vm;
struct world;

/* General registers, by the processor's own numbers (SDM, "Instruction Format": ModR/M and REX). */
enum gpr {
	GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI,
	GPR_R8, GPR_R9, GPR_R10, GPR_R11, GPR_R12, GPR_R13, GPR_R14, GPR_R15,
	GPR_CR2,	/* kept and switched with them, though no general register */
	GPR_COUNT
};

/* What happens after an exit. Recorded: the numbers are the trace's. */
enum exit_action {
	ACTION_RESUME = 0,	/* enter again as is: the instruction runs again, or there is none to retire */
	ACTION_RETIRE = 1,	/* the instruction is done: RIP moves past it */
	ACTION_INJECT = 2,	/* an exception was queued by vcpu_inject(); RIP stays */
	ACTION_STOP = 3,	/* the VM ends; vm->stop says how */
};

/* What an entry step decides. Recorded: the numbers are the trace's. */
enum entry_result {
	ENTRY_ENTER = 0,	/* enter this vCPU now */
	ENTRY_WAIT = 1,		/* it has nothing to run until wake_at or an event */
	ENTRY_STOP = 2,		/* no vCPU can ever run again; vm->stop says so */
};

#define TIME_NONE UINT64_MAX	/* a wake_at, deadline or slice end that never comes */

struct vcpu {
	uint64_t vmcs[VMCS_SLOTS];	/* by slot; each field zero-extended to 64 bits */
	uint64_t gpr[GPR_COUNT];	/* [GPR_RSP] is unused, always 0: RSP is a VMCS field */
	uint64_t tsc;			/* the step's one time: host TSC, cycles */

	/* What the last entry step decided. */
	enum entry_result entry;
	uint64_t wake_at;		/* ENTRY_WAIT: host TSC to be asked again, or TIME_NONE */
	uint64_t deadline;		/* ENTRY_ENTER: host TSC the preemption timer was set for, or TIME_NONE */

	/* The step in hand. Cleared by vcpu_begin_step(). */
	uint64_t loaded[VMCS_WORDS];	/* slots whose value vmcs[] holds; others are asked of vcpu_load() */
	uint64_t dirty[VMCS_WORDS];	/* slots written in this step */
	uint32_t gpr_dirty;		/* registers written in this step, by bit */
	uint32_t retire_len;		/* of an instruction that the handler decoded itself; 0: EXIT_INSTRUCTION_LEN has it */
	uint64_t vmcs_before[VMCS_SLOTS]; /* of a dirty slot: its value when the step began */
	uint64_t gpr_before[GPR_COUNT];

	uint32_t index;			/* this vCPU's number in the VM, from 0 */
};

/*
 * Left to the core's host: give the value of a slot that isn't loaded. VMREAD in vmx/; in
 * replay/ the recorded value, or a divergence (which doesn't return). Sets neither vmcs[] nor loaded[].
 */
uint64_t vcpu_load(struct vcpu *v, enum vmcs_slot slot);

/* Out of line, cold: load a slot through vcpu_load(). hv/exit/vcpu.c */
uint64_t vmcs_read_slow(struct vcpu *v, enum vmcs_slot slot);

static inline bool slot_test(const uint64_t *set, enum vmcs_slot slot)
{
	return set[slot / 64] >> slot % 64 & 1;
}

static inline void slot_set(uint64_t *set, enum vmcs_slot slot)
{
	set[slot / 64] |= UINT64_C(1) << slot % 64;
}

static inline uint64_t vmcs_read(struct vcpu *v, enum vmcs_slot slot)
{
	if (__builtin_expect(!slot_test(v->loaded, slot), 0))
		return vmcs_read_slow(v, slot);
	return v->vmcs[slot];
}

/* `value` must fit the field's width. The slot is loaded, as the caller knows. */
static inline void vmcs_write_loaded(struct vcpu *v, enum vmcs_slot slot, uint64_t value)
{
	if (__builtin_expect(!slot_test(v->dirty, slot), 1)) {
		slot_set(v->dirty, slot);
		v->vmcs_before[slot] = v->vmcs[slot];
	}
	v->vmcs[slot] = value;
}

/* The same for any slot: it is loaded first if need be, for the effect's "before". */
static inline void vmcs_write(struct vcpu *v, enum vmcs_slot slot, uint64_t value)
{
	vmcs_read(v, slot);
	vmcs_write_loaded(v, slot, value);
}

/* A register by number; RSP comes from the VMCS. 64 bits always: the caller truncates to operand size. */
static inline uint64_t gpr_read(struct vcpu *v, enum gpr reg)
{
	return reg == GPR_RSP ? vmcs_read(v, VMCS_GUEST_RSP) : v->gpr[reg];
}

static inline void gpr_write(struct vcpu *v, enum gpr reg, uint64_t value)
{
	if (reg == GPR_RSP) {
		vmcs_write(v, VMCS_GUEST_RSP, value);
		return;
	}
	if (!(v->gpr_dirty >> reg & 1)) {
		v->gpr_dirty |= 1u << reg;
		v->gpr_before[reg] = v->gpr[reg];
	}
	v->gpr[reg] = value;
}

/* Nothing is dirty: as a step begins, and as its changes have reached the hardware. */
static inline __attribute__((always_inline)) void vcpu_clean(struct vcpu *v)
{
	for (unsigned i = 0; i < VMCS_WORDS; i++)
		v->dirty[i] = 0;
	v->gpr_dirty = 0;
	v->retire_len = 0;
}

/* Start a step at time `tsc`. What is loaded, the caller says. */
static inline __attribute__((always_inline)) void vcpu_begin_step(struct vcpu *v, uint64_t tsc)
{
	vcpu_clean(v);
	v->tsc = tsc;
}

/* ---- The core's entrances (hv/exit) ---- */

/*
 * Handle one VM exit (dispatch.c). RIP is advanced, STI/MOV-SS blocking cleared and the single-step
 * trap raised here alone. An event whose delivery the exit interrupted (IDT-vectoring information) is
 * queued again.
 */
enum exit_action exit_dispatch(struct vcpu *v, struct vm *vm, struct world *w);

/*
 * Decide the next entry of a vCPU (entry.c): take waiting input, bring the VM's devices to v->tsc, deliver
 * or ask for a window, wake or wait, set TSC offset and preemption timer. Sets v->entry, v->wake_at,
 * v->deadline and vm->cpu[].wake_at.
 */
enum entry_result vcpu_prepare_entry(struct vcpu *v, struct vm *vm, struct world *w);

/*
 * Whether the scheduler should take an entry step for vCPU `index` at time `now`: it runs, has an event
 * posted, or is due.
 */
bool vm_cpu_wants_step(const struct vm *vm, unsigned index, uint64_t now);

/* How the BSP starts; the loader (hv/load) decides. */
enum vcpu_start_kind {
	START_MULTIBOOT,	/* multiboot 1: 32-bit flat protected mode, RAX = 0x2BADB002, RBX = info */
	START_LINUX,		/* Linux' 64-bit boot protocol: long mode on cr3's identity map, RSI = info */
};

#define START_LINUX_CS	0x10	/* __BOOT_CS and __BOOT_DS */
#define START_LINUX_DS	0x18

struct vcpu_start {
	enum vcpu_start_kind kind;
	uint64_t entry;		/* GPA of the first instruction */
	uint64_t info;		/* GPA of the multiboot information, or of struct boot_params */
	uint64_t cr3, gdt;	/* START_LINUX: GPAs of the page tables, and of a GDT with the two selectors above */
};

/*
 * Guest state at power-on: the BSP as `start` says; the others in the state of INIT, waiting for SIPI. Writes
 * guest-state slots, guest-owned masks and shadows, and the IA-32e bit of the entry controls; all other
 * controls, host state and addresses of bitmaps are metal's (setup.c in vmx/).
 */
void vcpu_reset(struct vcpu *v, struct vm *vm, const struct vcpu_start *start);

#endif
