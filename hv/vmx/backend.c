/*
 * backend.c: load, flush and enter on VMX: what isn't inline in backend.h.
 *
 * Called by run.c around each entry, and by the core through vcpu_load().
 */
#include "boot/panic.h"
#include "vmx/backend.h"
#include "vmx/host.h"
#include "vmx/load.h"

/* ---- Load ---- */

void backend_init(struct vmx *x)
{
	bool full = x->tracer.level == TRACE_FULL;

	for (unsigned i = 0; i < VMCS_WORDS; i++)
		x->loaded_at_exit[i] = full ? ~UINT64_C(0) : x->known[i];
#define X(name) slot_set(x->loaded_at_exit, VMCS_##name);
	BACKEND_EAGER(X)
	if (x->tracer.level != TRACE_OFF) {
		BACKEND_EAGER_TRACED(X)
	}
#undef X
	/* What the reset wrote was loaded, too. */
	for (unsigned i = 0; i < x->vm.config.cpu_count; i++) {
		x->cpu[i].exit_due |= DUE_FORGET;
		load_init(&x->cpu[i]);
	}
}

static noreturn __attribute__((noinline, cold)) void is_other(struct vmx_cpu *c, enum vmcs_slot slot, uint64_t value)
{
	panic("snapshot of vCPU %u: %s is %#lx, known was %#lx", c->v->index, vmcs_fields[slot].name, value,
	      c->v->vmcs[slot]);
}

static inline void check_field(struct vmx_cpu *c, const uint64_t *checked, enum vmcs_slot slot, uint64_t encoding)
{
	uint64_t value;

	if (LOAD_IS_LATE(slot) || !slot_test(checked, slot))
		return;
	value = backend_vmread(c, slot, encoding);
	if (__builtin_expect(value != c->v->vmcs[slot], 0))
		is_other(c, slot, value);
}

/*
 * Each field once more, by itself, or the record would lie: those that we know because we wrote them, and those
 * that the load compared. Once a frame, or at each exit under check-snapshot; compiled as a list, or guests
 * with short timers would notice.
 */
static void check_whole(struct vmx_cpu *c)
{
	uint64_t checked[VMCS_WORDS];

	for (unsigned i = 0; i < VMCS_WORDS; i++)
		checked[i] = c->vmx->supported[i] & c->vmx->loaded_at_exit[i];
#define VMCS(name, encoding, change) check_field(c, checked, VMCS_##name, encoding);
#include "include/vmcs.def"
#undef VMCS
}

static void forget(struct vmx_cpu *c)
{
	for (unsigned i = 0; i < VMCS_WORDS; i++)
		c->v->loaded[i] = c->vmx->loaded_at_exit[i];
	c->exit_due &= ~DUE_FORGET;
}

void backend_due(struct vmx_cpu *c)
{
	if (c->exit_due & DUE_FORGET)
		forget(c);
	/*
	 * SDM "VM-Entry Failures During or After Loading Guest State": such an exit leaves the launch state
	 * alone.
	 */
	if (c->exit_due & DUE_LAUNCHED && !(c->v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_ENTRY_FAILURE)) {
		region_launched(c);
		c->exit_due &= ~DUE_LAUNCHED;
	}
	if (c->exit_due & DUE_WHOLE) {
		check_whole(c);
		if (!c->vmx->check_snapshot)
			c->exit_due &= ~DUE_WHOLE;
	}
}

/*
 * Level touched: what isn't read here is unknown until somebody asks; each slot read is an item, changed or
 * not.
 */
static void load_touched(struct vmx_cpu *c)
{
	struct encoder *e = &c->vmx->tracer.encoder;

#define X(name)									\
	do {									\
		uint64_t value = backend_vmread(c, VMCS_##name, ENCODING_##name);		\
										\
		encoder_item(e, VMCS_##name, c->v->vmcs[VMCS_##name], value);	\
		c->v->vmcs[VMCS_##name] = value;				\
	} while (0);
	BACKEND_EAGER_TRACED(X)
#undef X
}

/*
 * The core's question for a slot that the level left out. An entry step may ask while another vCPU's VMCS is
 * current.
 */
uint64_t vcpu_load(struct vcpu *v, enum vmcs_slot slot)
{
	struct vmx_cpu *c = vmx_cpu_of(v);
	uint64_t value;

	region_make_current(c);
	value = region_read(c, slot);
	c->exit_due |= DUE_FORGET;
	if (c->vmx->tracer.level != TRACE_OFF)
		encoder_item(&c->vmx->tracer.encoder, slot, v->vmcs[slot], value);
	return value;
}

void backend_load_touched(struct vmx_cpu *c, struct item *p)
{
	struct encoder *e = &c->vmx->tracer.encoder;

	e->item_count = p - e->items;
	load_touched(c);
	if (__builtin_expect(c->exit_due, 0))
		backend_due(c);
}

/* ---- Flush and enter ---- */

static void flush_set(struct vmx_cpu *c, uint64_t set, enum vmcs_slot first)
{
	for (; set; set &= set - 1) {
		enum vmcs_slot slot = first + (unsigned)__builtin_ctzll(set);

		region_write(c, slot, c->v->vmcs[slot]);
		load_written(c, slot, c->v->vmcs[slot]);
	}
}

void backend_flush(struct vmx_cpu *c)
{
	struct vcpu *v = c->v;

	for (unsigned word = 0; word < VMCS_WORDS; word++)
		flush_set(c, v->dirty[word], word * 64);
	if (v->gpr_dirty >> GPR_CR2 & 1)
		x86_cr2_write(v->gpr[GPR_CR2]);
	vcpu_clean(v);
}

void backend_flush_later(struct vmx_cpu *c)
{
	for (unsigned i = 0; i < VMCS_WORDS; i++)
		c->pending[i] |= c->v->dirty[i];
	vcpu_clean(c->v);
}

void backend_switch(struct vmx_cpu *c)
{
	region_make_current(c);
	switch_to(c);
	/* Another vCPU's is in there, or a step of this one has written it while it waited. */
	x86_cr2_write(c->v->gpr[GPR_CR2]);
	for (unsigned word = 0; word < VMCS_WORDS; word++) {
		flush_set(c, c->pending[word], word * 64);
		c->pending[word] = 0;
	}
}

void backend_refused(bool invalid)
{
	struct vmx_cpu *c = host_vmx()->current;
	uint64_t error = invalid ? 0 : region_read(c, VMCS_VM_INSTRUCTION_ERROR);

	panic("%s of vCPU %u failed: %s %lu, %s", c->launched ? "VMRESUME" : "VMLAUNCH", c->v->index,
	      invalid ? "no current VMCS" : "VM-instruction error", error, report_instruction_error(error));
}
