/*
 * The record codec: whatever the encoder is told, the decoder gives back; whatever bytes the decoder is given, it stays within
 * them. Random steps of several vCPUs, from a seed that is printed on failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "recorder/session.h"
#include "trace/decode.h"

#define CPUS 3
#define STEPS 3000
#define RAW_CAP FRAME_RAW_CAP

static uint64_t random_state;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t random_below(uint64_t n)
{
	return random_u64() % n;
}

/* A value as they come: small, an address, or anything. */
static uint64_t random_value(void)
{
	switch (random_below(3)) {
	case 0: return random_below(300);
	case 1: return 0xffffffff81000000 + random_below(1 << 20);
	default: return random_u64();
	}
}

struct fixture {
	struct encoder e;
	struct decoder d;
	struct session s;
	struct vm vm;
	struct vcpu cpu[CPUS];
	uint8_t raw[RAW_CAP];
	/* what happened, to compare with */
	struct {
		struct vcpu at, end;
		unsigned vcpu, action, crossings;
		enum step_kind kind;
		uint64_t handler_cycles, tsc_entry, tracer_cycles;
		uint8_t insn_len;
		uint64_t touched;
		uint8_t checks[VM_DEVICE_COUNT];
		uint8_t bytes[64];
		uint32_t bytes_len;
	} log[STEPS];
	unsigned steps, quiet_steps;
};

static void set_up_vm(struct fixture *f, uint8_t level)
{
	struct vm_config *c = &f->vm.config;
	uint64_t all[VMCS_WORDS];

	memset(f, 0, sizeof(*f));
	memset(all, 0xff, sizeof(all));
	c->cpu_count = CPUS;
	c->memory_size = 64 << 20;
	c->tsc_khz = 400000;
	vm_reset(&f->vm);
	f->vm.touched = 0;
	f->s.cpu_count = CPUS;
	f->s.level = level;
	f->s.id = 42;
	f->s.config = *c;
	memcpy(f->e.supported, all, sizeof(all));
	session_describe_build(&f->s, all);
	for (unsigned i = 0; i < CPUS; i++) {
		f->cpu[i].index = i;
		memset(f->cpu[i].loaded, 0xff, sizeof(f->cpu[i].loaded));
		for (unsigned slot = 0; slot < VMCS_SLOTS; slot++)
			f->cpu[i].vmcs[slot] = random_below(4) ? random_below(4) : random_value();
		f->cpu[i].wake_at = f->cpu[i].deadline = TIME_NONE;
	}
}

/* Few items whose bytes are many, the same each time: too long a section to be remembered. */
static void long_load(struct fixture *f, struct vcpu *v)
{
	for (enum vmcs_slot slot = VMCS_GUEST_CR3; slot < VMCS_GUEST_CR3 + 8; slot++) {
		uint64_t before = v->vmcs[slot];

		v->vmcs[slot] += UINT64_C(0x123456789abcdef1);
		encoder_item(&f->e, slot, before, v->vmcs[slot]);
	}
}

static void random_load(struct fixture *f, struct vcpu *v)
{
	static const uint64_t rips[] = { 0x1000, 0x1004, 0xffffffff81000000, 0x7fff00001234 };

	for (unsigned slot = 0; slot < VMCS_SLOTS; slot++) {
		uint64_t before = v->vmcs[slot];

		if (slot == VMCS_GUEST_RIP)
			v->vmcs[slot] = rips[random_below(4)];
		else if (slot == VMCS_EXIT_REASON)
			v->vmcs[slot] = random_below(5) * 10;
		else if (slot == VMCS_EXIT_INSTRUCTION_LEN)
			v->vmcs[slot] = 1 + random_below(3);
		else if (random_below(60) == 0)
			v->vmcs[slot] = random_value();
		if (v->vmcs[slot] != before)
			encoder_item(&f->e, slot, before, v->vmcs[slot]);
	}
	const bool all = random_below(4) == 0;	/* by the same differences: too many for a memo, which must not be missed */

	for (unsigned reg = 0; reg < GPR_COUNT; reg++) {
		uint64_t before = v->gpr[reg];

		if (reg == GPR_RSP || (!all && random_below(8)))
			continue;
		v->gpr[reg] += all ? 1 : random_below(3);
		if (v->gpr[reg] != before)
			encoder_item(&f->e, ITEM_GPR + reg, before, v->gpr[reg]);
	}
}

