/*
 * What replay finds (docs/architecture.md): the handlers that were recorded replay clean; with one
 * deliberate bug each, the divergence is found, at the exit, by the name. And traces that aren't whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "support/toys.h"

static void test_clean(void **state)
{
	struct replay_options options = toy_options(2);
	struct summary s;

	(void)state;
	toy_bug = BUG_NONE;
	s = toy_replay(&options);
	if (s.divergences)
		puts(toy_report_text(&s, false));
	assert_int_equal(s.exits, TOY_EXITS);
	assert_int_equal(s.entries, TOY_EXITS + 1);
	assert_int_equal(s.divergences + s.after_first + s.skipped + s.unselected, 0);
	report_free(&s.shown);
}

static void test_bugs(void **state)
{
	static const struct {
		enum bug bug;
		enum divergence_kind kind;
		const char *name;	/* of the first divergence, or its beginning */
		unsigned reason;	/* of the exit that it is at */
	} expected[] = {
		{ BUG_GPR_WRONG, DIVERGE_GPR, "RAX", 10 },
		{ BUG_GPR_MISSING, DIVERGE_GPR, "RBX", 10 },
		{ BUG_GPR_EXTRA, DIVERGE_GPR, "RDX", 10 },
		{ BUG_RIP, DIVERGE_VMCS, "GUEST_RIP", 10 },
		{ BUG_VMCS_EXTRA, DIVERGE_VMCS, "GUEST_CR3", 10 },
		{ BUG_ACTION, DIVERGE_ACTION, "action", 10 },
		{ BUG_OUT_MISSING, DIVERGE_CROSSING, "INVVPID", 32 },
		{ BUG_OUT_EXTRA, DIVERGE_CROSSING, "KICK", 32 },
		{ BUG_OUT_VALUE, DIVERGE_CROSSING, "MSR_WRITE", 32 },
		{ BUG_OUT_BYTES, DIVERGE_CROSSING, "CONSOLE_OUT, from byte 31", 18 },
		{ BUG_OUT_ORDER, DIVERGE_CROSSING, "MSR_WRITE", 32 },
		{ BUG_MEMORY_UNKNOWN, DIVERGE_QUESTION, "question", 18 },
		{ BUG_MEMORY_UNASKED, DIVERGE_QUESTION, "question", 18 },
		{ BUG_MSR_UNASKED, DIVERGE_GPR, "RAX", 31 },
		{ BUG_MSR_UNKNOWN, DIVERGE_QUESTION, "question", 31 },
		{ BUG_MSR_OTHER, DIVERGE_QUESTION, "question", 31 },
		{ BUG_DEVICE_VALUE, DIVERGE_DEVICE, "vm's own state", 18 },
		{ BUG_DEVICE_UNMARKED, DIVERGE_DEVICE, "vm's own state", 18 },
		{ BUG_DEVICE_EXTRA, DIVERGE_DEVICE, "vm->cpu[1]", 18 },
		{ BUG_DEVICE_SILENT, DIVERGE_KEYFRAME, "cpu[1].apic_base", REASON_NONE },
		{ BUG_CRASH, DIVERGE_HANDLER, "handler", 10 },
		{ BUG_LOOP, DIVERGE_HANDLER, "handler", 48 },
		{ BUG_WORLD_LOOP, DIVERGE_CROSSING, "KICK", 31 },
		{ BUG_DEADLINE, DIVERGE_TIME, "deadline", REASON_NONE },
		{ BUG_RESULT, DIVERGE_ACTION, "result", REASON_NONE },
		{ BUG_EVENT, DIVERGE_VMCS, "ENTRY_INTR_INFO", 32 },
		{ BUG_INPUT_UNASKED, DIVERGE_QUESTION, "question", REASON_NONE },
	};
	struct replay_options options = toy_options(2);

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct summary s;
		const struct divergence *d;

		toy_bug = expected[i].bug;
		s = toy_replay(&options);
		if (s.divergences == 0)
			fail_msg("bug %d survives", expected[i].bug);
		d = &s.shown.list[0];
		if (d->kind != expected[i].kind || strcmp(d->name, expected[i].name) ||
		    d->reason != expected[i].reason)
			print_message("bug %d:\n%s", expected[i].bug, toy_report_text(&s, false));
		assert_int_equal(d->kind, expected[i].kind);
		assert_string_equal(d->name, expected[i].name);
		assert_int_equal(d->reason, expected[i].reason);
		assert_false(d->after_first);
		report_free(&s.shown);
	}
	toy_bug = BUG_NONE;
}

