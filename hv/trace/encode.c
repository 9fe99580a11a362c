/*
 * encode.c: one step → one record, appended to the open frame. Called by metal in the order that encode.h gives.
 *
 * Guests run in loops, and the same exit at the same place mostly changes the same things by the same amounts. So what a step
 * changed is first compared, as facts, with the last step under the same key; only if it differs it becomes bytes.
 *
 * A record must cost as many instructions whether its times were predicted or not: its cost is part of the next time, and
 * a prediction that fails would make the next one fail, for ever. Hence the column of times, which becomes bytes when the frame
 * closes.
 */
#include "bytes.h"
#include "encode.h"
#include "record.h"

#define NOTHING UINT32_MAX	/* an echo's item_count: a section that can't be repeated */

/* ---- small helpers ---- */

/* Of a field that handlers may write; exit information they can't. */
static inline uint64_t slot_before(const struct vcpu *v, enum vmcs_slot slot)
{
	return slot_test(v->dirty, slot) ? v->vmcs_before[slot] : v->vmcs[slot];
}

/* ---- frames ---- */

static uint8_t *put_vm(uint8_t *p, const struct vm *vm)
{
	for (unsigned i = 0; i < vm_field_count; i++) {
		const struct vm_field *f = &vm_fields[i];
		unsigned copies = f->device == VM_DEVICE_CPU0 ? vm->config.cpu_count : 1;

		if (f->device == VM_DEVICE_CONFIG)
			continue;
		for (unsigned n = 0; n < copies * f->count; n++) {
			const uint8_t *at = (const uint8_t *)vm + f->offset + n / f->count * sizeof(struct vm_cpu) +
					    n % f->count * f->size;

			p = put_varint(p, get_le(at, f->size));
		}
	}
	return p;
}

static uint8_t *put_base(uint8_t *p, const struct vcpu *v, const uint64_t supported[VMCS_WORDS], uint64_t entry_tsc)
{
	for (unsigned slot = 0; slot < VMCS_SLOTS; slot++)
		if (slot_test(supported, slot))
			p = put_varint(p, v->vmcs[slot]);
	for (unsigned reg = 0; reg < GPR_COUNT; reg++)
		p = put_varint(p, v->gpr[reg]);
	p = put_varint(p, v->tsc);
	p = put_varint(p, v->entry);
	p = put_varint(p, v->wake_at + 1);
	p = put_varint(p, v->deadline + 1);
	return put_varint(p, entry_tsc);
}

void encoder_open(struct encoder *e, uint8_t *raw, uint32_t cap, const struct vcpu *cpus, const struct vm *vm)
{
	uint8_t *p = raw;

	e->raw = raw;
	e->raw_cap = cap;
	e->generation++;
	e->last_vcpu = 0;
	e->last_tsc = 0;
	e->time_count = 0;
	for (unsigned device = 0; device < VM_DEVICE_COUNT && e->generation == 1; device++)
		e->rows[device] = vm_rows_of(device);
	e->timer_cap = vm_preemption_timer(&vm->config, TIME_NONE, 0);
	for (unsigned i = 0; i < vm->config.cpu_count; i++)
		p = put_base(p, &cpus[i], e->supported, e->entry_tsc[i]);
	p = put_vm(p, vm);
	e->raw_size = (uint32_t)(p - raw);
	memset(&e->header, 0, sizeof(e->header));
	e->header.frame = e->next_frame;
	e->header.first_step = e->next_step;
	e->header.first_seq = e->next_seq;
	e->open = true;
}

/* The column of times goes behind the records, its size behind it. */
static void put_times(struct encoder *e)
{
	uint8_t *start = e->raw + e->raw_size, *p = start;

	for (uint32_t i = 0; i < e->time_count; i++)
		p = put_signed(p, e->times[i]);
	p = put_le(p, (uint64_t)(p - start), 4);
	e->raw_size = (uint32_t)(p - e->raw);
}

bool encoder_close(struct encoder *e, uint64_t session, struct frame_header *out)
{
	if (!e->open || e->next_step == e->header.first_step)
		return false;
	put_times(e);
	*out = e->header;
	out->session = session;
	out->steps = (uint32_t)(e->next_step - e->header.first_step);
	out->exits = (uint32_t)(e->next_seq - e->header.first_seq);
	out->raw_size = e->raw_size;
	out->last_tsc = e->last_tsc;
	e->next_frame++;
	e->open = false;
	return true;
}

/* ---- crossings ---- */