static void random_handler(struct fixture *f, struct vcpu *v)
{
	unsigned n = f->steps;

	if (random_below(4) == 0)
		gpr_write(v, GPR_RAX, random_below(4));
	if (random_below(10) == 0) {
		enum vmcs_slot slot = (enum vmcs_slot)random_below(VMCS_SLOTS);

		if (vmcs_encoding_class(vmcs_fields[slot].encoding) != VMCS_CLASS_INFO)	/* read-only */
			vmcs_write(v, slot, random_value());
	}
	if (random_below(6) == 0) {
		f->log[n].bytes_len = 1 + (uint32_t)random_below(sizeof(f->log[n].bytes));
		for (unsigned i = 0; i < f->log[n].bytes_len; i++)
			f->log[n].bytes[i] = (uint8_t)random_u64();
		encoder_mem_write(&f->e, 0x5000, f->log[n].bytes, f->log[n].bytes_len);
		f->log[n].crossings = 1;
	}
	if (random_below(12) == 0) {
		f->vm.cpu[v->index].wake_at = random_u64();
		vm_touch_cpu(&f->vm, v->index);
	}
	if (random_below(30) == 0) {
		f->vm.uart.scratch++;
		vm_touch(&f->vm, VM_DEVICE_UART);
	}
	if (random_below(3) == 0)	/* touched, and as it was */
		vm_touch(&f->vm, random_below(4) ? VM_DEVICE_UART : VM_DEVICE_CPU0);
}

static void note_state(struct fixture *f, struct vcpu *v)
{
	unsigned n = f->steps++;

	f->log[n].end = *v;
	f->log[n].touched = f->vm.touched;
	for (unsigned i = 0; i < VM_DEVICE_COUNT; i++)
		f->log[n].checks[i] = vm_check(&f->vm, i, vm_rows_of(i));
}

static void random_exit(struct fixture *f, struct vcpu *v)
{
	unsigned n = f->steps;
	enum exit_action action = (enum exit_action)random_below(3);

	encoder_begin(&f->e, v, STEP_EXIT);
	if (random_below(8))
		random_load(f, v);
	else
		long_load(f, v);
	encoder_loaded(&f->e, v);
	f->log[n].at = *v;
	random_handler(f, v);
	if (action == ACTION_RETIRE && random_below(10)) {
		vmcs_write(v, VMCS_GUEST_RIP, v->vmcs[VMCS_GUEST_RIP] + v->vmcs[VMCS_EXIT_INSTRUCTION_LEN]);
		vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, v->vmcs[VMCS_GUEST_INTERRUPTIBILITY] & ~UINT64_C(3));
	}
	if (random_below(20) == 0) {
		f->log[n].insn_len = 3;
		encoder_note_insn(&f->e, (const uint8_t *)"\x0f\xa2\x90", 3);
	}
	f->log[n].action = action;
	f->log[n].handler_cycles = 100 + random_below(2);
	f->log[n].tsc_entry = v->tsc - 10;
	f->log[n].tracer_cycles = random_below(2) * 1000;
	note_state(f, v);
	encoder_end_exit(&f->e, v, &f->vm, action, f->log[n].tsc_entry, f->log[n].handler_cycles, f->log[n].tracer_cycles);
}

/* Enter with no deadline: what steps do in which nothing happens. */
static void settle(struct fixture *f, struct vcpu *v)
{
	encoder_begin(&f->e, v, STEP_ENTRY);
	v->entry = ENTRY_ENTER;
	v->deadline = v->wake_at = TIME_NONE;
	if (v->vmcs[VMCS_PREEMPTION_TIMER_VALUE] != f->e.timer_cap)
		vmcs_write(v, VMCS_PREEMPTION_TIMER_VALUE, f->e.timer_cap);
	note_state(f, v);
	encoder_end_entry(&f->e, v, &f->vm);
}

