/*
 * encode_step.h: the ends of steps that repeat what was there before under their key: one byte each, and
 * times.
 *
 * Included by encode.h alone. Inline, because each traced exit comes through here twice; whatever doesn't
 * repeat is left to encode.c. See there why times cost as much predicted as not.
 */
#ifndef VEXIT_ENCODE_STEP_H
#define VEXIT_ENCODE_STEP_H

#include <string.h>

#include "record.h"

/* A record in the making: where it goes on, and its head byte so far. Two registers. */
struct record {
	uint8_t *p;
	uint64_t head;
};

/* Remember a device's words and its check byte (encode_frame.c). */
void encoder_see_device(struct encoder *e, const struct vm *vm, unsigned device);

/* Whether all devices that the step touched have the check byte in the echo; if so, clears vm->touched. */
bool encoder_same_checks(struct encoder *e, const struct effects_echo *m, struct vm *vm);

/* Cold halves, in encode.c */
struct record encoder_other_vcpu(struct encoder *e, const struct vcpu *v, struct record r);
struct record encoder_put_snapshot(struct encoder *e, const struct vcpu *v, struct snapshot_echo *s,
				   struct record r);
/* Effects that may repeat what is in the echo, or else are put; instruction bytes. Clears vm->touched. */
struct record encoder_exit_effects(struct encoder *e, const struct vcpu *v, struct vm *vm,
				   struct effects_echo *m, enum exit_action action, struct record r);
struct record encoder_entry_effects(struct encoder *e, const struct vcpu *v, struct vm *vm,
				    struct effects_echo *m, struct record r);

/* ---- Echoes ---- */

static inline struct snapshot_echo *encoder_snapshot_echo(struct encoder *e)
{
	return &e->snapshots[memo_index(e->key_rip, 0)];
}

static inline struct effects_echo *encoder_effects_echo(struct encoder *e, uint64_t rip, uint64_t salt)
{
	return &e->effects_echoes[memo_index(rip, salt)];
}

static inline bool same_items(const struct item *a, const struct item *b, uint64_t count)
{
	_Static_assert(sizeof(struct item) == 16, "no padding");
	return memcmp(a, b, count * sizeof(*a)) == 0;
}

static inline bool encoder_loaded(struct encoder *e, const struct vcpu *v)
{
	uint64_t rip = v->vmcs[VMCS_GUEST_RIP], cr3 = v->vmcs[VMCS_GUEST_CR3];
	uint64_t reason = v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC;
	struct effects_echo *m = encoder_effects_echo(e, rip, reason);

	e->echo = m;
	if (__builtin_expect(m->insn_key == (rip ^ reason << 48) && m->insn_cr3 == cr3, 1))
		return false;
	if (reason_is_asynchronous(reason)) {	/* so none is ever found above */
		e->asynchronous |= 1u << v->index;
		e->echo = encoder_effects_echo(e, 0, reason);
		return false;
	}
	m->insn_key = rip ^ reason << 48;
	m->insn_cr3 = cr3;
	return true;
}

/* ---- Times ---- */

/* 1 if the value isn't 0, in the same instructions either way: a compiler might turn `!= 0` into a branch. */
static inline uint64_t nonzero(uint64_t value)
{
	uint64_t differs = value != 0;

	__asm__("" : "+r"(differs));
	return differs;
}

/*
 * Time of the record from the end of the one before, as a difference to the last one under this key; gives
 * RECORD_TIME.
 */
static inline uint64_t encoder_time(struct encoder *e, const struct vcpu *v, uint64_t *memo)
{
	uint64_t time = v->tsc - e->step_end, difference = time - *memo, differs = nonzero(difference);

	*memo = time;
	e->last_tsc = e->step_end = v->tsc;
	e->times[e->time_count] = difference;
	e->time_count += differs;
	return differs * RECORD_TIME;
}

static inline uint64_t encoder_notes(struct encoder *e, uint64_t *memo, uint64_t handler, uint64_t entered,
				     uint64_t waited)
{
	uint64_t *to = e->times + e->time_count, differs;

	to[0] = handler - memo[0];
	to[1] = entered - memo[1];
	to[2] = waited - memo[2];
	differs = nonzero(to[0] | to[1] | to[2]);
	memo[0] = handler;
	memo[1] = entered;
	memo[2] = waited;
	e->time_count += 3 * differs;
	return differs * RECORD_NOTES;
}

/* ---- Records ---- */

static inline struct record encoder_begin_record(struct encoder *e, const struct vcpu *v, enum step_kind kind)
{
	struct record r = { e->p + 1, kind };

	if (__builtin_expect(v->index != e->same_vcpu, 0))
		r = encoder_other_vcpu(e, v, r);
	return r;
}

static inline void encoder_end_record(struct encoder *e, struct record r)
{
	*e->p = (uint8_t)r.head;
	e->p = r.p;
	e->next_step++;
}

static inline void encoder_count_exit(struct encoder *e, uint64_t reason)
{
	e->next_seq++;
	e->reasons[reason % CLOSING_REASONS]++;
}

