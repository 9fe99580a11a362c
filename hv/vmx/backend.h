/*
 * backend.h: where the slots of vcpu->vmcs[] come from and go to. Another backend (SVM) would fill the same
 * slots behind enter, load and flush.
 *
 * The hot path of run.c, hence inline: in Bochs each instruction here is an instruction of every exit.
 */
#ifndef VMX_BACKEND_H
#define VMX_BACKEND_H

#include "boot/x86.h"
#include "vmx/load.h"
#include "vmx/region.h"
#include "vmx/switch.h"
#include "vmx/vmx.h"

/* Inline in each of run.c's loops, whatever the compiler thinks of their size. */
#define HOT __attribute__((always_inline))

enum {
#define VMCS(name, encoding, change) ENCODING_##name = encoding,
#include "include/vmcs.def"
#undef VMCS
};

/* ---- Load ---- */

/*
 * What every exit's handling reads: dispatch, RIP's advance, the encoder's keys. Read at once, since asking
 * costs more.
 */
#define BACKEND_EAGER(X)							\
	X(EXIT_REASON) X(EXIT_INSTRUCTION_LEN) X(IDT_VECTORING_INFO)		\
	X(GUEST_INTERRUPTIBILITY) X(GUEST_RIP) X(GUEST_RFLAGS)
#define BACKEND_EAGER_TRACED(X) BACKEND_EAGER(X) X(GUEST_CR3)

/*
 * VMREAD without a look at the flags: setup_probe() read each of these fields, so only a lost VMCS pointer
 * could make one fail. It would fail them all, so one of each load is checked: EXIT_REASON.
 */
static inline uint64_t backend_vmread(const struct vmx_cpu *c, enum vmcs_slot slot, uint64_t encoding)
{
	uint64_t value;

	if (slot == VMCS_EXIT_REASON) {
		if (__builtin_expect(!vmx_vmread(encoding, &value), 0))
			region_failed(c, "VMREAD", slot);
		return value;
	}
	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(encoding) : "cc");
	return value;
}

/* What exit_due asks for; cold. */
void backend_due(struct vmx_cpu *c);

/* After an exit that nobody records: what every handler reads; the rest by vcpu_load(). */
static inline HOT void backend_load_untraced(struct vmx_cpu *c, struct vcpu *v)
{
#define X(name) v->vmcs[VMCS_##name] = backend_vmread(c, VMCS_##name, ENCODING_##name);
	BACKEND_EAGER(X)
#undef X
	if (__builtin_expect(c->exit_due, 0))
		backend_due(c);
}

/*
 * After the exit, and after encoder_begin(): fills vcpu->vmcs[] as the snapshot level says, and tells the
 * encoder what differs from the base, behind what backend_enter() has told it of the general registers.
 */
static inline HOT void backend_load_full(struct vmx_cpu *c, struct item *p)
{
	struct encoder *e = &c->vmx->tracer.encoder;

	e->item_count = load_marked(c, p) - e->items;
	if (__builtin_expect(c->exit_due, 0))
		backend_due(c);
}

void backend_load_touched(struct vmx_cpu *c, struct item *p);

/* Finds the slots that are loaded after each exit; the level of tracing is known. */
void backend_init(struct vmx *x);

/* ---- Flush ---- */

/*
 * Writes what the step in hand changed to the hardware; the VMCS is current. However a step ends, nothing is
 * dirty behind it.
 */
void backend_flush(struct vmx_cpu *c);

/* The same at the end of an exit's step that changed, but for general registers, RIP alone. */
static inline HOT void backend_flush_rip(struct vmx_cpu *c, struct vcpu *v)
{
	_Static_assert(VMCS_GUEST_RIP / 64 == 2, "the one word that is dirty");
	if (__builtin_expect(!vmx_vmwrite(ENCODING_GUEST_RIP, v->vmcs[VMCS_GUEST_RIP]), 0))
		region_failed(c, "VMWRITE", VMCS_GUEST_RIP);
	v->dirty[2] = 0;
	v->gpr_dirty = 0;
	v->retire_len = 0;
}

/* And of any exit's step; mostly it is as above. */
static inline HOT void backend_flush_exit(struct vmx_cpu *c, struct vcpu *v)
{
	const uint64_t rip = UINT64_C(1) << VMCS_GUEST_RIP % 64;

	if (__builtin_expect(v->dirty[0] | v->dirty[1] | (v->dirty[2] ^ rip) | (v->gpr_dirty >> GPR_CR2), 0))
		backend_flush(c);
	else
		backend_flush_rip(c, v);
}

/* And at the end of an entry step that says enter, where mostly nothing did. */
static inline HOT void backend_flush_entry(struct vmx_cpu *c, const struct vcpu *v)
{
	if (__builtin_expect(v->dirty[0] | v->dirty[1] | v->dirty[2] | v->gpr_dirty, 0))
		backend_flush(c);
}

/* And of one in which only time passed towards a deadline. The slot isn't dirty, then or before. */
static inline HOT void backend_set_timer(struct vmx_cpu *c, struct vcpu *v, uint64_t value)
{
	v->vmcs[VMCS_PREEMPTION_TIMER_VALUE] = value;
	if (__builtin_expect(!vmx_vmwrite(ENCODING_PREEMPTION_TIMER_VALUE, value), 0))
		region_failed(c, "VMWRITE", VMCS_PREEMPTION_TIMER_VALUE);
}

/*
 * At the end of an entry step that says wait: remembers what it changed, for the entry that comes some time.
 */
void backend_flush_later(struct vmx_cpu *c);

/* ---- Enter ---- */

/* VMfail of the current VMCS's entry, from entry.S: a bug. `invalid`: there is no current VMCS. */
noreturn void backend_refused(bool invalid);

/*
 * entry.S keeps nothing but RSP. RBP can't be a clobber, so it goes to the stack, where there is no red zone
 * (Makefile).
 */
static inline HOT struct item *vmx_enter(const struct vmx_cpu *c, const uint64_t *gpr)
{
	uint64_t in = (uint64_t)gpr;
	struct item *items;

	__asm__ volatile("pushq %%rbp\n\tcall *%2\n\tpopq %%rbp"
			 : "=a"(items), "+D"(in) : "r"(c->enter)
			 : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
			   "cc");
	return items;
}

/*
 * Another vCPU than the last one is entered: its VMCS, what the VMCS doesn't hold, and what it wrote while it
 * waited.
 */
void backend_switch(struct vmx_cpu *c);

/*
 * Enters the guest; returns after its next VM exit. A VMfail is a panic. What the entry step
 * changed is flushed, and backend_switch() must have come before if another vCPU ran, or stepped, since. The
 * general registers are loaded then; traced, gives where the encoder's list of what changed ends.
 */
static inline HOT struct item *backend_enter(struct vmx_cpu *c, struct vcpu *v, bool traced)
{
	if (traced) {
		c->tsc_entry = x86_rdtsc();
		c->tracer_cycles += c->tsc_entry;	/* run.c, tracer_begins() */
	}
	return vmx_enter(c, v->gpr);
}

#endif
