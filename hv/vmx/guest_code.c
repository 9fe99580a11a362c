/*
 * guest_code.c: fetches the instruction at an exit's RIP, as a note for tools.
 *
 * Called by run.c when the tracer meets a (CR3, RIP) that is new in its frame. It translates with the core's
 * own page walk, through a world that records nothing and changes nothing: what tools want must not show in
 * the record.
 */
#include "insn/linear.h"
#include "lib/string.h"
#include "vmx/guest_code.h"
#include "vmx/vmx.h"

#define PAGE 4096u

static void quiet_mem_read(struct world *w, uint64_t gpa, void *to, uint32_t len)
{
	const struct vmx *x = w->context;

	memcpy(to, x->guest_memory + gpa, len);
}

/* The walk would set accessed bits, which the processor's own fetch has set: say that it worked. */
static uint64_t quiet_mem_cmpxchg(struct world *w, uint64_t gpa, uint32_t size, uint64_t expected, uint64_t desired)
{
	(void)w, (void)gpa, (void)size, (void)desired;
	return expected;
}

static const struct world_ops quiet = { .mem_read = quiet_mem_read, .mem_cmpxchg = quiet_mem_cmpxchg };

/* Up to `len` bytes from `linear`, none across a page's end; gives how many there are. */
static uint32_t fetch(struct vmx_cpu *c, uint64_t linear, uint8_t *to, uint32_t len)
{
	struct vmx *x = c->vmx;
	struct world w = { .ops = &quiet, .context = x };
	uint32_t in_page = PAGE - (linear & (PAGE - 1));
	struct fault fault;
	uint64_t gpa;

	if (len > in_page)
		len = in_page;
	if (!walk_linear(c->v, &x->vm, &w, linear, ACCESS_FETCH | walk_privilege(c->v), &gpa, &fault) ||
	    !vm_has_memory(&x->vm, gpa, len))
		return 0;
	memcpy(to, x->guest_memory + gpa, len);
	return len;
}

void guest_code_note(struct vmx_cpu *c)
{
	struct access a = { .v = c->v, .vm = &c->vmx->vm };
	uint8_t bytes[STEP_INSN_MAX];
	uint32_t len = 0;
	uint64_t linear;

	if (linear_address(&a, SEG_CS, c->v->vmcs[VMCS_GUEST_RIP], 1, ACCESS_FETCH, &linear)) {
		len = fetch(c, linear, bytes, sizeof(bytes));
		if (len && len < sizeof(bytes))
			len += fetch(c, linear + len, bytes + len, sizeof(bytes) - len);
	}
	encoder_note_insn(&c->vmx->tracer.encoder, bytes, len);
}