void encoder_crossing(struct encoder *e, enum crossing_kind kind, uint64_t addr, uint32_t size, uint64_t value,
		      const void *bytes)
{
	uint8_t *p = e->cross + e->cross_size;

	if (e->crossing_count == STEP_CROSSINGS || e->cross_size + size + 24 > sizeof(e->cross)) {
		e->overflow = true;
		return;
	}
	*p++ = (uint8_t)kind;
	p = put_varint(p, addr);
	p = put_varint(p, size);
	if (size <= 8) {
		p = put_varint(p, bytes ? get_le(bytes, size) : value);
	} else {
		memcpy(p, bytes, size);
		p += size;
	}
	e->cross_size = (uint32_t)(p - e->cross);
	e->crossing_count++;
}

static void remember(struct encoder *e, uint64_t gpa, uint32_t len)
{
	if (e->known_count == STEP_CROSSINGS) {
		e->overflow = true;
		return;
	}
	e->known[e->known_count].gpa = gpa;
	e->known[e->known_count++].len = len;
}

/* How many of `len` bytes from `gpa` are all known or all unknown; *known says which. */
static uint32_t known_run(const struct encoder *e, uint64_t gpa, uint32_t len, bool *known)
{
	*known = false;
	for (uint32_t i = 0; i < e->known_count; i++) {
		uint64_t start = e->known[i].gpa, end = start + e->known[i].len;

		if (gpa >= start && gpa < end) {
			*known = true;
			return end - gpa < len ? (uint32_t)(end - gpa) : len;
		}
	}
	for (uint32_t i = 0; i < e->known_count; i++)
		if (e->known[i].gpa > gpa && e->known[i].gpa - gpa < len)
			len = (uint32_t)(e->known[i].gpa - gpa);
	return len;
}

void encoder_mem_read(struct encoder *e, uint64_t gpa, const void *bytes, uint32_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		bool known;
		uint32_t run = known_run(e, gpa, len, &known);

		if (!known) {
			encoder_crossing(e, CROSSING_MEM_READ, gpa, run, 0, p);
			remember(e, gpa, run);
		}
		gpa += run;
		p += run;
		len -= run;
	}
}

void encoder_mem_write(struct encoder *e, uint64_t gpa, const void *bytes, uint32_t len)
{
	encoder_crossing(e, CROSSING_MEM_WRITE, gpa, len, 0, bytes);
	remember(e, gpa, len);
}

/* ---- times ---- */

/* 1 if the value isn't 0, in the same instructions either way: a compiler may turn `!= 0` into a branch. */
static inline unsigned nonzero(uint64_t value)
{
	return (unsigned)((value | -value) >> 63);
}

/* Append `value` to the column if it isn't 0: gives RECORD_TIME then. */
static inline unsigned push_time(struct encoder *e, uint64_t value)
{
	unsigned differs = nonzero(value);

	e->times[e->time_count] = value;
	e->time_count += differs;
	return differs * RECORD_TIME;
}

static inline unsigned push_notes(struct encoder *e, uint64_t *memo, uint64_t handler, uint64_t entered, uint64_t tracer)
{
	uint64_t *to = e->times + e->time_count;
	unsigned differs;

	to[0] = handler - memo[0];
	to[1] = entered - memo[1];
	to[2] = tracer - memo[2];
	differs = nonzero(to[0] | to[1] | to[2]);
	memo[0] = handler;
	memo[1] = entered;
	memo[2] = tracer;
	e->time_count += 3 * differs;
	return differs * RECORD_NOTES;
}

/* ---- items and echoes ---- */

static inline bool same_items(const struct item *a, const struct item *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (a[i].code != b[i].code || a[i].delta != b[i].delta)
			return false;
	return true;
}

static uint8_t *put_items(uint8_t *p, const struct item *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		*p++ = (uint8_t)items[i].code;
		p = put_signed(p, items[i].delta);
	}
	*p++ = ITEM_END;
	return p;
}

static void copy_items(struct item *to, const struct item *from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		to[i] = from[i];
}

static inline struct snapshot_echo *snapshot_echo(struct encoder *e, unsigned index)
{
	struct snapshot_echo *m = &e->snapshots[index];

	if (__builtin_expect(m->generation != e->generation, 0)) {
		m->generation = e->generation;
		m->item_count = NOTHING;
		m->time = 0;
	}
	return m;
}

static inline struct effects_echo *effects_echo(struct encoder *e, unsigned index)
{
	struct effects_echo *m = &e->effects_echoes[index];

	if (__builtin_expect(m->generation != e->generation, 0)) {
		m->generation = e->generation;
		m->item_count = NOTHING;
		m->time = 0;
		m->notes[0] = m->notes[1] = m->notes[2] = 0;
		m->plain = false;
		m->insn_rip = m->insn_cr3 = ~UINT64_C(0);	/* no canonical RIP is that */
	}
	return m;
}

