/*
 * The record codec (traces/FORMAT.md, "Records"): whatever the encoder is told, the decoder gives back;
 * whatever bytes the decoder is given, it stays within them. Random steps of several vCPUs, from a seed
 * that is printed on failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

#include "support/codec.h"
#include "support/random.h"

static void compare_state(const struct vcpu *got, const struct vcpu *expected)
{
	assert_memory_equal(got->vmcs, expected->vmcs, sizeof(got->vmcs));
	assert_memory_equal(got->gpr, expected->gpr, sizeof(got->gpr));
	assert_int_equal(got->tsc, expected->tsc);
}

static void compare_step(struct codec *f, unsigned n)
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
		struct codec *f = malloc(sizeof(*f));
		struct frame_header h;

		random_seed(seed * UINT64_C(0x9e3779b97f4a7c15));
		codec_set_up(f, TRACE_FULL);
		for (unsigned frame = 0; frame < 3; frame++) {
			codec_encode_frame(f, &h);
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
		assert_true(f->quiet_steps > CODEC_STEPS / 10);
		free(f);
	}
}

/* Any byte of a raw frame replaced, or the frame cut: an error or another reading, but no access outside (ASan sees to it). */
static void hostile_raw(void **state)
{
	struct codec *f = malloc(sizeof(*f));
	struct frame_header h;
	uint8_t *copy;

	(void)state;
	random_seed(77);
	codec_set_up(f, TRACE_FULL);
	codec_encode_frame(f, &h);
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

/* A byte is recorded once a step, whoever reads it again, and not at all after the handler wrote it. */
static void memory_is_recorded_once(void **state)
{
	static struct codec f;
	struct frame_header h;
	uint8_t bytes[64] = { 1, 2, 3 };
	struct vcpu *v = &f.cpu[0];

	(void)state;
	random_seed(3);
	codec_set_up(&f, TRACE_FULL);
	encoder_open(&f.e, f.raw, FRAME_RAW_CAP, f.cpu, &f.vm);
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
		cmocka_unit_test(memory_is_recorded_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