/* Only time passes again, towards the same deadline; the short way to its record is taken if it can be. */
static bool quiet(struct fixture *f, struct vcpu *v)
{
	if (v->entry != ENTRY_ENTER || v->wake_at != TIME_NONE || !encoder_quiet_entry(&f->e, v))
		return false;
	v->vmcs[VMCS_PREEMPTION_TIMER_VALUE] = vm_preemption_timer(&f->vm.config, v->deadline, v->tsc);
	f->quiet_steps++;
	note_state(f, v);
	return true;
}

static void random_entry(struct fixture *f, struct vcpu *v)
{
	f->log[f->steps].at = *v;
	if (random_below(2) && quiet(f, v))
		return;
	if (random_below(2)) {
		settle(f, v);
		return;
	}
	encoder_begin(&f->e, v, STEP_ENTRY);
	v->entry = (enum entry_result)random_below(3);
	if (random_below(4) == 0)
		v->deadline = random_below(2) ? TIME_NONE : v->tsc + random_below(1000000);
	if (random_below(4) == 0)
		v->wake_at = random_below(2) ? TIME_NONE : v->tsc + random_below(1000000);
	random_handler(f, v);
	if (v->entry == ENTRY_ENTER && random_below(8))
		vmcs_write(v, VMCS_PREEMPTION_TIMER_VALUE, vm_preemption_timer(&f->vm.config, v->deadline, v->tsc));
	note_state(f, v);
	encoder_end_entry(&f->e, v, &f->vm);
}

static void encode_frame(struct fixture *f, struct frame_header *h)
{
	uint64_t tsc = f->cpu[0].tsc;

	f->steps = 0;
	encoder_open(&f->e, f->raw, RAW_CAP, f->cpu, &f->vm);
	while (f->steps < STEPS && !encoder_full(&f->e)) {
		struct vcpu *v = &f->cpu[random_below(5) ? 0 : random_below(CPUS)];
		unsigned n = f->steps;

		tsc += random_below(2) ? 500 : random_below(100000);
		memset(&f->log[n], 0, sizeof(f->log[n]));
		vcpu_begin_step(v, tsc);
		f->log[n].vcpu = v->index;
		f->log[n].kind = random_below(2) ? STEP_EXIT : STEP_ENTRY;
		if (f->log[n].kind == STEP_EXIT)
			random_exit(f, v);
		else
			random_entry(f, v);
	}
	assert_false(f->e.overflow);
	assert_true(encoder_close(&f->e, f->s.id, h));
	assert_int_equal(h->steps, f->steps);
}

static void compare_state(const struct vcpu *got, const struct vcpu *expected)
{
	assert_memory_equal(got->vmcs, expected->vmcs, sizeof(got->vmcs));
	assert_memory_equal(got->gpr, expected->gpr, sizeof(got->gpr));
	assert_int_equal(got->tsc, expected->tsc);
}

static void compare_step(struct fixture *f, unsigned n)
{
	const struct step *s = &f->d.step;

	assert_int_equal(s->vcpu, f->log[n].vcpu);
	assert_int_equal(s->kind, f->log[n].kind);
	compare_state(&f->d.cpu[s->vcpu], &f->log[n].at);
	assert_int_equal(s->crossing_count, f->log[n].crossings);
	if (s->crossing_count) {
		assert_int_equal(s->crossings[0].size, f->log[n].bytes_len);
		assert_memory_equal(s->crossings[0].bytes, f->log[n].bytes, f->log[n].bytes_len);
	}
	assert_int_equal(s->insn_len, f->log[n].insn_len);
	if (s->kind == STEP_EXIT) {
		assert_int_equal(s->action, f->log[n].action);
		assert_int_equal(s->handler_cycles, f->log[n].handler_cycles);
		assert_int_equal(s->tsc_entry, f->log[n].tsc_entry);
		assert_int_equal(s->tracer_cycles, f->log[n].tracer_cycles);
	} else {
		assert_int_equal(s->entry, f->log[n].end.entry);
		assert_int_equal(s->wake_at, f->log[n].end.wake_at);
		assert_int_equal(s->deadline, f->log[n].end.deadline);
	}
	assert_int_equal(s->check_count, __builtin_popcountll(f->log[n].touched));
	for (unsigned i = 0; i < s->check_count; i++)
		assert_int_equal(s->checks[i].value, f->log[n].checks[s->checks[i].device]);
}

