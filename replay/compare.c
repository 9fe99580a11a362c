/*
 * compare.c: what the handler did against what the record says it did. Called by frame.c after each selected
 * step.
 *
 * VMCS fields and registers are compared as values at the end of the step, in both directions: a recorded
 * change that didn't come, and a change that isn't recorded. Writing what was there already is no effect.
 */
#include <string.h>

#include "replay/replay.h"

/* ---- Fields and registers ---- */

static void value_diverged(struct replay_run *run, unsigned code, uint64_t expected, uint64_t got)
{
	bool is_slot = code < ITEM_GPR;
	struct divergence *d = diverge(run, is_slot ? DIVERGE_VMCS : DIVERGE_GPR);

	if (!d)
		return;
	if (is_slot) {
		snprintf(d->name, sizeof(d->name), "%s", vmcs_fields[code].name);
		explain_slot(d->expected, sizeof(d->expected), code, expected);
		explain_slot(d->got, sizeof(d->got), code, got);
		return;
	}
	snprintf(d->name, sizeof(d->name), "%s", explain_gpr(code - ITEM_GPR));
	snprintf(d->expected, sizeof(d->expected), "%#lx", (unsigned long)expected);
	snprintf(d->got, sizeof(d->got), "%#lx", (unsigned long)got);
}

static void compare_value(struct replay_run *run, unsigned code, uint64_t expected)
{
	const struct vcpu *v = run->vcpu;
	uint64_t got = code < ITEM_GPR ? v->vmcs[code] : v->gpr[code - ITEM_GPR];

	if (got != expected)
		value_diverged(run, code, expected, got);
}

static void compare_values(struct replay_run *run)
{
	const struct step *s = &run->decoder->step;
	const struct vcpu *v = run->vcpu;
	uint64_t seen[4] = { 0 };
	uint32_t gprs;

	for (unsigned i = 0; i < s->effect_count; i++) {
		seen[s->effects[i].code / 64] |= UINT64_C(1) << s->effects[i].code % 64;
		compare_value(run, s->effects[i].code, s->effects[i].after);
	}
	for (unsigned word = 0; word < VMCS_WORDS; word++)
		for (uint64_t set = v->dirty[word] & ~seen[word]; set; set &= set - 1) {
			unsigned slot = word * 64 + (unsigned)__builtin_ctzll(set);

			compare_value(run, slot, v->vmcs_before[slot]);
		}
	gprs = v->gpr_dirty & ~(uint32_t)(seen[ITEM_GPR / 64] >> ITEM_GPR % 64);
	for (uint32_t set = gprs; set; set &= set - 1) {
		unsigned reg = (unsigned)__builtin_ctz(set);

		compare_value(run, ITEM_GPR + reg, v->gpr_before[reg]);
	}
}

/* ---- Action, or the result of an entry step ---- */

static void compare_time(struct replay_run *run, const char *name, uint64_t expected, uint64_t got)
{
	struct divergence *d;

	if (expected == got)
		return;
	d = diverge(run, DIVERGE_TIME);
	if (!d)
		return;
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->expected, sizeof(d->expected), expected == TIME_NONE ? "none" : "%#lx",
		 (unsigned long)expected);
	snprintf(d->got, sizeof(d->got), got == TIME_NONE ? "none" : "%#lx", (unsigned long)got);
}

static void compare_result(struct replay_run *run)
{
	const struct step *s = &run->decoder->step;
	bool is_entry = s->kind == STEP_ENTRY;
	unsigned expected = is_entry ? (unsigned)s->entry : (unsigned)s->action;
	struct divergence *d;

	if (expected != run->returned && (d = diverge(run, DIVERGE_ACTION)) != NULL) {
		snprintf(d->name, sizeof(d->name), is_entry ? "result" : "action");
		snprintf(d->expected, sizeof(d->expected), "%s", explain_action(is_entry, expected));
		snprintf(d->got, sizeof(d->got), "%s", explain_action(is_entry, run->returned));
	}
	if (!is_entry)
		return;
	compare_time(run, "wake_at", s->wake_at, run->vcpu->wake_at);
	compare_time(run, "deadline", s->deadline, run->vcpu->deadline);
}

/* ---- Devices ---- */

