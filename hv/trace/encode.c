/*
 * encode.c: one step → one record, appended to the open frame. Called by metal in the order that encode.h gives.
 *
 * A record is a head byte and up to three sections. A section that equals the last one written under the same key is left
 * out: guests run in loops, and the same exit at the same place mostly changes the same things by the same amounts.
 * Hot: a CPUID exit passes here once as exit and once as entry step, so copies are by words, not by REP MOVS.
 */
#include "bytes.h"
#include "encode.h"
#include "record.h"

/* ---- small helpers ---- */

static inline void copy_words(uint8_t *to, const uint8_t *from, uint32_t size)
{
	uint64_t word;

	for (uint32_t i = 0; i < size; i += 8) {	/* may copy up to 7 bytes more: buffers are padded */
		__builtin_memcpy(&word, from + i, 8);
		__builtin_memcpy(to + i, &word, 8);
	}
}

/* `size` bytes are the same; both buffers are readable up to the next multiple of 8, and the rest is masked. */
static inline bool same_words(const uint8_t *a, const uint8_t *b, uint32_t size)
{
	uint64_t x, y;
	uint32_t i = 0;

	for (; i + 8 <= size; i += 8) {
		__builtin_memcpy(&x, a + i, 8);
		__builtin_memcpy(&y, b + i, 8);
		if (x != y)
			return false;
	}
	if (i == size)
		return true;
	__builtin_memcpy(&x, a + i, 8);
	__builtin_memcpy(&y, b + i, 8);
	return (x ^ y) << (64 - 8 * (size - i)) == 0;
}

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

bool encoder_close(struct encoder *e, uint64_t session, struct frame_header *out)
{
	if (!e->open || e->header.steps == 0)
		return false;
	*out = e->header;
	out->session = session;
	out->raw_size = e->raw_size;
	out->last_tsc = e->last_tsc;
	e->next_frame++;
	e->open = false;
	return true;
}

/* ---- crossings ---- */

void encoder_begin(struct encoder *e, const struct vcpu *v, enum step_kind kind)
{
	e->kind = kind;
	e->key_rip = v->vmcs[VMCS_GUEST_RIP];
	e->previous_wake_at = v->wake_at;
	e->previous_deadline = v->deadline;
	e->crossing_count = 0;
	e->snap_size = 0;
	e->cross_size = 0;
	e->known_count = 0;
	e->insn_len = 0;
}

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

/* ---- instruction bytes ---- */

static unsigned seen_index(const struct vcpu *v)
{
	return memo_index(v->vmcs[VMCS_GUEST_RIP], v->vmcs[VMCS_GUEST_CR3] >> 12) & (SEEN_ENTRIES - 1);
}

bool encoder_wants_insn(const struct encoder *e, const struct vcpu *v)
{
	unsigned i = seen_index(v);

	return e->seen[i].generation != e->generation || e->seen[i].rip != v->vmcs[VMCS_GUEST_RIP] ||
	       e->seen[i].cr3 != v->vmcs[VMCS_GUEST_CR3];
}

void encoder_note_insn(struct encoder *e, const struct vcpu *v, const uint8_t *bytes, unsigned len)
{
	unsigned i = seen_index(v);

	e->seen[i].generation = e->generation;
	e->seen[i].rip = v->vmcs[VMCS_GUEST_RIP];
	e->seen[i].cr3 = v->vmcs[VMCS_GUEST_CR3];
	e->insn_len = (uint8_t)(len < STEP_INSN_MAX ? len : STEP_INSN_MAX);
	memcpy(e->insn, bytes, e->insn_len);
}

/* ---- sections ---- */

/* Append a section unless it equals the one remembered under `index`: gives `bit` if it was appended. */
static unsigned put_section(struct encoder *e, uint8_t **raw, enum memo_section section, unsigned index,
			    const uint8_t *bytes, uint32_t size, unsigned bit)
{
	struct memo *m = memo_in_frame(&e->memo[section][index], e->generation);

	if (m->size == size && same_words(m->bytes, bytes, size))
		return 0;
	m->size = 0;
	if (size <= MEMO_BYTES) {
		m->size = size;
		copy_words(m->bytes, bytes, size);
		copy_words(*raw, bytes, size);
	} else {
		memcpy(*raw, bytes, size);
	}
	*raw += size;
	return bit;
}