/* Several frames in a row: memos must not leak from one into the next. */
static void roundtrip(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct fixture *f = malloc(sizeof(*f));
		struct frame_header h;

		random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
		set_up_vm(f, TRACE_FULL);
		for (unsigned frame = 0; frame < 3; frame++) {
			encode_frame(f, &h);
			assert_int_equal(h.frame, frame);
			memset(&f->d, 0, sizeof(f->d));		/* a frame stands alone, whatever was decoded before it */
			assert_int_equal(decoder_open(&f->d, &f->s, &h, f->raw, h.raw_size), 0);
			for (unsigned n = 0; n < f->steps; n++) {
				if (decoder_next(&f->d) != 1)
					fail_msg("seed %d step %u: %s at %u", (int)seed, n, f->d.error, f->d.error_at);
				compare_step(f, n);
				decoder_finish(&f->d);
				compare_state(&f->d.cpu[f->log[n].vcpu], &f->log[n].end);
			}
			assert_int_equal(decoder_next(&f->d), 0);
		}
		assert_true(f->quiet_steps > STEPS / 10);
		free(f);
	}
}

/* Any byte of a raw frame replaced, or the frame cut: an error or another reading, but no access outside (ASan sees to it). */
static void hostile_raw(void **state)
{
	struct fixture *f = malloc(sizeof(*f));
	struct frame_header h;
	uint8_t *copy;

	(void)state;
	random_state = 77;
	set_up_vm(f, TRACE_FULL);
	encode_frame(f, &h);
	for (unsigned round = 0; round < 400; round++) {
		size_t size = random_below(3) ? h.raw_size : random_below(h.raw_size + 1);

		copy = malloc(size + !size);
		memcpy(copy, f->raw, size);
		if (size && random_below(4))
			copy[random_below(random_below(2) ? size : size < 600 ? size : 600)] = (uint8_t)random_u64();
		if (decoder_open(&f->d, &f->s, &h, copy, size) == 0)
			while (decoder_next(&f->d) == 1)
				;
		free(copy);
	}
	free(f);
}

static void session_and_header(void **state)
{
	static uint8_t bytes[SESSION_MAX], header[HEADER_SIZE];
	static struct fixture f;
	static struct session s;
	struct frame_header h = { .frame = 7, .steps = 3, .exits = 2, .raw_size = 99, .session = 5 }, back;
	size_t size;

	(void)state;
	random_state = 5;
	set_up_vm(&f, TRACE_FULL);
	strcpy(f.s.guest, "print");
	f.s.caps[f.s.cap_count++] = (struct session_cap){ 0x480, 0xd8 };
	size = session_encode(&f.s, bytes, sizeof(bytes));
	assert_true(size > 0);
	assert_null(session_decode(bytes, size, &s));
	assert_string_equal(s.guest, "print");
	assert_int_equal(s.slot_map[VMCS_GUEST_RIP], VMCS_GUEST_RIP);
	assert_memory_equal(&s.config, &f.s.config, sizeof(s.config));
	assert_int_equal(s.caps[0].value, 0xd8);
	for (unsigned i = 0; i < s.vm_field_count; i++)
		assert_int_equal(s.vm_fields[i].local, i);
	for (size_t i = 0; i < size; i += 7) {
		bytes[i] ^= 0x10;
		assert_non_null(session_decode(bytes, size, &s));
		bytes[i] ^= 0x10;
	}
	assert_int_equal(session_encode(&f.s, bytes, size - 1), 0);

	frame_header_encode(&h, header);
	assert_true(frame_header_decode(header, &back));
	assert_memory_equal(&h, &back, sizeof(h));
	header[40] ^= 1;
	assert_false(frame_header_decode(header, &back));
}

