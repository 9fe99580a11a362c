/*
 * encode.c: one step → one record, appended to the open frame. Called by metal in the order that encode.h
 * gives.
 *
 * Guests run in loops, and the same exit at the same place mostly changes the same things by the same
 * amounts. So what a step changed is first compared, as facts, with the last step under the same key; only if
 * it differs it becomes bytes.
 *
 * A record must cost as many instructions whether its times were predicted or not: its cost is part of the
 * next time, and a prediction that fails would make the next one fail, for ever. Hence the column of times,
 * which becomes bytes when the frame closes.
 */
#include "encode.h"

/* ---- small helpers ---- */

/* Of a field that handlers may write; exit information they can't. */
static inline uint64_t slot_before(const struct vcpu *v, enum vmcs_slot slot)
{
	return slot_test(v->dirty, slot) ? v->vmcs_before[slot] : v->vmcs[slot];
}

/* ---- items and instruction bytes ---- */

/* What a slot or register holds now; what it held before the handler. */
static inline uint64_t value_now(const struct vcpu *v, unsigned code)
{
	return code < ITEM_GPR ? v->vmcs[code] : v->gpr[code - ITEM_GPR];
}

static inline uint64_t value_before(const struct vcpu *v, unsigned code)
{
	if (code < ITEM_GPR)
		return slot_before(v, (enum vmcs_slot)code);
	code -= ITEM_GPR;
	return v->gpr_dirty >> code & 1 ? v->gpr_before[code] : v->gpr[code];
}

/* What is `now`, or else what was before the handler. */
static inline uint8_t *put_one(uint8_t *p, const struct vcpu *v, unsigned code, uint64_t difference, bool now)
{
	if (value_is_small(difference))
		return put_small(p, difference);
	return put_value(p, now ? value_now(v, code) : value_before(v, code), difference);
}

/* The sets of a list: codes by their place in it, a bit each, so that a group is a byte. */
static inline uint8_t *put_sets(uint8_t *p, const uint64_t places[VALUE_WORDS])
{
	uint8_t sets[VALUE_GROUPS], *end = sets;
	uint32_t groups = 0;

	for (unsigned word = 0; word < VALUE_WORDS; word++) {
		for (uint64_t left = places[word]; left;) {
			unsigned shift = (unsigned)__builtin_ctzll(left) & ~7u;

			*end++ = (uint8_t)(left >> shift);
			groups |= 1u << (word * 8 + shift / 8);
			left &= ~UINT64_C(0xff) << shift;
		}
	}
	p = put_varint(p, groups);
	for (const uint8_t *set = sets; set < end; set++)
		*p++ = *set;
	return p;
}

/* What alike lists have in common is found by the exit's reason. */
#define CAST_ENTRY_LOAD		61
#define CAST_ENTRY_EFFECTS	62
#define CAST_EXIT_EFFECTS	63

static unsigned cast_of(const struct encoder *e, const struct vcpu *v, bool effects)
{
	if (e->kind == STEP_ENTRY)
		return effects ? CAST_ENTRY_EFFECTS : CAST_ENTRY_LOAD;
	return effects ? CAST_EXIT_EFFECTS : v->vmcs[VMCS_EXIT_REASON] % CASTS;
}

static uint64_t *cast_values(struct encoder *e, unsigned cast)
{
	if (!(e->casts_used >> cast & 1))
		memset(e->cast[cast], 0, sizeof(e->cast[cast]));
	e->casts_used |= UINT64_C(1) << cast;
	return e->cast[cast];
}

/* Gives how many bytes it put into the column of their number. */
static unsigned put_far(struct encoder *e, uint8_t *form, uint64_t value, uint64_t difference, uint64_t cast)
{
	struct value chosen;
	unsigned size;

	if (value_is_small(difference)) {
		put_small(form, difference);
		return 0;
	}
	chosen = value_choose_far(value, difference, cast);
	*form = (uint8_t)chosen.form;
	size = chosen.form & VALUE_SIZE;
	if (size) {
		memcpy(e->column[size], &chosen.bits, 8);
		e->column[size] += size;
	}
	return size;
}

