/*
 * decode_section.c: the sections of a record: what the load changed, and what the handler did. Called by
 * decode.c; a section is the record's own bytes, or absent and what its memo remembers. Hostile bytes give
 * decoder_fail(), and nothing outside of d->step, the vCPU and the memo is written.
 */
#include "decode.h"
#include "decode_section.h"
#include "record.h"
#include "value.h"

int decoder_fail(struct decoder *d, const struct reader *r, const char *what)
{
	d->error = what;
	d->error_at = (uint32_t)((r && r->p >= d->raw && r->p <= d->end ? r->p : d->p) - d->raw);
	d->steps_left = 0;
	return -1;
}

/* ---- codes and memos ---- */

#define CODE_DROPPED 0xff	/* a slot of the trace that this build lacks */
_Static_assert(ITEM_GPR + GPR_COUNT <= CODE_DROPPED, "no register's code");

/* The trace's code as this build's. false after decoder_fail(). */
static inline bool local_code(struct decoder *d, const struct reader *r, unsigned *code)
{
	if (*code >= ITEM_GPR) {
		if (*code < ITEM_GPR + GPR_COUNT)
			return true;
		decoder_fail(d, r, "the code of a register");
		return false;
	}
	if (*code >= d->session->slot_count) {
		decoder_fail(d, r, "a slot of the dictionary");
		return false;
	}
	*code = d->session->slot_map[*code];
	if (*code == VMCS_SLOTS)
		*code = CODE_DROPPED;
	return true;
}

static inline uint64_t value_of(const struct vcpu *v, unsigned code)
{
	if (code >= ITEM_GPR)
		return code == CODE_DROPPED ? 0 : v->gpr[code - ITEM_GPR];
	return v->vmcs[code];
}

/* Begin to remember a section; one that is read to its end, and isn't too long, is known. */
static inline void memo_begin(struct memo_items *m)
{
	m->known = 0;
	m->count = 0;
}

/* The count goes on beyond MEMO_ITEMS: that section is too long. A list has fewer codes than a byte counts. */
static inline void memo_add(struct memo_items *m, unsigned code, uint64_t difference)
{
	if (m->count < MEMO_ITEMS) {
		m->code[m->count] = (uint8_t)code;
		m->difference[m->count] = difference;
	}
	m->count++;
}

static int no_memo(struct decoder *d, const struct reader *r)
{
	return decoder_fail(d, r, "a section that was there before under this key");
}

/* ---- lists ---- */

/* A list of values being read; the values of its codes in its cast, or NULL. */
struct list {
	struct value_list l;
	uint64_t *cast;
};

static inline bool list_begin(struct decoder *d, struct reader *r, struct list *list)
{
	list->cast = NULL;
	if (!value_list_read(&list->l, r, d->columns))
		return false;
	if (!list->l.columns)
		return true;
	list->cast = d->cast[list->l.cast];
	if (!(d->casts_used >> list->l.cast & 1))
		memset(list->cast, 0, sizeof(d->cast[0]));
	d->casts_used |= UINT64_C(1) << list->l.cast;
	return true;
}

/* The value of `code`, which is the list's next. */
static inline uint64_t list_value(struct list *list, unsigned code, uint64_t base)
{
	uint64_t *cast = list->cast ? &list->cast[value_place(code)] : NULL;
	uint64_t value = read_value(&list->l, base, cast ? *cast : 0);

	if (cast)
		*cast = value;
	return value;
}

/* ---- the snapshot section ---- */

