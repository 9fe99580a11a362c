/*
 * What replay says: the same report from any number of threads, what is counted apart, what isn't
 * selected, and the text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "support/toys.h"

/* The same report, byte for byte, whatever the number of threads. */
static void test_jobs(void **state)
{
	struct replay_options one = toy_options(1), four = toy_options(4);

	(void)state;
	for (toy_bug = BUG_NONE; toy_bug <= BUG_INPUT_UNASKED; toy_bug++) {
		struct summary a, b;
		char *text[4];

		if (toy_bug == BUG_LOOP)
			continue;
		a = toy_replay(&one);
		b = toy_replay(&four);
		text[0] = toy_report_text(&a, false);
		text[1] = toy_report_text(&b, false);
		text[2] = toy_report_text(&a, true);
		text[3] = toy_report_text(&b, true);
		assert_string_equal(text[0], text[1]);
		assert_string_equal(text[2], text[3]);
		for (unsigned i = 0; i < 4; i++)
			free(text[i]);
		report_free(&a.shown);
		report_free(&b.shown);
	}
	toy_bug = BUG_NONE;
}

/* What follows a device's first mismatch in its frame stands apart; the next frame starts anew. */
static void test_after_first(void **state)
{
	struct replay_options options = toy_options(1);
	struct summary s;

	(void)state;
	toy_bug = BUG_DEVICE_VALUE;
	s = toy_replay(&options);
	toy_bug = BUG_NONE;
	assert_int_equal(s.divergences, TOY_FRAMES);
	/* Each frame's other VMCALLs, and the keyframe after it; one check byte in 256 is the same by chance. */
	assert_in_range(s.after_first, TOY_FRAMES * (TOY_EXITS / TOY_FRAMES / 6 - 1) + TOY_FRAMES - 3,
			TOY_FRAMES * (TOY_EXITS / TOY_FRAMES / 6 - 1) + TOY_FRAMES - 1);
	report_free(&s.shown);
}

/* By number, by reason, by vCPU. */
static void test_selection(void **state)
{
	struct replay_options options = toy_options(2);
	struct summary s;

	(void)state;
	toy_bug = BUG_GPR_WRONG;
	options.selection = (struct trace_selection){ 66, 71, -1, -1 };
	s = toy_replay(&options);
	assert_int_equal(s.exits, 6);
	assert_int_equal(s.entries, 6);
	assert_int_equal(s.unselected, 2 * TOY_EXITS / TOY_FRAMES - 12);
	assert_int_equal(s.divergences, 2);
	assert_int_equal(s.shown.list[0].seq, 66);
	report_free(&s.shown);
	options.selection = (struct trace_selection){ 0, UINT64_MAX, 18, -1 };
	s = toy_replay(&options);
	assert_int_equal(s.exits, TOY_EXITS / 6);
	assert_int_equal(s.divergences, 0);
	report_free(&s.shown);
	options.selection = (struct trace_selection){ 0, UINT64_MAX, -1, 1 };
	s = toy_replay(&options);
	assert_int_equal(s.exits, TOY_EXITS / 2);
	assert_int_equal(s.entries, TOY_EXITS / 2);
	assert_int_equal(s.divergences, TOY_EXITS / 6);
	report_free(&s.shown);
	toy_bug = BUG_NONE;
}

static void test_report(void **state)
{
	struct replay_options options = toy_options(2);
	struct summary s;
	char *text;

	(void)state;
	toy_bug = BUG_GPR_WRONG;
	s = toy_replay(&options);
	toy_bug = BUG_NONE;
	text = toy_report_text(&s, false);
	assert_non_null(strstr(text, "exit 0 (step 1), vCPU 0, CPUID of leaf 0 at RIP 0x10a0: cpuid\n"
				     "    RAX                          expected 0, got 0x1\n"));
	assert_non_null(strstr(text, "… and 60 more (--all shows them)\n"));
	assert_non_null(strstr(text, "240 exits and 241 entry steps compared, 0 skipped, 80 divergences\n"));
	free(text);
	report_free(&s.shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_after_first),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, toy_make_trace, toy_free_trace);
}