/* ---- instruction bytes ---- */

bool encoder_loaded(struct encoder *e, const struct vcpu *v)
{
	uint64_t rip = v->vmcs[VMCS_GUEST_RIP];
	struct effects_echo *m = effects_echo(e, memo_index(rip, v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC));

	e->echo = m;
	if (__builtin_expect(m->insn_rip == rip && m->insn_cr3 == v->vmcs[VMCS_GUEST_CR3], 1))
		return false;
	m->insn_rip = rip;
	m->insn_cr3 = v->vmcs[VMCS_GUEST_CR3];
	return true;
}

void encoder_note_insn(struct encoder *e, const uint8_t *bytes, unsigned len)
{
	e->insn_len = (uint8_t)(len < STEP_INSN_MAX ? len : STEP_INSN_MAX);
	memcpy(e->insn, bytes, e->insn_len);
}

static __attribute__((noinline, cold)) uint8_t *put_snapshot(struct encoder *e, struct snapshot_echo *m, uint8_t *p)
{
	m->item_count = NOTHING;
	if (e->item_count <= ECHO_ITEMS) {
		m->item_count = e->item_count;
		copy_items(m->items, e->items, e->item_count);
	}
	return put_items(p, e->items, e->item_count);
}

/* ---- effects ---- */

/* A slot that the record predicts: an item only if the prediction failed. */
static inline struct item *add_predicted(struct item *to, const struct vcpu *v, enum vmcs_slot slot, uint64_t predicted)
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

/* A dirty register. */
static inline struct item *add_register(struct item *to, const struct vcpu *v, enum gpr reg)
{
	uint64_t delta = v->gpr[reg] - v->gpr_before[reg];

	if (delta)
		*to++ = (struct item){ ITEM_GPR + reg, delta };
	return to;
}

static inline struct item *add_registers(struct item *to, const struct vcpu *v)
{
	if (__builtin_expect(v->gpr_dirty == 0xf, 1)) {	/* RAX, RCX, RDX, RBX: CPUID */
		to = add_register(to, v, GPR_RAX);
		to = add_register(to, v, GPR_RCX);
		to = add_register(to, v, GPR_RDX);
		return add_register(to, v, GPR_RBX);
	}
	for (uint32_t set = v->gpr_dirty; set; set &= set - 1) {
		unsigned reg = (unsigned)__builtin_ctz(set);

		if (v->gpr[reg] != v->gpr_before[reg])
			*to++ = (struct item){ ITEM_GPR + reg, v->gpr[reg] - v->gpr_before[reg] };
	}
	return to;
}

/* The check bytes of what the step touched: once a step. */
static __attribute__((noinline)) void make_checks(struct encoder *e, const struct vm *vm)
{
	unsigned n = 0;

	e->first_checks = 0;
	for (uint64_t set = vm->touched; set; set &= set - 1, n++) {
		unsigned device = (unsigned)__builtin_ctzll(set);

		e->checks[n] = vm_check(vm, device, e->rows[device]);
		if (n < 8)
			e->first_checks |= (uint64_t)e->checks[n] << 8 * n;
	}
}

static uint8_t *put_checks(const struct encoder *e, uint8_t *p, const struct vm *vm)
{
	unsigned n = 0;

	p = put_varint(p, vm->touched);
	for (uint64_t set = vm->touched; set; set &= set - 1)
		*p++ = e->checks[n++];
	return p;
}

/* What identifies an effects section apart from items, waits, checks and bytes of crossings. */
static inline uint64_t effects_head(const struct encoder *e, unsigned result)
{
	return result | (uint64_t)e->kind << 24 | (uint64_t)e->crossing_count << 8 | (uint64_t)e->cross_size << 32;
}

static inline bool same_crossings(const struct encoder *e, const struct effects_echo *m)
{
	return __builtin_expect(e->cross_size == 0, 1) || memcmp(m->crossings, e->cross, e->cross_size) == 0;
}

static inline bool same_checks(struct encoder *e, const struct effects_echo *m, const struct vm *vm)
{
	if (__builtin_expect(vm->touched == 0, 1))
		return m->checks[0] == 0;
	make_checks(e, vm);
	return m->checks[0] == vm->touched && m->checks[1] == e->first_checks;
}

