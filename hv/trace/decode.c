/*
 * decode.c: one record → one step; the mirror of encode.c, line by line. Every byte is hostile: whatever
 * the frame holds, the decoder stays within the frame and its own struct, and says what it expected.
 */
#include "bytes.h"
#include "decode.h"
#include "decode_section.h"
#include "record.h"

/* ---- keyframe ---- */

static void read_base(struct decoder *d, struct reader *r, struct vcpu *v, unsigned index)
{
	const struct session *s = d->session;
	uint64_t entry;

	memset(v, 0, sizeof(*v));
	v->index = index;
	for (unsigned i = 0; i < s->slot_count; i++) {
		uint64_t value;

		if (!(s->slot_flags[i] & SLOT_SUPPORTED))
			continue;
		value = read_varint(r);
		if (s->slot_map[i] < VMCS_SLOTS)
			v->vmcs[s->slot_map[i]] = value;
	}
	for (unsigned reg = 0; reg < GPR_COUNT; reg++)
		v->gpr[reg] = read_varint(r);
	v->tsc = read_varint(r);
	entry = read_varint(r);
	v->entry = entry <= ENTRY_STOP ? (enum entry_result)entry : ENTRY_ENTER;
	v->wake_at = read_varint(r) - 1;
	v->deadline = read_varint(r) - 1;
	d->entry_tsc[index] = read_varint(r);
}

static void read_vm(struct decoder *d, struct reader *r)
{
	const struct session *s = d->session;

	memset(&d->vm, 0, sizeof(d->vm));
	d->vm.config = s->config;
	vm_reset(&d->vm);
	d->vm.touched = 0;
	for (unsigned i = 0; i < s->vm_field_count; i++) {
		const struct session_vm_field *f = &s->vm_fields[i];
		unsigned copies = f->device == VM_DEVICE_CPU0 ? s->cpu_count : 1;

		if (f->device == VM_DEVICE_CONFIG)
			continue;
		for (unsigned n = 0; n < copies * f->count && !r->bad; n++) {
			uint64_t value = read_varint(r);
			unsigned element = n % f->count;

			if (f->local < 0 || element >= vm_fields[f->local].count)
				continue;
			put_le((uint8_t *)&d->vm + vm_fields[f->local].offset + n / f->count * sizeof(struct vm_cpu) +
			       element * f->size, value, f->size);
		}
	}
}

static void find_supported(struct decoder *d)
{
	const struct session *s = d->session;

	memset(d->supported, 0, sizeof(d->supported));
	for (unsigned i = 0; i < s->slot_count; i++)
		if (s->slot_flags[i] & SLOT_SUPPORTED && s->slot_map[i] < VMCS_SLOTS)
			slot_set(d->supported, s->slot_map[i]);
}

/* The columns stand at the frame's end, and behind them the size of each. */
static int find_columns(struct decoder *d)
{
	uint64_t left = (uint64_t)(d->end - d->p);
	const uint8_t *sizes = d->end - 4 * COLUMNS, *end = sizes;

	if (left < 4 * COLUMNS)
		return decoder_fail(d, NULL, "the sizes of columns at the frame's end");
	left -= 4 * COLUMNS;
	for (unsigned i = COLUMNS; i-- > 0;) {
		uint64_t size = get_le(sizes + 4 * i, 4);

		if (size > left)
			return decoder_fail(d, NULL, "columns that are within the frame");
		left -= size;
		d->columns[i] = (struct reader){ end - size, end, false };
		end -= size;
	}
	d->end = end;
	return 0;
}

static bool columns_are_used_up(const struct decoder *d)
{
	for (unsigned i = 0; i < COLUMNS; i++)
		if (d->columns[i].p != d->columns[i].end)
			return false;
	return true;
}

int decoder_open(struct decoder *d, const struct session *s, const struct frame_header *h, const uint8_t *raw, size_t size)
{
	struct reader r = { raw, raw + size, false };

	d->session = s;
	d->raw = d->p = raw;
	d->end = raw + size;
	d->error = NULL;
	d->steps_left = h->steps;
	d->exits_left = h->exits;
	d->next_step = h->first_step;
	d->next_seq = h->first_seq;
	d->last_vcpu = 0;
	d->step_end = 0;
	d->pending = false;
	d->casts_used = 0;
	d->generation++;
	find_supported(d);
	for (unsigned i = 0; i < s->cpu_count; i++) {
		read_base(d, &r, &d->cpu[i], i);
		memcpy(d->cpu[i].loaded, d->supported, sizeof(d->supported));
		d->exit_end[i] = d->entry_tsc[i];
		d->last_seq[i] = SEQ_NONE;
	}
	read_vm(d, &r);
	if (r.bad)
		return decoder_fail(d, &r, "a whole keyframe");
	d->p = r.p;
	return find_columns(d);
}