/* Time of this step from the record before, as a difference to what the memo has. */
static unsigned put_time(struct encoder *e, uint8_t **raw, enum memo_section section, unsigned index)
{
	struct memo *m = memo_in_frame(&e->memo[section][index], e->generation);
	uint64_t predicted = m->time;

	m->time = e->time;
	if (e->time == predicted)
		return 0;
	*raw = put_signed(*raw, e->time - predicted);
	return RECORD_TIME;
}

static inline uint8_t *put_item(uint8_t *p, unsigned code, uint64_t delta)
{
	*p++ = (uint8_t)code;
	return put_signed(p, delta);
}

/* A slot that the record predicts: an item only if the prediction failed. */
static inline uint8_t *put_predicted(uint8_t *p, const struct vcpu *v, enum vmcs_slot slot, uint64_t predicted)
{
	return v->vmcs[slot] == predicted ? p : put_item(p, slot, v->vmcs[slot] - predicted);
}

/* Dirty slots (but for those in `except`) and registers that have another value than before. */
static uint8_t *put_dirty(uint8_t *p, const struct vcpu *v, const uint64_t except[VMCS_WORDS])
{
	for (unsigned word = 0; word < VMCS_WORDS; word++) {
		for (uint64_t set = v->dirty[word] & ~except[word]; set; set &= set - 1) {
			unsigned slot = word * 64 + (unsigned)__builtin_ctzll(set);

			if (v->vmcs[slot] != v->vmcs_before[slot])
				p = put_item(p, slot, v->vmcs[slot] - v->vmcs_before[slot]);
		}
	}
	for (uint32_t set = v->gpr_dirty; set; set &= set - 1) {
		unsigned reg = (unsigned)__builtin_ctz(set);

		if (v->gpr[reg] != v->gpr_before[reg])
			p = put_item(p, ITEM_GPR + reg, v->gpr[reg] - v->gpr_before[reg]);
	}
	return p;
}

static uint8_t *put_crossings(struct encoder *e, uint8_t *p)
{
	p = put_varint(p, e->crossing_count);
	if (e->cross_size <= 64)
		copy_words(p, e->cross, e->cross_size);
	else
		memcpy(p, e->cross, e->cross_size);
	return p + e->cross_size;
}

static uint8_t *put_checks(uint8_t *p, struct vm *vm)
{
	p = put_varint(p, vm->touched);
	for (uint64_t set = vm->touched; set; set &= set - 1)
		*p++ = vm_check(vm, (unsigned)__builtin_ctzll(set));
	vm->touched = 0;
	return p;
}

#define SLOT_BIT(slot, word) ((slot) / 64 == (word) ? UINT64_C(1) << (slot) % 64 : 0)
#define EXIT_BITS(word)  (SLOT_BIT(VMCS_GUEST_RIP, word) | SLOT_BIT(VMCS_GUEST_INTERRUPTIBILITY, word))
#define ENTRY_BITS(word) SLOT_BIT(VMCS_PREEMPTION_TIMER_VALUE, word)
_Static_assert(VMCS_WORDS == 3, "the sets below have three words");
static const uint64_t exit_predicted[VMCS_WORDS] = { EXIT_BITS(0), EXIT_BITS(1), EXIT_BITS(2) };
static const uint64_t entry_predicted[VMCS_WORDS] = { ENTRY_BITS(0), ENTRY_BITS(1), ENTRY_BITS(2) };

/* ---- the record ---- */

/* Room for the head byte and vCPU; gives where time and sections go. */
static uint8_t *begin_record(struct encoder *e, const struct vcpu *v, unsigned *head)
{
	uint8_t *p = e->raw + e->raw_size + 1;

	if (e->header.steps == 0)
		e->header.first_tsc = v->tsc;
	e->time = v->tsc - e->last_tsc;
	if (v->index != e->last_vcpu) {
		*head |= RECORD_VCPU;
		*p++ = (uint8_t)v->index;
		e->last_vcpu = v->index;
		e->header.vcpus |= 1u << v->index;
	}
	return p;
}

static void end_record(struct encoder *e, const struct vcpu *v, unsigned head, uint8_t *p)
{
	e->raw[e->raw_size] = (uint8_t)head;
	e->raw_size = (uint32_t)(p - e->raw);
	e->last_tsc = v->tsc;
	e->header.steps++;
	e->header.vcpus |= 1u << v->index;
	e->next_step++;
}

static void count_exit(struct encoder *e, unsigned reason)
{
	e->next_seq++;
	e->header.exits++;
	e->header.reasons[reason / 64 & 1] |= UINT64_C(1) << reason % 64;
	e->reasons[reason % CLOSING_REASONS]++;
}