/* All but its first byte goes into columns; what the frame holds by that is taken off what it may still hold. */
static __attribute__((noinline))
void put_long_list(struct encoder *e, const struct vcpu *v, const struct item *items, uint64_t count, bool effects)
{
	unsigned number = cast_of(e, v, effects);
	uint64_t places[VALUE_WORDS] = { 0 }, bytes = 0, *cast = cast_values(e, number);
	uint8_t *p = e->column[COLUMN_LISTS];

	for (const struct item *i = items; i < items + count; i++) {
		unsigned place = value_place((unsigned)i->code);

		places[place / 64] |= UINT64_C(1) << place % 64;
		e->difference[place] = i->delta;
	}
	*p++ = (uint8_t)number;
	p = put_sets(p, places);
	for (unsigned word = 0; word < VALUE_WORDS; word++) {
		for (uint64_t left = places[word]; left; left &= left - 1) {
			unsigned place = word * 64 + (unsigned)__builtin_ctzll(left), code = value_code(place);
			uint64_t value = effects ? value_now(v, code) : value_before(v, code);

			bytes += put_far(e, p++, value, e->difference[place], cast[place]);
			cast[place] = value;
		}
	}
	bytes += (uint64_t)(p - e->column[COLUMN_LISTS]);
	e->column[COLUMN_LISTS] = p;
	e->full_at -= bytes < e->full_at ? (uint32_t)bytes : e->full_at;
}

/* Items, in whatever order they were found, as a list of values: what is after the handler, or what was before it. */
static inline __attribute__((always_inline))
uint8_t *put_items(struct encoder *e, uint8_t *p, const struct vcpu *v, const struct item *items, uint64_t count,
		   bool effects)
{
	if (__builtin_expect(count <= LIST_SHORT, 1)) {
		*p++ = (uint8_t)count;
		for (const struct item *i = items; i < items + count; i++) {
			*p++ = (uint8_t)i->code;
			p = put_one(p, v, (unsigned)i->code, i->delta, effects);
		}
		return p;
	}
	put_long_list(e, v, items, count, effects);
	*p++ = LIST_LONG;
	return p;
}

static __attribute__((noinline))
uint8_t *put_loaded(struct encoder *e, uint8_t *p, const struct vcpu *v)
{
	return put_items(e, p, v, e->items, e->item_count, false);
}

static void copy_items(struct item *to, const struct item *from, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		to[i] = from[i];
}

void encoder_note_insn(struct encoder *e, const uint8_t *bytes, unsigned len)
{
	e->insn_len = (uint8_t)(len < STEP_INSN_MAX ? len : STEP_INSN_MAX);
	memcpy(e->insn, bytes, e->insn_len);
}

static struct record put_insn(struct record r, const uint8_t *bytes, unsigned len)
{
	*r.p++ = (uint8_t)len;
	memcpy(r.p, bytes, len);
	return (struct record){ r.p + len, r.head | RECORD_INSN };
}

struct record encoder_put_snapshot(struct encoder *e, const struct vcpu *v, struct snapshot_echo *s,
				   struct record r)
{
	s->item_count = ECHO_NOTHING;
	if (e->item_count <= MEMO_ITEMS) {
		s->item_count = e->item_count;
		copy_items(s->items, e->items, e->item_count);
	}
	r.p = put_loaded(e, r.p, v);
	return (struct record){ r.p, r.head | RECORD_SNAPSHOT };
}

/* ---- effects ---- */

/* A slot that the record predicts: an item only if the prediction failed. */
static inline struct item *add_predicted(struct item *to, const struct vcpu *v, enum vmcs_slot slot,
					 uint64_t predicted)
{
	if (__builtin_expect(v->vmcs[slot] != predicted, 0))
		*to++ = (struct item){ slot, v->vmcs[slot] - predicted };
	return to;
}