/* The loaded set of an exit at level `touched`: what only we change, and what the record lists. */
void section_forget_volatile(struct vcpu *v)
{
	for (unsigned slot = 0; slot < VMCS_SLOTS; slot++)
		if (vmcs_fields[slot].change == VMCS_CHANGE_GUEST || vmcs_fields[slot].change == VMCS_CHANGE_INFO)
			v->loaded[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

static inline void load_value(struct decoder *d, struct vcpu *v, unsigned code, uint64_t difference)
{
	if (code >= ITEM_GPR) {
		if (code == CODE_DROPPED)
			return;
		v->gpr[code - ITEM_GPR] += difference;
		d->gpr_changed |= 1u << (code - ITEM_GPR);
		d->step.changed_count++;
		return;
	}
	slot_set(v->loaded, code);
	if (difference) {
		v->vmcs[code] += difference;
		slot_set(d->changed, code);
		d->step.changed_count++;
	}
}

int section_snapshot(struct decoder *d, struct reader *r, struct vcpu *v, struct memo_items *m)
{
	struct list list;
	unsigned code;

	memo_begin(m);
	if (!list_begin(d, r, &list))
		return decoder_fail(d, r, "the codes of a snapshot section");
	while (value_list_next(&list.l, &code)) {
		uint64_t before, difference;

		if (!local_code(d, r, &code))
			return -1;
		before = value_of(v, code);
		difference = list_value(&list, code, before) - before;
		if (list.l.forms->bad)
			return decoder_fail(d, r, "the values of a snapshot section");
		memo_add(m, code, difference);
		load_value(d, v, code, difference);
	}
	m->known = m->count <= MEMO_ITEMS;
	return 0;
}

int section_same_snapshot(struct decoder *d, struct reader *r, struct vcpu *v, const struct memo_items *m)
{
	if (!m->known)
		return no_memo(d, r);
	for (unsigned i = 0; i < m->count; i++)
		load_value(d, v, m->code[i], m->difference[i]);
	return 0;
}

/* ---- the effects section: what was changed ---- */

static inline int add_effect(struct decoder *d, struct reader *r, unsigned code, uint64_t before, uint64_t after)
{
	struct step *s = &d->step;

	if (before == after)
		return 0;
	if (s->effect_count == STEP_ITEMS)
		return decoder_fail(d, r, "fewer effects");
	s->effects[s->effect_count++] = (struct effect){ (uint8_t)code, before, after };
	return 0;
}

/* Predicted values of two slots (exits) or one (entry steps); values correct them. */
struct prediction {
	unsigned count;
	enum vmcs_slot slot[2];
	uint64_t value[2];
};

static struct prediction predict(const struct decoder *d, const struct vcpu *v)
{
	const struct step *s = &d->step;
	struct prediction p = { 0 };

	if (s->kind == STEP_EXIT && s->action == ACTION_RETIRE) {
		p.count = 2;
		p.slot[0] = VMCS_GUEST_RIP;
		p.value[0] = v->vmcs[VMCS_GUEST_RIP] + v->vmcs[VMCS_EXIT_INSTRUCTION_LEN];
		p.slot[1] = VMCS_GUEST_INTERRUPTIBILITY;
		p.value[1] = v->vmcs[VMCS_GUEST_INTERRUPTIBILITY] & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS);
	} else if (s->kind == STEP_ENTRY && s->entry == ENTRY_ENTER) {
		p.count = 1;
		p.slot[0] = VMCS_PREEMPTION_TIMER_VALUE;
		p.value[0] = vm_preemption_timer(&d->session->config, s->deadline, s->tsc);
	}
	return p;
}

/* What the value of `code` counts from: the prediction, if there is one (then *predicted), or the state. */
static inline uint64_t effect_base(struct prediction *p, const struct vcpu *v, unsigned code, uint64_t **predicted)
{
	*predicted = NULL;
	for (unsigned i = 0; i < p->count; i++) {
		if (p->slot[i] == code) {
			*predicted = &p->value[i];
			return p->value[i];
		}
	}
	return value_of(v, code);
}

static inline int effect_value(struct decoder *d, struct reader *r, unsigned code, uint64_t *predicted, uint64_t base,
			       uint64_t difference)
{
	if (predicted)
		*predicted += difference;
	else if (code != CODE_DROPPED)
		return add_effect(d, r, code, base, base + difference);
	return 0;
}

static inline int add_predicted(struct decoder *d, struct reader *r, const struct vcpu *v, const struct prediction *p)
{
	for (unsigned i = 0; i < p->count; i++)
		if (add_effect(d, r, p->slot[i], v->vmcs[p->slot[i]], p->value[i]) < 0)
			return -1;
	return 0;
}

static int read_effect_values(struct decoder *d, struct reader *r, const struct vcpu *v, struct memo_items *m)
{
	struct prediction p = predict(d, v);
	struct list list;
	unsigned code;

	memo_begin(m);
	if (!list_begin(d, r, &list))
		return decoder_fail(d, r, "the codes of an effects section");
	while (value_list_next(&list.l, &code)) {
		uint64_t base, difference, *predicted;

		if (!local_code(d, r, &code))
			return -1;
		base = effect_base(&p, v, code, &predicted);
		difference = list_value(&list, code, base) - base;
		if (list.l.forms->bad)
			return decoder_fail(d, r, "the values of an effects section");
		memo_add(m, code, difference);
		if (effect_value(d, r, code, predicted, base, difference) < 0)
			return -1;
	}
	return add_predicted(d, r, v, &p);
}

static int same_effect_values(struct decoder *d, struct reader *r, const struct vcpu *v, const struct memo_items *m)
{
	struct prediction p = predict(d, v);

	for (unsigned i = 0; i < m->count; i++) {
		uint64_t *predicted, base = effect_base(&p, v, m->code[i], &predicted);

		if (effect_value(d, r, m->code[i], predicted, base, m->difference[i]) < 0)
			return -1;
	}
	return add_predicted(d, r, v, &p);
}

/* ---- the effects section: all of it ---- */

static int read_crossings(struct decoder *d, struct reader *r, uint64_t count)
{
	struct step *s = &d->step;
	uint64_t total = 0;

	if (count > STEP_CROSSINGS)
		return decoder_fail(d, r, "at most 512 crossings");
	for (s->crossing_count = 0; s->crossing_count < count; s->crossing_count++) {
		struct crossing *c = &s->crossings[s->crossing_count];
		uint64_t size;

		c->kind = (uint8_t)read_le(r, 1);
		c->addr = read_varint(r);
		size = read_varint(r);
		if (r->bad || c->kind >= CROSSING_KIND_COUNT || size > CROSSING_MAX ||
		    (total += size) > STEP_CROSSINGS_MAX)
			return decoder_fail(d, r, "a crossing within its bounds");
		c->size = (uint32_t)size;
		if (size <= 8) {
			c->value = read_varint(r);
			c->bytes = (const uint8_t *)&c->value;
		} else {
			c->value = 0;
			c->bytes = read_bytes(r, size);
		}
		if (r->bad)
			return decoder_fail(d, r, "a whole crossing");
	}
	return 0;
}

static int read_checks(struct decoder *d, struct reader *r)
{
	struct step *s = &d->step;
	uint64_t set = read_varint(r);

	if (set >> VM_DEVICE_COUNT)
		return decoder_fail(d, r, "a set of known devices");
	for (s->check_count = 0; set; set &= set - 1, s->check_count++) {
		s->checks[s->check_count].device = (uint8_t)__builtin_ctzll(set);
		s->checks[s->check_count].value = (uint8_t)read_le(r, 1);
	}
	return r->bad ? decoder_fail(d, r, "a whole effects section") : 0;
}

/* wake_at or deadline of an entry step. */
static inline uint64_t wait_time(unsigned form, uint64_t state, uint64_t now, uint64_t difference)
{
	switch (form) {
	case WAIT_SAME: return state;
	case WAIT_NONE: return TIME_NONE;
	default: return now + difference;
	}
}

static int set_result(struct decoder *d, struct reader *r, const struct vcpu *v, unsigned result, const uint64_t waits[2])
{
	struct step *s = &d->step;
	unsigned wake_at, deadline;

	if (s->kind == STEP_EXIT) {
		if (result > ACTION_STOP)
			return decoder_fail(d, r, "an action");
		s->action = (enum exit_action)result;
		return 0;
	}
	wake_at = result >> WAIT_WAKE_AT & WAIT_MASK;
	deadline = result >> WAIT_DEADLINE & WAIT_MASK;
	if ((result & WAIT_RESULT) > ENTRY_STOP || wake_at > WAIT_TIME || deadline > WAIT_TIME ||
	    result >> (WAIT_DEADLINE + 2))
		return decoder_fail(d, r, "an entry step's result");
	s->entry = (enum entry_result)(result & WAIT_RESULT);
	s->wake_at = wait_time(wake_at, v->wake_at, s->tsc, waits[0]);
	s->deadline = wait_time(deadline, v->deadline, s->tsc, waits[1]);
	return 0;
}

/* Two keys may fall on one memo: what an exit left there is none of an entry step's. */
#define EFFECTS_OF(kind) ((uint8_t)(1 + (kind)))

/* The rest of a section that was read: whether it can be remembered, and what of it isn't a value. */
static void remember_effects(struct memo_effects *m, const struct step *s, const uint8_t *cross, uint64_t cross_size)
{
	if (m->items.count > MEMO_ITEMS || cross_size > MEMO_CROSSINGS || s->check_count > MEMO_CHECKS)
		return;
	m->items.known = EFFECTS_OF(s->kind);
	m->crossing_count = (uint8_t)s->crossing_count;		/* each has three bytes at least */
	m->cross_size = (uint8_t)cross_size;
	memcpy(m->cross, cross, cross_size);
	m->check_count = (uint8_t)s->check_count;
	memcpy(m->checks, s->checks, s->check_count * sizeof(s->checks[0]));
}

int section_effects(struct decoder *d, struct reader *r, struct vcpu *v, struct memo_effects *m)
{
	const uint8_t *cross;
	uint64_t cross_size, count;

	memo_begin(&m->items);
	m->result = (uint8_t)read_le(r, 1);
	m->waits[0] = m->waits[1] = 0;
	if (d->step.kind == STEP_ENTRY && (m->result >> WAIT_WAKE_AT & WAIT_MASK) == WAIT_TIME)
		m->waits[0] = read_signed(r);
	if (d->step.kind == STEP_ENTRY && (m->result >> WAIT_DEADLINE & WAIT_MASK) == WAIT_TIME)
		m->waits[1] = read_signed(r);
	if (set_result(d, r, v, m->result, m->waits) < 0)
		return -1;
	count = read_varint(r);
	cross = r->p;
	if (read_crossings(d, r, count) < 0)
		return -1;
	cross_size = (uint64_t)(r->p - cross);
	if (read_effect_values(d, r, v, &m->items) < 0 || read_checks(d, r) < 0)
		return -1;
	remember_effects(m, &d->step, cross, cross_size);
	return 0;
}

int section_same_effects(struct decoder *d, struct reader *r, struct vcpu *v, const struct memo_effects *m)
{
	struct reader cross = { m->cross, m->cross + m->cross_size, false };
	struct step *s = &d->step;

	if (m->items.known != EFFECTS_OF(s->kind))
		return no_memo(d, r);
	if (set_result(d, r, v, m->result, m->waits) < 0)
		return -1;
	if (m->crossing_count && read_crossings(d, &cross, m->crossing_count) < 0)
		return -1;
	if (same_effect_values(d, r, v, &m->items) < 0)
		return -1;
	s->check_count = m->check_count;
	memcpy(s->checks, m->checks, m->check_count * sizeof(s->checks[0]));
	return 0;
}
