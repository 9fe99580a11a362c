/*
 * backend.h: where the slots of vcpu->vmcs[] come from and go to. Another backend (SVM) would fill the same slots behind
 * enter, load and flush.
 *
 * The hot path of run.c, hence inline: in Bochs each instruction here is an instruction of every exit.
 */
#ifndef VMX_BACKEND_H
#define VMX_BACKEND_H

#include "boot/x86.h"
#include "vmx/region.h"
#include "vmx/switch.h"
#include "vmx/vmx.h"

enum {
#define VMCS(name, encoding, change) ENCODING_##name = encoding,
#include "include/vmcs.def"
#undef VMCS
};

/* ---- Load ---- */

/* What every exit's handling reads: dispatch, RIP's advance, the encoder's keys. Read at once, since asking costs more. */
#define BACKEND_EAGER(X)							\
	X(EXIT_REASON) X(EXIT_INSTRUCTION_LEN) X(IDT_VECTORING_INFO)		\
	X(GUEST_INTERRUPTIBILITY) X(GUEST_CR3) X(GUEST_RIP) X(GUEST_RFLAGS)

/*
 * VMREAD without a look at the flags: setup_probe() read each of these fields, so only a lost VMCS pointer could
 * make one fail, and it would fail the last one of a load, which is checked.
 */
static inline uint64_t vmread_unchecked(uint64_t encoding)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(encoding) : "cc");
	return value;
}

/* SDM "VM-Entry Failures During or After Loading Guest State": such an exit leaves the launch state alone. */
static inline void backend_note_launch(struct vmx_cpu *c)
{
	if (__builtin_expect(!c->launched, 0) && !(c->v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_ENTRY_FAILURE))
		region_entered(c);
}

static inline void backend_forget(struct vmx_cpu *c)
{
	for (unsigned i = 0; i < VMCS_WORDS; i++)
		c->v->loaded[i] = c->vmx->loaded_at_exit[i];
}

/* After an exit that nobody records: what every handler reads; the rest by vcpu_load(). */
static inline void backend_load_untraced(struct vmx_cpu *c)
{
	struct vcpu *v = c->v;

	backend_forget(c);
#define X(name) v->vmcs[VMCS_##name] = vmread_unchecked(ENCODING_##name);
	BACKEND_EAGER(X)
#undef X
	backend_note_launch(c);
}

/*
 * After the exit, and after encoder_begin(): fills vcpu->vmcs[] and the general registers as the snapshot level
 * says, and tells the encoder what differs from the base.
 */
void backend_load(struct vmx_cpu *c);

/* Finds the slots that are loaded after each exit below level full. */
void backend_init(struct vmx *x);

/* ---- Flush ---- */

static inline void backend_flush_set(const struct vmx_cpu *c, uint64_t set, enum vmcs_slot first)
{
	const uint64_t *value = c->v->vmcs + first;
	const struct vmcs_field *field = vmcs_fields + first;

	do {
		unsigned i = (unsigned)__builtin_ctzll(set);

		if (__builtin_expect(!vmx_vmwrite(field[i].encoding, value[i]), 0))
			region_failed(c, "VMWRITE", first + i);
		set &= set - 1;
	} while (set);
}

/* At the end of an exit's step, and of an entry step that says enter; the VMCS is current: writes what the step changed. */
static inline void backend_flush(struct vmx_cpu *c)
{
	const struct vcpu *v = c->v;

	if (v->dirty[2])	/* RIP is here */
		backend_flush_set(c, v->dirty[2], 128);
	if (__builtin_expect(v->dirty[0] | v->dirty[1], 0)) {
		if (v->dirty[0])
			backend_flush_set(c, v->dirty[0], 0);
		if (v->dirty[1])
			backend_flush_set(c, v->dirty[1], 64);
	}
	_Static_assert(VMCS_WORDS == 3, "all words are flushed");
	if (__builtin_expect(v->gpr_dirty >> GPR_CR2 & 1, 0) && c->vmx->resident == c)
		x86_cr2_write(v->gpr[GPR_CR2]);
}

/* At the end of an entry step that says wait: remembers what it changed, for the entry that comes some time. */
void backend_flush_later(struct vmx_cpu *c);
void backend_flush_pending(struct vmx_cpu *c);

/* ---- Enter ---- */

noreturn void backend_refused(struct vmx_cpu *c, int how);

/* entry.S keeps nothing but RSP. RBP can't be a clobber, so it goes to the stack, where there is no red zone (Makefile). */
static inline int vmx_enter(const uint64_t *gpr, bool launched)
{
	uint64_t how, in = (uint64_t)gpr, flag = launched;

	__asm__ volatile("pushq %%rbp\n\tcall vmx_enter\n\tpopq %%rbp"
			 : "=a"(how), "+D"(in), "+S"(flag)
			 : : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	return (int)how;
}

/*
 * Writes what the entry step in hand changed to the hardware and enters the guest; returns after its next VM exit. A
 * VMfail is a bug, and a panic.
 */
static inline void backend_enter(struct vmx_cpu *c, bool traced)
{
	int how;

	region_make_current(c);
	switch_to(c);
	if (__builtin_expect(c->has_pending, 0))
		backend_flush_pending(c);
	backend_flush(c);
	if (traced)
		c->tsc_entry = x86_rdtsc();
	how = vmx_enter(c->v->gpr, c->launched);
	if (__builtin_expect(how, 0))
		backend_refused(c, how);
}

#endif