#define SLOT_BIT(slot, word) ((slot) / 64 == (word) ? UINT64_C(1) << (slot) % 64 : 0)
#define EXIT_PREDICTS(word)  (SLOT_BIT(VMCS_GUEST_RIP, word) | SLOT_BIT(VMCS_GUEST_INTERRUPTIBILITY, word))
#define ENTRY_PREDICTS(word) SLOT_BIT(VMCS_PREEMPTION_TIMER_VALUE, word)
_Static_assert(VMCS_WORDS == 3, "the callers of add_dirty() list three words");

/* Slots of one word of the dirty set that have another value than before. */
static inline struct item *add_dirty(struct item *to, const struct vcpu *v, unsigned word, uint64_t predicted)
{
	for (uint64_t set = v->dirty[word] & ~predicted; __builtin_expect(set != 0, 0); set &= set - 1) {
		unsigned slot = word * 64 + (unsigned)__builtin_ctzll(set);

		if (v->vmcs[slot] != v->vmcs_before[slot])
			*to++ = (struct item){ slot, v->vmcs[slot] - v->vmcs_before[slot] };
	}
	return to;
}

static inline struct item *add_registers(struct item *to, const struct vcpu *v)
{
	for (uint32_t set = v->gpr_dirty; set; set &= set - 1) {
		unsigned reg = (unsigned)__builtin_ctz(set);

		if (v->gpr[reg] != v->gpr_before[reg])
			*to++ = (struct item){ ITEM_GPR + reg, v->gpr[reg] - v->gpr_before[reg] };
	}
	return to;
}

static uint8_t device_check(struct encoder *e, const struct vm *vm, unsigned device)
{
	struct device_seen *s = &e->seen[device];

	if (memcmp((const uint8_t *)vm + s->offset, s->word, 8 * s->words))
		encoder_see_device(e, vm, device);
	return s->check;
}

/* The check bytes of what the step touched: once a step. */
static __attribute__((noinline)) void make_checks(struct encoder *e, const struct vm *vm)
{
	unsigned n = 0;

	e->first_checks = 0;
	for (uint64_t set = vm->touched; set; set &= set - 1, n++) {
		unsigned device = (unsigned)__builtin_ctzll(set);

		e->checks[n] = device_check(e, vm, device);
		if (n < 8)
			e->first_checks |= (uint64_t)e->checks[n] << 8 * n;
	}
	e->check_count = n;
}

bool encoder_same_checks(struct encoder *e, const struct effects_echo *m, struct vm *vm)
{
	if ((vm->touched & (vm->touched - 1)) == 0) {	/* mostly one */
		if (device_check(e, vm, (unsigned)__builtin_ctzll(vm->touched)) != m->checks[1])
			return false;
	} else {
		make_checks(e, vm);
		if (m->checks[1] != e->first_checks)
			return false;
	}
	vm->touched = 0;
	return true;
}

static uint8_t *put_checks(const struct encoder *e, uint8_t *p, const struct vm *vm)
{
	unsigned n = 0;

	p = put_varint(p, vm->touched);
	for (uint64_t set = vm->touched; set; set &= set - 1)
		*p++ = e->checks[n++];
	return p;
}

/* ---- waits ---- */

/* wake_at or deadline of an entry step, in two bits; the difference is 0 but for WAIT_TIME. */
static inline unsigned wait_form(uint64_t time, uint64_t previous, uint64_t now, uint64_t *difference)
{
	*difference = 0;
	if (time == previous)
		return WAIT_SAME;
	if (time == TIME_NONE)
		return WAIT_NONE;
	*difference = time - now;
	return WAIT_TIME;
}

/* What identifies an effects section apart from items, times, checks and bytes of crossings. */
static inline uint64_t effects_head(const struct encoder *e, unsigned result)
{
	return result | (uint64_t)e->crossing_count << 8 | (uint64_t)e->kind << 24 |
	       (uint64_t)e->cross_size << 32;
}

static inline bool same_crossings(const struct encoder *e, const struct effects_echo *m)
{
	return e->cross_size == 0 || memcmp(m->crossings, e->cross, e->cross_size) == 0;
}

