/*
 * backend.c: load, flush and enter on VMX.
 *
 * Called by run.c around each entry, and by the core through vcpu_load(). The hot path: in Bochs each instruction
 * here is an instruction of every exit.
 */
#include "boot/panic.h"
#include "boot/x86.h"
#include "vmx/backend.h"
#include "vmx/instructions.h"
#include "vmx/region.h"
#include "vmx/switch.h"
#include "vmx/vmx.h"

/* ---- Load ---- */

/* Cold: a slot or register has another value than in the base. */
static __attribute__((noinline, cold)) void slot_changed(struct vmx_cpu *c, enum vmcs_slot slot, uint64_t value)
{
	encoder_item(&c->vmx->tracer.encoder, slot, c->v->vmcs[slot], value);
	c->v->vmcs[slot] = value;
}

static __attribute__((noinline, cold)) void gpr_changed(struct vmx_cpu *c, unsigned reg, uint64_t value)
{
	encoder_item(&c->vmx->tracer.encoder, ITEM_GPR + reg, c->v->gpr[reg], value);
	c->v->gpr[reg] = value;
}

static void load_registers(struct vmx_cpu *c)
{
#pragma GCC unroll 17
	for (unsigned reg = 0; reg < GPR_COUNT; reg++)
		if (__builtin_expect(c->exit_gpr[reg] != c->v->gpr[reg], 0))
			gpr_changed(c, reg, c->exit_gpr[reg]);
}

/*
 * VMREAD without a look at the flags: setup_probe() read each of these fields, so only a lost VMCS pointer could
 * make one fail, and it would fail the last one, which load_marked() checks.
 */
static inline uint64_t vmread_unchecked(uint64_t encoding)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(encoding) : "cc");
	return value;
}