static inline bool same_registers(const struct effects_echo *m, const struct vcpu *v)
{
	const uint64_t *delta = m->registers;

	if (__builtin_expect(m->plain == 0xf, 1))	/* RAX, RCX, RDX, RBX: CPUID */
		return v->gpr[0] - v->gpr_before[0] == delta[0] && v->gpr[1] - v->gpr_before[1] == delta[1] &&
		       v->gpr[2] - v->gpr_before[2] == delta[2] && v->gpr[3] - v->gpr_before[3] == delta[3];
	for (uint64_t set = m->plain; set; set &= set - 1, delta++) {
		unsigned reg = (unsigned)__builtin_ctzll(set);

		if (v->gpr[reg] - v->gpr_before[reg] != *delta)
			return false;
	}
	return true;
}

#define ONLY_RIP (UINT64_C(1) << VMCS_GUEST_RIP % 64)
_Static_assert(VMCS_WORDS == 3 && VMCS_GUEST_RIP / 64 == 2, "the words of the dirty set below");

/* Retired, RIP and blocking as predicted, no crossing: what is left is devices, and registers without CR2. */
static inline bool retired_plainly(const struct encoder *e, const struct vcpu *v, enum exit_action action)
{
	const uint64_t *vmcs = v->vmcs;

	return action == ACTION_RETIRE &&
	       !(v->dirty[0] | v->dirty[1] | (v->dirty[2] ^ ONLY_RIP) | e->crossing_count | e->insn_len) &&
	       vmcs[VMCS_GUEST_RIP] == v->vmcs_before[VMCS_GUEST_RIP] + vmcs[VMCS_EXIT_INSTRUCTION_LEN] &&
	       !(vmcs[VMCS_GUEST_INTERRUPTIBILITY] & (BLOCKING_STI | BLOCKING_MOV_SS));
}

static inline __attribute__((always_inline))
bool encoder_end_exit(struct encoder *e, const struct vcpu *v, struct vm *vm, enum exit_action action,
		      uint64_t tsc_entry, uint64_t handler_cycles, uint64_t tracer_cycles)
{
	struct snapshot_echo *s = encoder_snapshot_echo(e);
	struct effects_echo *m = e->echo;
	struct record r = encoder_begin_record(e, v, STEP_EXIT);
	bool plain;

	r.head |= encoder_time(e, v, &s->time);
	if (__builtin_expect(s->item_count != e->item_count ||
			     !same_items(e->items, s->items, e->item_count), 0))
		r = encoder_put_snapshot(e, v, s, r);
	plain = __builtin_expect(retired_plainly(e, v, action) && m->plain == v->gpr_dirty &&
				 m->checks[0] == vm->touched && same_registers(m, v), 1) &&
		(__builtin_expect(vm->touched == 0, 1) || encoder_same_checks(e, m, vm));
	if (!plain)
		r = encoder_exit_effects(e, v, vm, m, action, r);
	/*
	 * What the tracer spent is what neither the handlers nor others took: told by the difference, which
	 * says little that the times haven't said.
	 */
	r.head |= encoder_notes(e, m->notes, handler_cycles, tsc_entry - e->entry_tsc[v->index],
				tsc_entry - e->exit_end[v->index] - tracer_cycles);
	e->step_end = e->exit_end[v->index] = v->tsc + handler_cycles;
	encoder_end_record(e, r);
	encoder_count_exit(e, v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC);
	return plain;
}

/* Nothing but time passed, and the timer stands at its cap, as it did: the entry step of most exits. */
static inline bool encoder_only_time(const struct encoder *e, const struct vcpu *v, const struct vm *vm)
{
	uint64_t changes = v->dirty[0] | v->dirty[1] | v->dirty[2] | v->gpr_dirty | vm->touched |
			   e->crossing_count | e->item_count | v->entry | (v->wake_at ^ e->previous_wake_at) | ~v->deadline |
			   ~e->previous_deadline | (v->vmcs[VMCS_PREEMPTION_TIMER_VALUE] ^ e->timer_cap);

	_Static_assert(ENTRY_ENTER == 0 && ~TIME_NONE == 0, "what is plain is 0");
	return changes == 0;
}

/*
 * The whole record of an entry step in which only time passed (exit/entry.h), the timer being set as
 * predicted, if the one before under its key was like that, and the frame is open; false: it is a step as
 * others.
 */
static inline __attribute__((always_inline))
bool encoder_quiet_entry(struct encoder *e, const struct vcpu *v)
{
	struct effects_echo *m = encoder_effects_echo(e, v->vmcs[VMCS_GUEST_RIP], MEMO_SALT_ENTRY);
	struct record r = { e->p + 1, STEP_ENTRY };

	if (__builtin_expect(m->plain != ECHO_ONLY_TIME || v->index != e->same_vcpu, 0))
		return false;
	r.head |= encoder_time(e, v, &m->time);
	encoder_end_record(e, r);
	e->entry_tsc[v->index] = v->tsc;
	return true;
}

static inline __attribute__((always_inline))
bool encoder_end_entry(struct encoder *e, const struct vcpu *v, struct vm *vm)
{
	struct effects_echo *m = encoder_effects_echo(e, e->key_rip, MEMO_SALT_ENTRY);
	struct record r = encoder_begin_record(e, v, STEP_ENTRY);
	bool only_time = encoder_only_time(e, v, vm);

	r.head |= encoder_time(e, v, &m->time);
	if (__builtin_expect(!only_time || m->plain != ECHO_ONLY_TIME, 0))
		r = encoder_entry_effects(e, v, vm, m, r);
	encoder_end_record(e, r);
	e->entry_tsc[v->index] = v->tsc;
	return only_time;
}

#endif