static inline bool same_checks(struct encoder *e, const struct effects_echo *m, const struct vm *vm)
{
	e->check_count = 0;
	if (vm->touched == 0)
		return m->checks[0] == 0;
	make_checks(e, vm);
	return m->checks[0] == vm->touched && m->checks[1] == e->first_checks;
}

/*
 * What a section says, if that is little: registers that a retired instruction changed, or that only time
 * passed.
 */
static void note_plain(struct effects_echo *m, const struct encoder *e, const struct vcpu *v,
		       const struct vm *vm, unsigned result, uint64_t count)
{
	unsigned n = 0;

	m->plain = ECHO_NOTHING;
	if (e->kind == STEP_ENTRY) {
		/* The timer's value follows from the deadline, so that it may be any. */
		if (result == ENTRY_ENTER && !(count | e->crossing_count | vm->touched))
			m->plain = ECHO_ONLY_TIME;
		return;
	}
	if (last_was_asynchronous(e, v) || !retired_plainly(e, v, (enum exit_action)result))
		return;
	for (uint32_t set = v->gpr_dirty; set; set &= set - 1, n++) {
		unsigned reg = (unsigned)__builtin_ctz(set);

		if (n == ECHO_REGISTERS || reg == GPR_CR2)
			return;
		m->registers[n] = v->gpr[reg] - v->gpr_before[reg];
	}
	m->plain = v->gpr_dirty;
}

/* The whole effects section as bytes; and what of it can be repeated, remembered. */
static __attribute__((noinline, cold))
uint8_t *put_effects(struct encoder *e, struct effects_echo *m, const struct vcpu *v, const struct vm *vm,
		     uint64_t head, const uint64_t waits[2], uint64_t count, uint8_t *p)
{
	*p++ = (uint8_t)head;
	if (e->kind == STEP_ENTRY) {
		if ((head >> WAIT_WAKE_AT & WAIT_MASK) == WAIT_TIME)
			p = put_signed(p, waits[0]);
		if ((head >> WAIT_DEADLINE & WAIT_MASK) == WAIT_TIME)
			p = put_signed(p, waits[1]);
	}
	p = put_varint(p, e->crossing_count);
	memcpy(p, e->cross, e->cross_size);
	p = put_items(e, p + e->cross_size, v, e->effects, count, true);
	p = put_checks(e, p, vm);
	m->plain = m->item_count = ECHO_NOTHING;
	if (e->cross_size <= MEMO_CROSSINGS && count <= MEMO_ITEMS && e->check_count <= MEMO_CHECKS) {
		note_plain(m, e, v, vm, head & 0xff, count);
		m->item_count = (uint32_t)count;
		m->head = head;
		m->waits[0] = waits[0];
		m->waits[1] = waits[1];
		m->checks[0] = vm->touched;
		m->checks[1] = e->first_checks;
		memcpy(m->crossings, e->cross, e->cross_size);
		copy_items(m->items, e->effects, count);
	}
	return p;
}

/* Puts the section unless it is the one in the echo. */
static inline struct record end_effects(struct encoder *e, struct effects_echo *m, const struct vcpu *v,
					struct vm *vm, unsigned result, const uint64_t waits[2],
					const struct item *end, struct record r)
{
	uint64_t count = (uint64_t)(end - e->effects), head = effects_head(e, result);
	bool checks = same_checks(e, m, vm);	/* makes them, too */

	if (!checks || m->item_count != count || m->head != head || m->waits[0] != waits[0] ||
	    m->waits[1] != waits[1] || !same_items(e->effects, m->items, count) || !same_crossings(e, m)) {
		r.head |= RECORD_EFFECTS;
		r.p = put_effects(e, m, v, vm, head, waits, count, r.p);
	}
	vm->touched = 0;
	e->crossing_count = e->cross_size = e->known_count = 0;
	return r;
}

