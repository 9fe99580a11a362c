/*
 * frame.c: one frame's steps through the core. Called by pool.c's threads, each with a struct replay_run of
 * its own.
 *
 * The handler runs on the decoder's own struct vcpu, which then takes the recorded end state, and on the
 * frame's struct vm, which only replay carries on. Nothing is allocated or copied per step.
 */
#include <stdlib.h>
#include <string.h>

#include "recorder/words.h"
#include "replay/replay.h"

enum { LOCK_NONE, LOCK_VM };

/* Whether an exit's handler may look at what changes in struct vm (exits.def). */
static const uint8_t exit_lock[] = {
#define EXIT(number, name, handler, lock) [number] = LOCK_##lock,
#include "exits.def"
#undef EXIT
};

/*
 * What the core leaves to its host: only slots that the record holds are loaded. Weak, so that tests of the
 * core that link with the tool can bring their own.
 */
static _Thread_local struct replay_run *running;

__attribute__((weak)) uint64_t vcpu_load(struct vcpu *v, enum vmcs_slot slot)
{
	struct replay_run *run = running;
	struct divergence *d;

	(void)v;
	if (!run)
		abort();	/* only replay runs the core in this program */
	d = diverge(run, DIVERGE_QUESTION);
	if (d) {
		snprintf(d->name, sizeof(d->name), "VMREAD");
		snprintf(d->expected, sizeof(d->expected), "not recorded");
		snprintf(d->got, sizeof(d->got), "asked for %s", vmcs_fields[slot].name);
	}
	run->guard.armed = 0;
	longjmp(run->guard.env, GUARD_WORLD);
}

const struct replay_core replay_core_build = { exit_dispatch, vcpu_prepare_entry };

struct replay_run *replay_run_new(const struct trace *trace, const struct replay_options *options)
{
	const struct trace_selection *selection = &options->selection;
	struct replay_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->trace = trace;
	run->options = options;
	run->select_all = selection->first_seq == 0 && selection->last_seq == UINT64_MAX &&
			  selection->reason < 0 && selection->vcpu < 0;
	run->notes = malloc(REPLAY_NOTES * sizeof(*run->notes));
	run->cursor = trace_cursor_new(trace);
	if (!run->notes || !run->cursor) {
		replay_run_free(run);
		return NULL;
	}
	run->decoder = trace_cursor_decoder(run->cursor);
	replay_world_init(&run->world, run);
	return run;
}

void replay_run_free(struct replay_run *run)
{
	if (run->cursor)
		trace_cursor_free(run->cursor);
	free(run->notes);
	free(run);
}

/* ---- Places ---- */

static uint64_t value_before(const struct vcpu *v, enum vmcs_slot slot)
{
	return slot_test(v->dirty, slot) ? v->vmcs_before[slot] : v->vmcs[slot];
}

static unsigned code_bits(const struct vcpu *v)
{
	uint64_t rights = value_before(v, VMCS_GUEST_CS_ACCESS_RIGHTS);

	if (value_before(v, VMCS_GUEST_EFER) & 1u << 10 && rights & AR_LONG)
		return 64;
	return rights & AR_DB ? 32 : 16;
}

static void find_instruction(const struct replay_run *run, const struct vcpu *v, struct divergence *d)
{
	uint64_t cr3 = value_before(v, VMCS_GUEST_CR3);

	for (size_t i = run->note_count; i-- > 0;) {
		const struct insn_note *n = &run->notes[i];

		if (n->rip != d->rip || n->cr3 != cr3)
			continue;
		d->insn_len = n->len;
		memcpy(d->insn, n->bytes, n->len);
		return;
	}
}

struct divergence *diverge(struct replay_run *run, enum divergence_kind kind)
{
	const struct step *s = &run->decoder->step;
	const struct vcpu *v = run->vcpu;
	struct divergence *d;

	if (!run->comparing)
		return NULL;
	d = report_add(&run->result->report, kind, run->after_first);
	if (!d)
		return NULL;
	d->is_entry = s->kind == STEP_ENTRY;
	d->vcpu = s->vcpu;
	d->step = s->number;
	d->seq = s->seq;
	d->reason = run->last_reason[s->vcpu];
	d->rip = value_before(v, VMCS_GUEST_RIP);
	d->bits = (uint8_t)code_bits(v);
	if (!d->is_entry) {
		exit_subject(d->subject, sizeof(d->subject), v, d->reason);
		find_instruction(run, v, d);
	}
	return d;
}

/* ---- One step ---- */

static void keep_note(struct replay_run *run, const struct step *s)
{
	struct insn_note *n;

	if (run->note_count == REPLAY_NOTES)
		return;
	n = &run->notes[run->note_count++];
	n->cr3 = run->vcpu->vmcs[VMCS_GUEST_CR3];
	n->rip = run->vcpu->vmcs[VMCS_GUEST_RIP];
	n->len = s->insn_len;
	memcpy(n->bytes, s->insn, s->insn_len);
}

