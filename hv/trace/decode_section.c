/*
 * decode_section.c: the sections of a record: what the load changed, and what the handler did. Called by decode.c, over the
 * record's own bytes or a memo's. Hostile bytes give decoder_fail(), and nothing outside of d->step and the vCPU is written.
 */
#include "bytes.h"
#include "decode.h"
#include "decode_section.h"

int decoder_fail(struct decoder *d, const struct reader *r, const char *what)
{
	d->error = what;
	d->error_at = (uint32_t)((r && r->p >= d->raw && r->p <= d->end ? r->p : d->p) - d->raw);
	d->steps_left = 0;
	return -1;
}

/* ---- items ---- */

/* The loaded set of an exit at level `touched`: what only we change, and what the record lists. */
void section_forget_volatile(struct vcpu *v)
{
	for (unsigned slot = 0; slot < VMCS_SLOTS; slot++)
		if (vmcs_fields[slot].change == VMCS_CHANGE_GUEST || vmcs_fields[slot].change == VMCS_CHANGE_INFO)
			v->loaded[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

int section_snapshot(struct decoder *d, struct reader *r, struct vcpu *v)
{
	for (;;) {
		unsigned code = (unsigned)read_le(r, 1), slot;
		uint64_t delta;

		if (code == ITEM_END)
			return 0;
		delta = read_signed(r);
		if (r->bad)
			return decoder_fail(d, r, "the end of a snapshot section");
		if (code >= ITEM_GPR) {
			if (code >= ITEM_GPR + GPR_COUNT)
				return decoder_fail(d, r, "an item code");
			v->gpr[code - ITEM_GPR] += delta;
			d->gpr_changed |= 1u << (code - ITEM_GPR);
			d->step.changed_count++;
			continue;
		}
		if (code >= d->session->slot_count)
			return decoder_fail(d, r, "a slot of the dictionary");
		slot = d->session->slot_map[code];
		if (slot == VMCS_SLOTS)
			continue;
		slot_set(v->loaded, slot);
		if (delta) {
			v->vmcs[slot] += delta;
			slot_set(d->changed, slot);
			d->step.changed_count++;
		}
	}
}

static int add_effect(struct decoder *d, struct reader *r, unsigned code, uint64_t before, uint64_t after)
{
	struct step *s = &d->step;

	if (before == after)
		return 0;
	if (s->effect_count == STEP_ITEMS)
		return decoder_fail(d, r, "fewer effects");
	s->effects[s->effect_count++] = (struct effect){ (uint8_t)code, before, after };
	return 0;
}

/* Predicted values of two slots (exits) or one (entry steps); items correct them. */
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

static int read_effect_items(struct decoder *d, struct reader *r, const struct vcpu *v)
{
	struct prediction p = predict(d, v);

	for (;;) {
		unsigned code = (unsigned)read_le(r, 1), slot;
		uint64_t delta, before;
		bool predicted = false;

		if (code == ITEM_END)
			break;
		delta = read_signed(r);
		if (r->bad)
			return decoder_fail(d, r, "the end of an effects section");
		if (code >= ITEM_GPR) {
			if (code >= ITEM_GPR + GPR_COUNT)
				return decoder_fail(d, r, "an item code");
			before = v->gpr[code - ITEM_GPR];
			if (add_effect(d, r, code, before, before + delta) < 0)
				return -1;
			continue;
		}
		if (code >= d->session->slot_count)
			return decoder_fail(d, r, "a slot of the dictionary");
		slot = d->session->slot_map[code];
		if (slot == VMCS_SLOTS)
			continue;
		for (unsigned i = 0; i < p.count; i++) {
			if (p.slot[i] == slot) {
				p.value[i] += delta;
				predicted = true;
			}
		}
		before = v->vmcs[slot];
		if (!predicted && add_effect(d, r, slot, before, before + delta) < 0)
			return -1;
	}
	for (unsigned i = 0; i < p.count; i++)
		if (add_effect(d, r, p.slot[i], v->vmcs[p.slot[i]], p.value[i]) < 0)
			return -1;
	return 0;
}

/* ---- effects ---- */

static int read_crossings(struct decoder *d, struct reader *r)
{
	struct step *s = &d->step;
	uint64_t count = read_varint(r), total = 0;

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

int section_effects(struct decoder *d, struct reader *r, struct vcpu *v)
{
	struct step *s = &d->step;
	unsigned result = (unsigned)read_le(r, 1);

	if (s->kind == STEP_EXIT) {
		if (result > ACTION_STOP)
			return decoder_fail(d, r, "an action");
		s->action = (enum exit_action)result;
	} else {
		if (result > ENTRY_STOP)
			return decoder_fail(d, r, "an entry step's result");
		s->entry = (enum entry_result)result;
		s->wake_at = v->wake_at + read_signed(r);
		s->deadline = v->deadline + read_signed(r);
	}
	if (read_crossings(d, r) < 0 || read_effect_items(d, r, v) < 0)
		return -1;
	return read_checks(d, r);
}
