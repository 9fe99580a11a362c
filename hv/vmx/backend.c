/*
 * backend.c: load, flush and enter on VMX: what isn't inline in backend.h.
 *
 * Called by run.c around each entry, and by the core through vcpu_load().
 */
#include "boot/panic.h"
#include "vmx/backend.h"

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
	for (unsigned i = 0; i < x->vm.config.cpu_count; i++)
		x->cpu[i].exit_due |= DUE_FORGET;
}

/*
 * The base has another value than the processor now: encoder_item(), with `p` as the cursor behind the
 * encoder's items, since some of these come with every exit.
 */
static inline struct item *load_value(struct item *p, uint64_t *base, unsigned code, uint64_t value)
{
	if (__builtin_expect(value != *base, 0)) {
		/*
		 * Have the compiler fetch the base again here, so that the common path compares with memory.
		 */
		__asm__("" : "+m"(*base));
		*p++ = (struct item){ code, value - *base };
		*base = value;
	}
	return p;
}

/*
 * Fields that the SDM calls undefined after most exits are read only after the others ("Information for VM
 * Exits Due to Instruction Execution", "Information for VM Exits Due to Vectored Events"; PDPTEs: "Saving
 * Control Registers, Debug Registers, and MSRs"). Elsewhere a slot keeps what it had, and no handler may look
 * at it.
 */
static inline bool is_late(enum vmcs_slot slot)
{
	switch (slot) {
	case VMCS_GUEST_PHYSICAL_ADDR: case VMCS_GUEST_LINEAR_ADDR: case VMCS_EXIT_INSTRUCTION_INFO:
	case VMCS_EXIT_INTR_ERROR_CODE: case VMCS_IDT_VECTORING_ERROR_CODE:
	case VMCS_GUEST_PDPTE0: case VMCS_GUEST_PDPTE1: case VMCS_GUEST_PDPTE2: case VMCS_GUEST_PDPTE3:
		return true;
	default:
		return false;
	}
}

/*
 * Basic reasons below 64 with a guest-linear or guest-physical address or instruction information: VMX
 * instructions (19–27), LMSW (28), INS and OUTS (30), descriptor tables, EPT, INVEPT, INVVPID, RDRAND,
 * INVPCID, RDSEED, XSAVES, XRSTORS.
 */
#define REASON_RANGE(first, last) ((UINT64_C(2) << (last)) - (UINT64_C(1) << (first)))
#define REASONS_WITH_OPERAND								\
	(REASON_RANGE(19, 28) | REASON_RANGE(30, 30) | REASON_RANGE(46, 50) |		\
	 REASON_RANGE(53, 53) | REASON_RANGE(57, 58) | REASON_RANGE(61, 61) | REASON_RANGE(63, 63))

#define EFER_LMA	(1u << 10)
#define CR4_PAE		(1u << 5)

#define LOAD(name)									\
	p = load_value(p, &f[VMCS_##name], VMCS_##name,					\
		       backend_vmread(c, VMCS_##name, ENCODING_##name))

static inline struct item *load_late(struct vmx_cpu *c, uint64_t *f, struct item *p)
{
	uint64_t reason = f[VMCS_EXIT_REASON];

	if (reason >= 64 || REASONS_WITH_OPERAND >> reason & 1) {
		LOAD(GUEST_PHYSICAL_ADDR);
		LOAD(GUEST_LINEAR_ADDR);
		LOAD(EXIT_INSTRUCTION_INFO);
	}
	if (__builtin_expect((f[VMCS_EXIT_INTR_INFO] | f[VMCS_IDT_VECTORING_INFO]) & INTR_INFO_VALID, 0)) {
		LOAD(EXIT_INTR_ERROR_CODE);
		LOAD(IDT_VECTORING_ERROR_CODE);
	}
	if (__builtin_expect(!(f[VMCS_GUEST_EFER] & EFER_LMA), 0) && f[VMCS_GUEST_CR4] & CR4_PAE) {
		LOAD(GUEST_PDPTE0);
		LOAD(GUEST_PDPTE1);
		LOAD(GUEST_PDPTE2);
		LOAD(GUEST_PDPTE3);
	}
	return p;
}

#define LOAD_GUEST(name)	if (!is_late(VMCS_##name)) LOAD(name);
#define LOAD_INFO(name)		if (!is_late(VMCS_##name)) LOAD(name);
#define LOAD_OPTION(name)
#define LOAD_KEPT(name)
#define LOAD_HOST(name)

/* All fields that the processor may have changed, compared with the base (vmcs.def: GUEST, INFO). */
static inline struct item *load_marked(struct vmx_cpu *c, uint64_t *f, struct item *p)
{
#define VMCS(name, encoding, change) LOAD_##change(name)
#include "include/vmcs.def"
#undef VMCS
	return load_late(c, f, p);
}

/*
 * The others are what we wrote, or the record would lie: once a frame, or at each exit under check-snapshot.
 */
static void check_known(struct vmx_cpu *c)
{
	struct vmx *x = c->vmx;

	for (enum vmcs_slot slot = 0; slot < VMCS_SLOTS; slot++) {
		uint64_t value;

		if (!slot_test(x->known, slot) || !slot_test(x->supported, slot))
			continue;
		value = region_read(c, slot);
		if (value != c->v->vmcs[slot])
			panic("snapshot of vCPU %u: %s is %#lx, known was %#lx", c->v->index, vmcs_fields[slot].name,
			      value, c->v->vmcs[slot]);
	}
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
		check_known(c);
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

void backend_load_full(struct vmx_cpu *c, struct item *p)
{
	struct encoder *e = &c->vmx->tracer.encoder;

	p = load_marked(c, c->v->vmcs, p);
	e->item_count = p - e->items;
	if (__builtin_expect(c->exit_due, 0))
		backend_due(c);
}

/* ---- Flush and enter ---- */

static void flush_set(const struct vmx_cpu *c, uint64_t set, enum vmcs_slot first)
{
	for (; set; set &= set - 1) {
		enum vmcs_slot slot = first + (unsigned)__builtin_ctzll(set);

		region_write(c, slot, c->v->vmcs[slot]);
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

void backend_refused(struct vmx_cpu *c, int how)
{
	uint64_t error = how == 2 ? region_read(c, VMCS_VM_INSTRUCTION_ERROR) : 0;

	panic("%s of vCPU %u failed: %s %lu, %s", c->launched ? "VMRESUME" : "VMLAUNCH", c->v->index,
	      how == 2 ? "VM-instruction error" : "no current VMCS", error,
	      report_instruction_error(error));
}