/* Whether the step's divergences are reported; an entry step goes with its vCPU's last exit. */
static bool is_selected(struct replay_run *run, const struct step *s, unsigned reason)
{
	const struct trace_selection *sel = &run->options->selection;

	if (run->select_all)
		return true;
	if (sel->vcpu >= 0 && (uint32_t)sel->vcpu != s->vcpu)
		return false;
	if (s->kind == STEP_EXIT)
		return run->last_selected[s->vcpu] = s->seq >= sel->first_seq && s->seq <= sel->last_seq &&
						     (sel->reason < 0 || (unsigned)sel->reason == reason);
	if (sel->reason < 0 && sel->first_seq == 0 && sel->last_seq == UINT64_MAX)
		return true;
	return run->last_selected[s->vcpu];
}

static bool depends_on_vm(const struct step *s, unsigned reason)
{
	return s->kind == STEP_ENTRY || reason >= sizeof(exit_lock) || exit_lock[reason] == LOCK_VM;
}

/* Run the core's function. Out of line: after longjmp() only what `run` points to is looked at. */
static __attribute__((noinline)) void run_core(struct replay_run *run)
{
	const struct replay_core *core = run->options->core;
	struct guard *g = &run->guard;

	run->cause = (enum guard_cause)_setjmp(g->env);
	if (run->cause != GUARD_RETURNED)
		return;
	g->serial++;
	g->armed = 1;
	if (run->decoder->step.kind == STEP_EXIT)
		run->returned = core->exit(run->vcpu, &run->decoder->vm, &run->world.world);
	else
		run->returned = core->entry(run->vcpu, &run->decoder->vm, &run->world.world);
	g->armed = 0;
}

static void handler_failed(struct replay_run *run)
{
	struct divergence *d;

	if (run->cause == GUARD_LOOPED)
		run->result->looped = true;
	if (run->cause == GUARD_WORLD)
		return;		/* said already */
	d = diverge(run, DIVERGE_HANDLER);
	if (!d)
		return;
	snprintf(d->name, sizeof(d->name), "handler");
	snprintf(d->expected, sizeof(d->expected), "returns");
	if (run->cause == GUARD_LOOPED)
		snprintf(d->got, sizeof(d->got), "doesn't return; the rest of the frame is skipped");
	else
		snprintf(d->got, sizeof(d->got), "crashed: %s", strsignal(run->guard.signal));
}

static void count_compared(struct replay_run *run, const struct step *s)
{
	struct frame_result *r = run->result;

	if (!run->comparing)
		r->unselected++;
	else if (s->kind == STEP_EXIT)
		r->exits++;
	else
		r->entries++;
}

/* false: the frame can't go on. */
static bool replay_step(struct replay_run *run)
{
	struct decoder *d = run->decoder;
	const struct step *s = &d->step;
	unsigned reason;

	run->vcpu = &d->cpu[s->vcpu];
	if (s->kind == STEP_EXIT)
		run->last_reason[s->vcpu] = run->vcpu->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC;
	reason = run->last_reason[s->vcpu];
	run->comparing = is_selected(run, s, reason);
	if (s->insn_len)
		keep_note(run, s);
	if (s->unfinished) {
		run->result->unfinished += run->comparing;
		run->result->skipped += run->comparing;
		run->result->complete = false;
		return true;
	}
	if (!replay_world_begin(&run->world, s)) {
		snprintf(run->result->error, sizeof(run->result->error),
			 "%s: step %lu holds more guest memory than a step can",
			 trace_path(run->trace), (unsigned long)s->number);
		return false;
	}
	count_compared(run, s);
	run->after_first = run->result->mismatched && depends_on_vm(s, reason);
	d->vm.touched = 0;
	run_core(run);
	if (run->cause != GUARD_RETURNED) {
		handler_failed(run);
		run->result->mismatched = UINT32_MAX;	/* left half-way, with its devices */
		return !run->result->looped;
	}
	if (run->comparing)
		compare_step(run);
	return true;
}

static void begin_frame(struct replay_run *run, const struct trace_frame_info *info,
			struct frame_result *result)
{
	run->result = result;
	run->note_count = 0;
	for (unsigned i = 0; i < VM_MAX_CPUS; i++) {
		run->last_reason[i] = REASON_NONE;
		run->last_selected[i] = false;
	}
	result->frame = info->header.frame;
	result->first_step = info->header.first_step;
	result->exits = result->entries = result->unselected = result->unfinished = result->skipped = 0;
	result->complete = run->select_all;
	result->opened = result->looped = false;
	result->mismatched = 0;
	result->error[0] = '\0';
	report_clear(&result->report);
}

void replay_frame(struct replay_run *run, size_t index, struct frame_result *result)
{
	const struct trace_frame_info *info = trace_frame(run->trace, index);
	struct decoder *d = run->decoder;
	uint64_t done = 0;
	int more = -1;

	begin_frame(run, info, result);
	running = run;
	if (trace_cursor_load(run->cursor, index) == 0) {
		d->vm.touched = 0;
		result->start = d->vm;
		result->opened = true;
		while ((more = trace_cursor_next(run->cursor)) > 0) {
			done++;
			if (!replay_step(run))
				break;
		}
	}
	running = NULL;
	result->end = d->vm;
	if (more == 0)
		return;
	result->complete = false;
	result->skipped += info->header.steps > done ? info->header.steps - done : 0;
	if (more < 0)
		snprintf(result->error, sizeof(result->error), "%s", trace_cursor_error(run->cursor));
}