static void device_diverged(struct replay_run *run, unsigned device, const char *expected, const char *got)
{
	struct frame_result *r = run->result;
	struct divergence *d;
	bool before = run->after_first;

	/* A device's own first mismatch stands in the first list, unless a handler was left half-way. */
	run->after_first = r->mismatched >> device & 1;
	r->mismatched |= UINT32_C(1) << device;
	d = diverge(run, DIVERGE_DEVICE);
	run->after_first = before;
	if (!d)
		return;
	explain_device(d->name, sizeof(d->name), device);
	snprintf(d->expected, sizeof(d->expected), "%s", expected);
	snprintf(d->got, sizeof(d->got), "%s", got);
}

static void compare_devices(struct replay_run *run)
{
	const struct decoder *dec = run->decoder;
	const struct step *s = &dec->step;
	uint64_t touched = dec->vm.touched;

	for (unsigned i = 0; i < s->check_count; i++) {
		unsigned device = s->checks[i].device;
		bool was_touched = touched >> device & 1;
		char expected[48], got[48];
		uint8_t check;

		touched &= ~(UINT64_C(1) << device);
		if (!session_vm_check(dec->session, &dec->vm, device, &check))
			/* the trace has state that this build lacks: said once, at the start */
			continue;
		if (was_touched && check == s->checks[i].value)
			continue;
		snprintf(expected, sizeof(expected), "changed, check byte %#04x", s->checks[i].value);
		snprintf(got, sizeof(got), "%s, check byte %#04x", was_touched ? "changed" : "not touched",
			 check);
		device_diverged(run, device, expected, got);
	}
	for (; touched; touched &= touched - 1)
		device_diverged(run, (unsigned)__builtin_ctzll(touched), "not touched", "changed");
}

void compare_step(struct replay_run *run)
{
	compare_result(run);
	compare_values(run);
	replay_world_end(&run->world);
	compare_devices(run);
}

/* ---- Keyframes ---- */

static uint64_t element_value(const struct vm *vm, const struct vm_field *f, unsigned cpu, unsigned element)
{
	uint64_t value = 0;

	memcpy(&value, (const uint8_t *)vm + f->offset + cpu * sizeof(struct vm_cpu) + element * f->size,
	       f->size);
	return value;
}

static void keyframe_diverged(struct frame_result *before, const struct frame_result *after,
			      const struct vm_field *f, unsigned cpu, unsigned element)
{
	unsigned device = f->device == VM_DEVICE_CPU0 ? VM_DEVICE_CPU0 + cpu : f->device;
	bool again = device < VM_DEVICE_COUNT && before->mismatched >> device & 1;
	struct divergence *d = report_add(&before->report, DIVERGE_KEYFRAME, again);
	const char *name = f->name;
	uint64_t expected, got;
	size_t used;

	if (!d)
		return;
	d->seq = SEQ_NONE;
	d->reason = REASON_NONE;
	d->step = after->first_step;
	d->frame = after->frame;
	d->vcpu = cpu;
	if (f->device == VM_DEVICE_CPU0) {
		name = strchr(name, '.') ? strchr(name, '.') + 1 : name;
		snprintf(d->name, sizeof(d->name), "cpu[%u].%s", cpu, name);
	} else {
		snprintf(d->name, sizeof(d->name), "%s", name);
	}
	used = strlen(d->name);
	if (f->count > 1)
		snprintf(d->name + used, sizeof(d->name) - used, "[%u]", element);
	expected = element_value(&after->start, f, cpu, element);
	got = element_value(&before->end, f, cpu, element);
	snprintf(d->expected, sizeof(d->expected), "%#lx", (unsigned long)expected);
	snprintf(d->got, sizeof(d->got), "%#lx", (unsigned long)got);
}

void compare_keyframe(const struct session *session, struct frame_result *before,
		      const struct frame_result *after)
{
	for (unsigned row = 0; row < session->vm_field_count; row++) {
		const struct session_vm_field *theirs = &session->vm_fields[row];
		const struct vm_field *f;
		unsigned copies = theirs->device == VM_DEVICE_CPU0 ? session->cpu_count : 1;

		if (theirs->local < 0)
			continue;
		f = &vm_fields[theirs->local];
		for (unsigned n = 0; n < copies * f->count; n++) {
			unsigned cpu = n / f->count, element = n % f->count;

			if (element < theirs->count &&
			    element_value(&before->end, f, cpu, element) !=
			    element_value(&after->start, f, cpu, element))
				keyframe_diverged(before, after, f, cpu, element);
		}
	}
}