static inline struct item *add_other(struct item *end, const struct vcpu *v, uint64_t predicted0,
				     uint64_t predicted1, uint64_t predicted2)
{
	end = add_dirty(end, v, 0, predicted0);
	end = add_dirty(end, v, 1, predicted1);
	end = add_dirty(end, v, 2, predicted2);
	return add_registers(end, v);
}

struct record encoder_exit_effects(struct encoder *e, const struct vcpu *v, struct vm *vm,
				   struct effects_echo *m, enum exit_action action, struct record r)
{
	uint64_t rip = slot_before(v, VMCS_GUEST_RIP), blocking = slot_before(v, VMCS_GUEST_INTERRUPTIBILITY);
	struct item *end = e->effects;
	unsigned insn_len = e->insn_len;

	e->insn_len = 0;
	if (action == ACTION_RETIRE) {
		rip += v->vmcs[VMCS_EXIT_INSTRUCTION_LEN];
		blocking &= ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS);
	}
	end = add_predicted(end, v, VMCS_GUEST_RIP, rip);
	end = add_predicted(end, v, VMCS_GUEST_INTERRUPTIBILITY, blocking);
	end = add_other(end, v, EXIT_PREDICTS(0), EXIT_PREDICTS(1), EXIT_PREDICTS(2));
	r = end_effects(e, m, v, vm, action, (const uint64_t[2]){ 0 }, end, r);
	if (last_was_asynchronous(e, v))
		e->same_vcpu = UINT32_MAX;	/* no quiet entry: its key has no RIP */
	return insn_len ? put_insn(r, e->insn, insn_len) : r;
}

struct record encoder_entry_effects(struct encoder *e, const struct vcpu *v, struct vm *vm,
				    struct effects_echo *m, struct record r)
{
	uint64_t timer = slot_before(v, VMCS_PREEMPTION_TIMER_VALUE);
	struct item *end = e->effects;
	uint64_t waits[2];
	unsigned result = v->entry | wait_form(v->wake_at, e->previous_wake_at, v->tsc, &waits[0]) << WAIT_WAKE_AT |
			  wait_form(v->deadline, e->previous_deadline, v->tsc, &waits[1]) << WAIT_DEADLINE;

	if (e->item_count) {
		r.head |= RECORD_SNAPSHOT;
		r.p = put_loaded(e, r.p, v);
	}
	if (v->entry == ENTRY_ENTER)
		timer = vm_preemption_timer(&vm->config, v->deadline, v->tsc);
	end = add_predicted(end, v, VMCS_PREEMPTION_TIMER_VALUE, timer);
	end = add_other(end, v, ENTRY_PREDICTS(0), ENTRY_PREDICTS(1), ENTRY_PREDICTS(2));
	return end_effects(e, m, v, vm, result, waits, end, r);
}

/* ---- the record ---- */

struct record encoder_other_vcpu(struct encoder *e, const struct vcpu *v, struct record r)
{
	if (e->next_step == e->header.first_step)
		e->header.first_tsc = v->tsc;
	e->header.vcpus |= 1u << v->index;
	e->same_vcpu = last_was_asynchronous(e, v) ? UINT32_MAX : v->index;
	if (v->index == e->last_vcpu)
		return r;
	e->last_vcpu = v->index;
	*r.p++ = (uint8_t)v->index;
	r.head |= RECORD_VCPU;
	return r;
}

void encoder_end_unfinished(struct encoder *e, struct vcpu *v)
{
	uint64_t *time = e->kind == STEP_ENTRY ? &encoder_effects_echo(e, e->key_rip, MEMO_SALT_ENTRY)->time :
						 &encoder_snapshot_echo(e)->time;
	struct record r = encoder_begin_record(e, v, e->kind);

	r.head |= encoder_time(e, v, time) | RECORD_SNAPSHOT | RECORD_UNFINISHED;
	r.p = put_loaded(e, r.p, v);
	encoder_end_record(e, r);
	e->header.flags |= HEADER_UNFINISHED;
	if (e->kind == STEP_EXIT)
		encoder_count_exit(e, v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC);
}