/* On the wire the entries are compressed: the same session comes out, and every byte of it counts. */
static void packed_session(void **state)
{
	static uint8_t plain[SESSION_MAX], packed[SESSION_MAX], back[SESSION_MAX];
	static struct fixture f;
	static struct session s;
	size_t size, packed_size;

	(void)state;
	random_state = 6;
	set_up_vm(&f, TRACE_FULL);
	size = session_encode(&f.s, plain, sizeof(plain));
	memcpy(packed, plain, size);
	packed_size = session_pack(packed, size);
	assert_true(packed_size < size / 2);
	assert_int_equal(session_unpacked_size(packed), size - SESSION_ENTRIES - SESSION_TAIL);
	assert_non_null(session_decode(packed, packed_size, &s));	/* the core has no zstd */
	assert_null(session_read(packed, packed_size, &s));
	assert_int_equal(s.id, f.s.id);
	assert_memory_equal(&s.config, &f.s.config, sizeof(s.config));
	assert_int_equal(session_unpack(packed, packed_size, back), size);
	assert_memory_equal(back, plain, size);
	for (size_t i = 0; i < packed_size; i++) {
		packed[i] ^= 0x10;
		assert_non_null(session_read(packed, packed_size, &s));
		packed[i] ^= 0x10;
	}
	/* Sizes that lie, under a hash that is right */
	for (uint32_t unpacked = 1; unpacked; unpacked <<= 1) {
		session_finish(packed, packed_size - SESSION_ENTRIES - SESSION_TAIL, unpacked);
		assert_non_null(session_read(packed, packed_size, &s));
	}
}

static void closing_frame(void **state)
{
	static uint8_t bytes[CLOSING_MAX];
	static struct closing c, back;
	size_t size;

	(void)state;
	c.session = 9;
	c.exits = 12;
	c.reasons[10] = 12;
	c.stop.kind = STOP_DEBUG_EXIT;
	c.missing_count = 1;
	c.missing[0].first_step = 4;
	size = closing_encode(&c, bytes);
	assert_true(closing_decode(bytes, size, &back));
	assert_memory_equal(&c, &back, sizeof(c));
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 4;
		assert_false(closing_decode(bytes, size, &back));
		bytes[i] ^= 4;
	}
}

/* A byte is recorded once a step, whoever reads it again, and not at all after the handler wrote it. */
static void memory_is_recorded_once(void **state)
{
	static struct fixture f;
	struct frame_header h;
	uint8_t bytes[64] = { 1, 2, 3 };
	struct vcpu *v = &f.cpu[0];

	(void)state;
	random_state = 3;
	set_up_vm(&f, TRACE_FULL);
	encoder_open(&f.e, f.raw, RAW_CAP, f.cpu, &f.vm);
	vcpu_begin_step(v, 1000);
	encoder_begin(&f.e, v, STEP_EXIT);
	encoder_loaded(&f.e, v);
	encoder_mem_read(&f.e, 0x100, bytes, 8);
	encoder_mem_read(&f.e, 0x104, bytes, 8);	/* 0x108..0x10b are new */
	encoder_mem_write(&f.e, 0x110, bytes, 4);
	encoder_mem_read(&f.e, 0x10e, bytes, 16);	/* 0x10e, 0x10f and 0x114..0x11d are new */
	encoder_end_exit(&f.e, v, &f.vm, ACTION_RESUME, 0, 0, 0);
	assert_true(encoder_close(&f.e, f.s.id, &h));
	assert_int_equal(decoder_open(&f.d, &f.s, &h, f.raw, h.raw_size), 0);
	assert_int_equal(decoder_next(&f.d), 1);
	assert_int_equal(f.d.step.crossing_count, 5);
	assert_int_equal(f.d.step.crossings[1].addr, 0x108);
	assert_int_equal(f.d.step.crossings[1].size, 4);
	assert_int_equal(f.d.step.crossings[3].addr, 0x10e);
	assert_int_equal(f.d.step.crossings[3].size, 2);
	assert_int_equal(f.d.step.crossings[4].addr, 0x114);
	assert_int_equal(f.d.step.crossings[4].size, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roundtrip),
		cmocka_unit_test(hostile_raw),
		cmocka_unit_test(session_and_header),
		cmocka_unit_test(packed_session),
		cmocka_unit_test(closing_frame),
		cmocka_unit_test(memory_is_recorded_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