static void test_unfinished(void **state)
{
	struct replay_options options = toy_options(1);
	struct recording *r;
	struct toy_trace whole = toy_trace;
	struct summary s;

	(void)state;
	r = toy_record(TRACE_FULL);
	recording_load(r, VMCS_EXIT_REASON, 10);
	recording_unfinished(r, 0, 10000000);
	toy_trace.bytes = recording_finish(r, STOP_PANIC, 0, &toy_trace.size);
	s = toy_replay(&options);
	assert_int_equal(s.unfinished, 1);
	assert_int_equal(s.skipped, 1);
	assert_int_equal(s.exits, TOY_EXITS);
	assert_int_equal(s.divergences, 0);
	report_free(&s.shown);
	free(toy_trace.bytes);
	toy_trace = whole;
}

/* Level `touched`: a slot that the record doesn't hold is asked of vcpu_load(), and is a divergence. */
static void test_touched(void **state)
{
	struct replay_options options = toy_options(1);
	struct toy_trace whole = toy_trace;
	struct summary s;
	struct recording *r = recording_new(1, &toy_recorded, TRACE_TOUCHED);

	(void)state;
	recording_load(r, VMCS_EXIT_REASON, 48);
	recording_exit(r, 0, 1000);
	toy_trace.bytes = recording_finish(r, STOP_POWER_OFF, 0, &toy_trace.size);
	s = toy_replay(&options);
	assert_int_equal(s.divergences, 0);
	report_free(&s.shown);
	free(toy_trace.bytes);
	r = recording_new(1, &toy_recorded, TRACE_TOUCHED);
	slot_set(recording_cpu(r, 0)->loaded, VMCS_GUEST_INTERRUPTIBILITY);
	recording_load(r, VMCS_EXIT_REASON, 10);
	recording_load(r, VMCS_GUEST_RIP, 0x1000);
	recording_load(r, VMCS_EXIT_INSTRUCTION_LEN, 2);
	recording_load(r, VMCS_GUEST_INTERRUPTIBILITY, 0);
	recording_exit(r, 0, 1000);
	toy_trace.bytes = recording_finish(r, STOP_POWER_OFF, 0, &toy_trace.size);
	toy_bug = BUG_VMCS_EXTRA;	/* writes GUEST_CR3: asks for its value first */
	s = toy_replay(&options);
	toy_bug = BUG_NONE;
	assert_int_equal(s.divergences, 1);
	assert_int_equal(s.shown.list[0].kind, DIVERGE_QUESTION);
	assert_string_equal(s.shown.list[0].got, "asked for GUEST_CR3");
	report_free(&s.shown);
	free(toy_trace.bytes);
	toy_trace = whole;
}

/* A damaged frame costs itself alone. */
static void test_damage(void **state)
{
	struct replay_options options = toy_options(2);
	char error[256];
	struct trace *t = trace_open_memory("test", toy_trace.bytes, toy_trace.size, NULL, error, sizeof(error));
	size_t at = trace_frame(t, 1)->packed_offset + 40;
	struct summary s;

	(void)state;
	trace_close(t);
	toy_trace.bytes[at] ^= 0x55;
	s = toy_replay(&options);
	toy_trace.bytes[at] ^= 0x55;
	assert_true(s.damages > 0);
	assert_int_equal(s.exits, TOY_EXITS / TOY_FRAMES * (TOY_FRAMES - 1));
	assert_int_equal(s.divergences, 0);
	report_free(&s.shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_bugs),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_touched),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, toy_make_trace, toy_free_trace);
}
