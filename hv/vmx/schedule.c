/*
 * schedule.c: round robin over the vCPUs, by time slices that the preemption timer ends.
 *
 * Called by run.c between an exit and the next entry. It only reads what the steps leave in struct vm, and
 * decides nothing but the order: whether a vCPU runs or waits is vcpu_prepare_entry()'s word.
 */
#include "boot/panic.h"
#include "boot/x86.h"
#include "vmx/run.h"
#include "vmx/schedule.h"
#include "vmx/vmx.h"

#define SLICES_A_SECOND	100

void schedule_init(struct vmx *x)
{
	x->scheduler.slice = x->vm.config.tsc_khz * 1000 / SLICES_A_SECOND;
	x->scheduler.slice_end = x->vm.config.cpu_count > 1 ? 0 : TIME_NONE;
}

/* Once after each exit; a waiting vCPU again only when it is due or something was posted for it. */
static bool wants_step(const struct vmx *x, unsigned index, uint64_t now)
{
	return x->cpu[index].step_due || vm_cpu_wants_step(&x->vm, index, now);
}

static void choose(struct vmx *x, unsigned index, uint64_t now)
{
	struct scheduler *s = &x->scheduler;

	if (index != s->last || now >= s->slice_end)
		s->slice_end = x->vm.config.cpu_count > 1 ? now + s->slice : TIME_NONE;
	s->last = index;
}

/*
 * Asks the vCPUs in turn, from `first`; `all`: also those that have no reason to be asked. A vCPU's slice
 * begins when it is asked, because its entry step asks for the end.
 */
static enum entry_result ask(struct vmx *x, unsigned first, bool all)
{
	unsigned count = x->vm.config.cpu_count;

	for (unsigned n = 0; n < count; n++) {
		unsigned i = first + n < count ? first + n : first + n - count;
		uint64_t now = x86_rdtsc();
		enum entry_result result;

		if (!all && !wants_step(x, i, now))
			continue;
		choose(x, i, now);
		result = run_entry_step(&x->cpu[i], now);
		if (result != ENTRY_WAIT)
			return result;
	}
	return ENTRY_WAIT;
}

struct vmx_cpu *schedule_next(struct vmx *x)
{
	struct scheduler *s = &x->scheduler;
	unsigned first = s->last;
	enum entry_result result;

	/* Its time is over: the others come first, and it last. */
	if (!schedule_goes_on(x, x86_rdtsc()))
		first = first + 1 < x->vm.config.cpu_count ? first + 1 : 0;
	result = ask(x, first, false);
	/*
	 * All wait, and nobody is due yet (the timer had gone off at its bound): one of them idles in HLT
	 * once more.
	 */
	if (result == ENTRY_WAIT)
		result = ask(x, s->last, true);
	if (result == ENTRY_WAIT)
		panic("every vCPU says it waits, and none idles");
	return result == ENTRY_ENTER ? &x->cpu[s->last] : NULL;
}

uint64_t schedule_slice_end(const struct vmx *x, const struct vmx_cpu *c)
{
	for (unsigned i = 0; i < x->vm.config.cpu_count; i++)
		if (i != c->v->index && wants_step(x, i, c->v->tsc))
			return x->scheduler.slice_end;
	return TIME_NONE;
}