/* The whole effects section as bytes; and what of it can be repeated, remembered. */
static __attribute__((noinline, cold)) uint8_t *put_effects(struct encoder *e, struct effects_echo *m, uint64_t head,
							   const uint64_t waits[2], uint32_t count, struct vm *vm, uint8_t *p)
{
	const uint8_t *start = p;

	*p++ = (uint8_t)head;
	if (e->kind == STEP_ENTRY) {
		p = put_signed(p, waits[0]);
		p = put_signed(p, waits[1]);
	}
	p = put_varint(p, e->crossing_count);
	memcpy(p, e->cross, e->cross_size);
	p = put_items(p + e->cross_size, e->effects, count);
	p = put_checks(e, p, vm);
	m->item_count = NOTHING;
	m->plain = false;
	if (p - start <= MEMO_BYTES && count <= ECHO_ITEMS && vm->touched < 1u << 8) {
		m->item_count = count;
		m->head = head;
		m->waits[0] = waits[0];
		m->waits[1] = waits[1];
		m->checks[0] = vm->touched;
		m->checks[1] = e->first_checks;
		memcpy(m->crossings, e->cross, e->cross_size);
		copy_items(m->items, e->effects, count);
	}
	vm->touched = 0;
	return p;
}

/* ---- the record ---- */

/* Room for the head byte and vCPU; gives where sections go. */
static inline uint8_t *begin_record(struct encoder *e, const struct vcpu *v, unsigned *head)
{
	uint8_t *p = e->raw + e->raw_size + 1;

	if (__builtin_expect(e->last_tsc == 0, 0)) {
		e->header.first_tsc = v->tsc;
		e->header.vcpus |= 1u << v->index;
	}
	if (__builtin_expect(v->index != e->last_vcpu, 0)) {
		*head |= RECORD_VCPU;
		*p++ = (uint8_t)v->index;
		e->last_vcpu = v->index;
		e->header.vcpus |= 1u << v->index;
	}
	return p;
}

static inline void end_record(struct encoder *e, const struct vcpu *v, unsigned head, uint8_t *p)
{
	e->raw[e->raw_size] = (uint8_t)head;
	e->raw_size = (uint32_t)(p - e->raw);
	e->last_tsc = v->tsc;
	e->next_step++;
}

static inline void count_exit(struct encoder *e, unsigned reason)
{
	e->next_seq++;
	e->header.reasons[reason / 64 & 1] |= UINT64_C(1) << reason % 64;
	e->reasons[reason % CLOSING_REASONS]++;
}

/* Time of the record from the one before, as a difference to the last one under this key. */
static inline unsigned end_time(struct encoder *e, const struct vcpu *v, uint64_t *memo)
{
	uint64_t time = v->tsc - e->last_tsc, difference = time - *memo;

	*memo = time;
	return push_time(e, difference);
}

static inline bool same_exit(struct encoder *e, const struct effects_echo *m, uint64_t head, uint32_t count,
			     const struct vm *vm)
{
	bool checks = same_checks(e, m, vm);	/* makes them, too */

	return checks && m->item_count == count && m->head == head && same_items(m->items, e->effects, count) &&
	       same_crossings(e, m);
}

void encoder_end_exit(struct encoder *e, struct vcpu *v, struct vm *vm, enum exit_action action,
		      uint64_t tsc_entry, uint64_t handler_cycles, uint64_t tracer_cycles)
{
	unsigned head = STEP_EXIT, reason = v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC;
	uint64_t rip = slot_before(v, VMCS_GUEST_RIP), blocking = slot_before(v, VMCS_GUEST_INTERRUPTIBILITY);
	struct snapshot_echo *snapshot = snapshot_echo(e, memo_index(e->key_rip, 0));
	struct effects_echo *m = e->echo;
	uint64_t effects = effects_head(e, action);
	uint8_t *p = begin_record(e, v, &head);
	struct item *end = e->effects;
	uint32_t count;

	head |= end_time(e, v, &snapshot->time);
	if (snapshot->item_count != e->item_count || !same_items(snapshot->items, e->items, e->item_count)) {
		head |= RECORD_SNAPSHOT;
		p = put_snapshot(e, snapshot, p);
	}
	if (action == ACTION_RETIRE) {
		rip += v->vmcs[VMCS_EXIT_INSTRUCTION_LEN];
		blocking &= ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS);
	}
	end = add_predicted(end, v, VMCS_GUEST_RIP, rip);
	end = add_predicted(end, v, VMCS_GUEST_INTERRUPTIBILITY, blocking);
	end = add_dirty(end, v, 0, EXIT_PREDICTS(0));
	end = add_dirty(end, v, 1, EXIT_PREDICTS(1));
	end = add_dirty(end, v, 2, EXIT_PREDICTS(2));
	end = add_registers(end, v);
	count = (uint32_t)(end - e->effects);
	if (__builtin_expect(!same_exit(e, m, effects, count, vm), 0)) {
		head |= RECORD_EFFECTS;
		p = put_effects(e, m, effects, (const uint64_t[2]){ 0 }, count, vm, p);
	}
	vm->touched = 0;
	head |= push_notes(e, m->notes, handler_cycles, tsc_entry - e->entry_tsc[v->index], tracer_cycles);
	if (__builtin_expect(e->insn_len, 0)) {
		head |= RECORD_INSN;
		*p++ = e->insn_len;
		memcpy(p, e->insn, e->insn_len);
		p += e->insn_len;
	}
	end_record(e, v, head, p);
	count_exit(e, reason);
}