/* ---- the record ---- */

/* What is remembered under a key: nothing, and zeros, when the frame begins. */
static struct memo_items *snapshot_memo(struct decoder *d, unsigned index)
{
	struct memo_items *m = &d->snapshots[index];

	if (m->generation != d->generation) {
		m->generation = d->generation;
		m->known = 0;
		m->time = 0;
	}
	return m;
}

static struct memo_effects *effects_memo(struct decoder *d, unsigned index)
{
	struct memo_effects *m = &d->effects[index];

	if (m->items.generation != d->generation) {
		m->items.generation = d->generation;
		m->items.known = 0;
		m->items.time = 0;
		m->notes[0] = m->notes[1] = m->notes[2] = 0;
	}
	return m;
}

static uint64_t next_time(struct decoder *d)
{
	return read_signed(&d->columns[COLUMN_TIMES]);
}

static uint64_t read_time(struct decoder *d, struct memo_items *m, bool present)
{
	if (present)
		m->time += next_time(d);
	return d->step_end + m->time;
}

static void read_notes(struct decoder *d, const struct vcpu *v, struct memo_effects *m, bool present)
{
	struct step *s = &d->step;

	for (unsigned i = 0; present && i < 3; i++)
		m->notes[i] += next_time(d);
	s->handler_cycles = m->notes[0];
	s->tsc_entry = d->entry_tsc[v->index] + m->notes[1];
	s->tracer_cycles = s->tsc_entry - d->exit_end[v->index] - m->notes[2];
	d->step_end = d->exit_end[v->index] = v->tsc + s->handler_cycles;
}

static int read_insn(struct decoder *d, struct reader *r)
{
	unsigned len = (unsigned)read_le(r, 1);
	const uint8_t *bytes = len <= STEP_INSN_MAX ? read_bytes(r, len) : NULL;

	if (bytes == NULL || r->bad)
		return decoder_fail(d, r, "at most 15 instruction bytes");
	d->step.insn_len = (uint8_t)len;
	memcpy(d->step.insn, bytes, len);
	return 0;
}

static int read_exit(struct decoder *d, struct reader *r, struct vcpu *v, unsigned head)
{
	uint64_t reason, rip = memo_rip(v->vmcs[VMCS_GUEST_RIP], v->vmcs[VMCS_EXIT_REASON]);
	struct memo_items *before = snapshot_memo(d, memo_index(rip, 0));
	struct memo_effects *m;

	v->tsc = d->step.tsc = d->step_end = read_time(d, before, head & RECORD_TIME);
	if (d->session->level == TRACE_TOUCHED)
		section_forget_volatile(v);
	if ((head & RECORD_SNAPSHOT ? section_snapshot(d, r, v, before) : section_same_snapshot(d, r, v, before)) < 0)
		return -1;
	if (d->exits_left-- == 0)
		return decoder_fail(d, r, "no more exits than the header says");
	d->step.seq = d->last_seq[v->index] = d->next_seq++;
	if (head & RECORD_UNFINISHED)
		return 0;
	reason = v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC;
	m = effects_memo(d, memo_index(memo_rip(v->vmcs[VMCS_GUEST_RIP], reason), reason));
	if ((head & RECORD_EFFECTS ? section_effects(d, r, v, m) : section_same_effects(d, r, v, m)) < 0)
		return -1;
	read_notes(d, v, m, head & RECORD_NOTES);
	return head & RECORD_INSN ? read_insn(d, r) : 0;
}

static int read_entry_step(struct decoder *d, struct reader *r, struct vcpu *v, unsigned head)
{
	uint64_t rip = memo_rip(v->vmcs[VMCS_GUEST_RIP], v->vmcs[VMCS_EXIT_REASON]);
	struct memo_effects *m = effects_memo(d, memo_index(rip, MEMO_SALT_ENTRY));
	struct memo_items unused;	/* an entry step's snapshot section isn't remembered */

	v->tsc = d->step.tsc = d->step_end = read_time(d, &m->items, head & RECORD_TIME);
	d->step.seq = d->last_seq[v->index];
	d->entry_tsc[v->index] = v->tsc;
	if (head & RECORD_SNAPSHOT && section_snapshot(d, r, v, &unused) < 0)
		return -1;
	if (head & RECORD_UNFINISHED)
		return 0;
	return head & RECORD_EFFECTS ? section_effects(d, r, v, m) : section_same_effects(d, r, v, m);
}