#define LOAD_SLOT(name, encoding)							\
	do {										\
		uint64_t value = vmread_unchecked(encoding);				\
											\
		if (__builtin_expect(value != c->v->vmcs[VMCS_##name], 0))		\
			slot_changed(c, VMCS_##name, value);				\
	} while (0);
#define LOAD_GUEST(name, encoding)	LOAD_SLOT(name, encoding)
#define LOAD_INFO(name, encoding)	LOAD_SLOT(name, encoding)
#define LOAD_OPTION(name, encoding)
#define LOAD_KEPT(name, encoding)
#define LOAD_HOST(name, encoding)

/* All fields that the processor may have changed, compared with the base (vmcs.def: GUEST, INFO). */
static void load_marked(struct vmx_cpu *c)
{
#define VMCS(name, encoding, change) LOAD_##change(name, encoding)
#include "include/vmcs.def"
#undef VMCS
	region_read(c, VMCS_EXIT_REASON);
}

/* The others are what we wrote, or the record would lie: once a frame, or at each exit under check-snapshot. */
static __attribute__((noinline, cold)) void check_known(struct vmx_cpu *c)
{
	struct vmx *x = c->vmx;

	c->whole_due = false;
	for (enum vmcs_slot slot = 0; slot < VMCS_SLOTS; slot++) {
		uint64_t value;

		if (!slot_test(x->known, slot) || !slot_test(x->supported, slot))
			continue;
		value = region_read(c, slot);
		if (value != c->v->vmcs[slot])
			panic("snapshot of vCPU %u: %s is %#llx, known was %#llx", c->v->index, vmcs_fields[slot].name,
			      (unsigned long long)value, (unsigned long long)c->v->vmcs[slot]);
	}
}

/* What every exit's handling reads: dispatch, RIP's advance, the encoder's keys. Read at once, since asking costs more. */
#define EAGER(X)								\
	X(EXIT_REASON) X(EXIT_INSTRUCTION_LEN) X(IDT_VECTORING_INFO)		\
	X(GUEST_INTERRUPTIBILITY) X(GUEST_CR3) X(GUEST_RIP) X(GUEST_RFLAGS)

enum {
#define VMCS(name, encoding, change) ENCODING_##name = encoding,
#include "include/vmcs.def"
#undef VMCS
};

#define IN_WORD(slot, word) ((slot) / 64 == (word) ? UINT64_C(1) << (slot) % 64 : 0)
_Static_assert(VMCS_WORDS == 3, "eager[] has three words");
static const uint64_t eager[VMCS_WORDS] = {
#define X(name) IN_WORD(VMCS_##name, 0) |
	EAGER(X) 0,
#undef X
#define X(name) IN_WORD(VMCS_##name, 1) |
	EAGER(X) 0,
#undef X
#define X(name) IN_WORD(VMCS_##name, 2) |
	EAGER(X) 0,
#undef X
};

static inline void forget(struct vmx_cpu *c)
{
	for (unsigned i = 0; i < VMCS_WORDS; i++)
		c->v->loaded[i] = c->vmx->known[i] | eager[i];
}

/* Level touched: what isn't read here is unknown until somebody asks; each slot read is an item, changed or not. */
static void load_touched(struct vmx_cpu *c)
{
	struct encoder *e = &c->vmx->tracer.encoder;

	forget(c);
#define X(name)									\
	do {									\
		uint64_t value = vmread_unchecked(ENCODING_##name);		\
										\
		encoder_item(e, VMCS_##name, c->v->vmcs[VMCS_##name], value);	\
		c->v->vmcs[VMCS_##name] = value;				\
	} while (0);
	EAGER(X)
#undef X
	region_read(c, VMCS_EXIT_REASON);
}

static inline void load_untraced(struct vmx_cpu *c)
{
	forget(c);
#define X(name) c->v->vmcs[VMCS_##name] = vmread_unchecked(ENCODING_##name);
	EAGER(X)
#undef X
}

/* The core's question for a slot that the level left out. An entry step may ask while another vCPU's VMCS is current. */
uint64_t vcpu_load(struct vcpu *v, enum vmcs_slot slot)
{
	struct vmx_cpu *c = vmx_cpu_of(v);
	uint64_t value;

	region_make_current(c);
	value = region_read(c, slot);
	if (c->vmx->tracer.level != TRACE_OFF)
		encoder_item(&c->vmx->tracer.encoder, slot, v->vmcs[slot], value);
	return value;
}

/* SDM "VM-Entry Failures During or After Loading Guest State": such an exit leaves the launch state alone. */
static inline void note_launch(struct vmx_cpu *c)
{
	if (__builtin_expect(!c->launched, 0) && !(c->v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_ENTRY_FAILURE))
		region_entered(c);
}

void backend_load_untraced(struct vmx_cpu *c)
{
	load_untraced(c);
	note_launch(c);
}

void backend_load(struct vmx_cpu *c)
{
	if (__builtin_expect(c->vmx->tracer.level == TRACE_FULL, 1))
		load_marked(c);
	else
		load_touched(c);
	load_registers(c);
	if (__builtin_expect(c->whole_due, 0))
		check_known(c);
	note_launch(c);
}

/* ---- Flush ---- */

static void flush_set(struct vmx_cpu *c, uint64_t set, unsigned first)
{
	for (; set; set &= set - 1) {
		enum vmcs_slot slot = first + __builtin_ctzll(set);

		region_write(c, slot, c->v->vmcs[slot]);
	}
}

void backend_flush(struct vmx_cpu *c)
{
	const struct vcpu *v = c->v;

	for (unsigned word = 0; word < VMCS_WORDS; word++)
		if (v->dirty[word])
			flush_set(c, v->dirty[word], word * 64);
	if (__builtin_expect(v->gpr_dirty >> GPR_CR2 & 1, 0) && c->vmx->resident == c)
		x86_cr2_write(v->gpr[GPR_CR2]);
}

void backend_flush_later(struct vmx_cpu *c)
{
	for (unsigned i = 0; i < VMCS_WORDS; i++)
		c->pending[i] |= c->v->dirty[i];
	c->has_pending = true;
}

static __attribute__((noinline, cold)) void flush_pending(struct vmx_cpu *c)
{
	for (unsigned word = 0; word < VMCS_WORDS; word++) {
		flush_set(c, c->pending[word], word * 64);
		c->pending[word] = 0;
	}
	c->has_pending = false;
}

/* ---- Enter ---- */

static noreturn __attribute__((cold)) void entry_refused(struct vmx_cpu *c, int how)
{
	uint64_t error = how == 2 ? region_read(c, VMCS_VM_INSTRUCTION_ERROR) : 0;

	panic("%s of vCPU %u failed: %s %llu, %s", c->launched ? "VMRESUME" : "VMLAUNCH", c->v->index,
	      how == 2 ? "VM-instruction error" : "no current VMCS", (unsigned long long)error,
	      report_instruction_error(error));
}

void backend_enter(struct vmx_cpu *c)
{
	int how;

	region_make_current(c);
	switch_to(c);
	if (__builtin_expect(c->has_pending, 0))
		flush_pending(c);
	backend_flush(c);
	c->tsc_entry = x86_rdtsc();
	how = vmx_enter(c->v->gpr, c->launched);
	if (__builtin_expect(how, 0))
		entry_refused(c, how);
}