static inline bool same_entry(struct encoder *e, const struct effects_echo *m, uint64_t head, const uint64_t waits[2],
			      uint32_t count, const struct vm *vm)
{
	bool checks = same_checks(e, m, vm);

	return checks && m->item_count == count && m->head == head && m->waits[0] == waits[0] && m->waits[1] == waits[1] &&
	       same_items(m->items, e->effects, count) && same_crossings(e, m);
}

/* Nothing but time passed, and the timer stands at its cap, as it did: the entry step of most exits. */
static inline bool plain_entry(const struct encoder *e, const struct vcpu *v, const struct vm *vm)
{
	uint64_t changes = v->dirty[0] | v->dirty[1] | v->dirty[2] | v->gpr_dirty | vm->touched | e->crossing_count |
			   e->item_count | v->entry | (v->wake_at ^ e->previous_wake_at) | ~v->deadline |
			   ~e->previous_deadline | (v->vmcs[VMCS_PREEMPTION_TIMER_VALUE] ^ e->timer_cap);

	_Static_assert(ENTRY_ENTER == 0 && ~TIME_NONE == 0, "what is plain is 0");
	return changes == 0;
}

static __attribute__((noinline)) uint8_t *end_entry_effects(struct encoder *e, struct effects_echo *m, struct vcpu *v,
							     struct vm *vm, uint8_t *p, unsigned *head)
{
	uint64_t timer = slot_before(v, VMCS_PREEMPTION_TIMER_VALUE), effects = effects_head(e, v->entry);
	uint64_t waits[2] = { v->wake_at - e->previous_wake_at, v->deadline - e->previous_deadline };
	struct item *end = e->effects;
	uint32_t count;
	bool plain;

	if (e->item_count) {
		*head |= RECORD_SNAPSHOT;
		p = put_items(p, e->items, e->item_count);
	}
	if (v->entry == ENTRY_ENTER)
		timer = vm_preemption_timer(&vm->config, v->deadline, v->tsc);
	end = add_predicted(end, v, VMCS_PREEMPTION_TIMER_VALUE, timer);
	end = add_dirty(end, v, 0, ENTRY_PREDICTS(0));
	end = add_dirty(end, v, 1, ENTRY_PREDICTS(1));
	end = add_dirty(end, v, 2, ENTRY_PREDICTS(2));
	end = add_registers(end, v);
	count = (uint32_t)(end - e->effects);
	if (!same_entry(e, m, effects, waits, count, vm)) {
		*head |= RECORD_EFFECTS;
		plain = plain_entry(e, v, vm);
		p = put_effects(e, m, effects, waits, count, vm, p);
		m->plain = plain;
	}
	vm->touched = 0;
	return p;
}

void encoder_end_entry(struct encoder *e, struct vcpu *v, struct vm *vm)
{
	unsigned head = STEP_ENTRY;
	struct effects_echo *m = effects_echo(e, memo_index(e->key_rip, MEMO_SALT_ENTRY));
	uint8_t *p = begin_record(e, v, &head);

	head |= end_time(e, v, &m->time);
	if (__builtin_expect(!(m->plain && plain_entry(e, v, vm)), 0))
		p = end_entry_effects(e, m, v, vm, p, &head);
	end_record(e, v, head, p);
	e->entry_tsc[v->index] = v->tsc;
}

void encoder_end_unfinished(struct encoder *e, struct vcpu *v)
{
	unsigned head = e->kind | RECORD_UNFINISHED;
	uint64_t *time = e->kind == STEP_ENTRY ? &effects_echo(e, memo_index(e->key_rip, MEMO_SALT_ENTRY))->time :
						 &snapshot_echo(e, memo_index(e->key_rip, 0))->time;
	uint8_t *p = begin_record(e, v, &head);

	head |= end_time(e, v, time) | RECORD_SNAPSHOT;
	end_record(e, v, head, put_items(p, e->items, e->item_count));
	e->header.flags |= HEADER_UNFINISHED;
	if (e->kind == STEP_EXIT)
		count_exit(e, v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC);
}