void decoder_finish(struct decoder *d)
{
	struct step *s = &d->step;
	struct vcpu *v = &d->cpu[s->vcpu];

	if (!d->pending)
		return;
	d->pending = false;
	for (unsigned word = 0; word < VMCS_WORDS; word++)
		for (uint64_t set = v->dirty[word]; set; set &= set - 1) {
			unsigned slot = word * 64 + (unsigned)__builtin_ctzll(set);

			v->vmcs[slot] = v->vmcs_before[slot];
		}
	for (uint32_t set = v->gpr_dirty; set; set &= set - 1)
		v->gpr[__builtin_ctz(set)] = v->gpr_before[__builtin_ctz(set)];
	for (unsigned i = 0; i < s->effect_count; i++) {
		const struct effect *e = &s->effects[i];

		*(e->code < ITEM_GPR ? &v->vmcs[e->code] : &v->gpr[e->code - ITEM_GPR]) = e->after;
	}
	if (s->kind == STEP_ENTRY && !s->unfinished) {
		v->entry = s->entry;
		v->wake_at = s->wake_at;
		v->deadline = s->deadline;
	}
	v->tsc = s->tsc;
}

static void begin_step(struct decoder *d, struct vcpu *v, unsigned head)
{
	struct step *s = &d->step;

	s->number = d->next_step++;
	s->vcpu = v->index;
	s->kind = head & RECORD_KIND ? STEP_ENTRY : STEP_EXIT;
	s->unfinished = head & RECORD_UNFINISHED;
	s->changed_count = s->effect_count = s->crossing_count = s->check_count = 0;
	s->insn_len = 0;
	s->action = ACTION_RESUME;
	s->entry = ENTRY_ENTER;
	s->wake_at = v->wake_at;
	s->deadline = v->deadline;
	s->tsc_entry = s->handler_cycles = s->tracer_cycles = 0;
	memset(d->changed, 0, sizeof(d->changed));
	d->gpr_changed = 0;
	vcpu_begin_step(v, 0);
}

int decoder_next(struct decoder *d)
{
	struct reader r = { d->p, d->end, false };
	unsigned head;
	struct vcpu *v;
	int error;

	if (d->error)
		return -1;
	decoder_finish(d);
	if (d->steps_left == 0) {
		if (d->p != d->end || !columns_are_used_up(d))
			return decoder_fail(d, &r, "the end of records and columns after the last record");
		return d->exits_left ? decoder_fail(d, &r, "as many exits as the header says") : 0;
	}
	head = (unsigned)read_le(&r, 1);
	if (head & RECORD_VCPU)
		d->last_vcpu = (uint32_t)read_le(&r, 1);
	if (r.bad || d->last_vcpu >= d->session->cpu_count)
		return decoder_fail(d, &r, "a record of one of the session's vCPUs");
	v = &d->cpu[d->last_vcpu];
	begin_step(d, v, head);
	error = d->step.kind == STEP_EXIT ? read_exit(d, &r, v, head) : read_entry_step(d, &r, v, head);
	if (error)
		return -1;
	if (r.bad || d->columns[COLUMN_TIMES].bad)
		return decoder_fail(d, &r, r.bad ? "a whole record" : "a time in the frame's column");
	d->p = r.p;
	d->steps_left--;
	d->pending = true;
	return 1;
}

uint64_t decoder_expected(const struct decoder *d, unsigned code)
{
	const struct step *s = &d->step;
	const struct vcpu *v = &d->cpu[s->vcpu];

	for (unsigned i = 0; i < s->effect_count; i++)
		if (s->effects[i].code == code)
			return s->effects[i].after;
	if (code >= ITEM_GPR)
		return v->gpr_dirty >> (code - ITEM_GPR) & 1 ? v->gpr_before[code - ITEM_GPR] : v->gpr[code - ITEM_GPR];
	return slot_test(v->dirty, code) ? v->vmcs_before[code] : v->vmcs[code];
}