void encoder_end_exit(struct encoder *e, struct vcpu *v, struct vm *vm, enum exit_action action,
		      uint64_t tsc_entry, uint64_t handler_cycles, uint64_t tracer_cycles)
{
	unsigned head = STEP_EXIT, snapshot = memo_index(e->key_rip, 0);
	uint64_t rip = slot_before(v, VMCS_GUEST_RIP), blocking = slot_before(v, VMCS_GUEST_INTERRUPTIBILITY);
	unsigned reason = slot_before(v, VMCS_EXIT_REASON) & EXIT_REASON_BASIC, index = memo_index(rip, reason);
	uint8_t *p = begin_record(e, v, &head), *s = e->section;

	head |= put_time(e, &p, MEMO_SNAPSHOT, snapshot);
	e->snap[e->snap_size++] = ITEM_END;
	head |= put_section(e, &p, MEMO_SNAPSHOT, snapshot, e->snap, e->snap_size, RECORD_SNAPSHOT);

	*s++ = (uint8_t)action;
	s = put_crossings(e, s);
	if (action == ACTION_RETIRE) {
		rip += slot_before(v, VMCS_EXIT_INSTRUCTION_LEN);
		blocking &= ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS);
	}
	s = put_predicted(s, v, VMCS_GUEST_RIP, rip);
	s = put_predicted(s, v, VMCS_GUEST_INTERRUPTIBILITY, blocking);
	s = put_dirty(s, v, exit_predicted);
	*s++ = ITEM_END;
	s = put_checks(s, vm);
	head |= put_section(e, &p, MEMO_EFFECTS, index, e->section, (uint32_t)(s - e->section), RECORD_EFFECTS);

	s = put_varint(e->section, handler_cycles);
	s = put_signed(s, tsc_entry - e->entry_tsc[v->index]);
	s = put_varint(s, tracer_cycles);
	head |= put_section(e, &p, MEMO_NOTES, index, e->section, (uint32_t)(s - e->section), RECORD_NOTES);

	if (e->insn_len) {
		head |= RECORD_INSN;
		*p++ = e->insn_len;
		memcpy(p, e->insn, e->insn_len);
		p += e->insn_len;
	}
	end_record(e, v, head, p);
	count_exit(e, reason);
}

void encoder_end_entry(struct encoder *e, struct vcpu *v, struct vm *vm)
{
	unsigned head = STEP_ENTRY, index = memo_index(e->key_rip, MEMO_SALT_ENTRY);
	uint64_t timer = slot_before(v, VMCS_PREEMPTION_TIMER_VALUE);
	uint8_t *p = begin_record(e, v, &head), *s = e->section;

	head |= put_time(e, &p, MEMO_EFFECTS, index);
	if (e->snap_size) {
		head |= RECORD_SNAPSHOT;
		e->snap[e->snap_size++] = ITEM_END;
		memcpy(p, e->snap, e->snap_size);
		p += e->snap_size;
	}
	*s++ = (uint8_t)v->entry;
	s = put_signed(s, v->wake_at - e->previous_wake_at);
	s = put_signed(s, v->deadline - e->previous_deadline);
	s = put_crossings(e, s);
	if (v->entry == ENTRY_ENTER)
		timer = vm_preemption_timer(&vm->config, v->deadline, v->tsc);
	s = put_predicted(s, v, VMCS_PREEMPTION_TIMER_VALUE, timer);
	s = put_dirty(s, v, entry_predicted);
	*s++ = ITEM_END;
	s = put_checks(s, vm);
	head |= put_section(e, &p, MEMO_EFFECTS, index, e->section, (uint32_t)(s - e->section), RECORD_EFFECTS);
	end_record(e, v, head, p);
	e->entry_tsc[v->index] = v->tsc;
}

void encoder_end_unfinished(struct encoder *e, struct vcpu *v)
{
	unsigned head = e->kind | RECORD_UNFINISHED, index = memo_index(e->key_rip, e->kind == STEP_ENTRY ? MEMO_SALT_ENTRY : 0);
	enum memo_section timed = e->kind == STEP_ENTRY ? MEMO_EFFECTS : MEMO_SNAPSHOT;
	uint8_t *p = begin_record(e, v, &head);

	head |= put_time(e, &p, timed, index) | RECORD_SNAPSHOT;
	e->snap[e->snap_size++] = ITEM_END;
	memcpy(p, e->snap, e->snap_size);
	end_record(e, v, head, p + e->snap_size);
	e->header.flags |= HEADER_UNFINISHED;
	if (e->kind == STEP_EXIT)
		count_exit(e, v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC);
}
