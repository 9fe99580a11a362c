/*
 * The modes of the 8254 (Intel's data sheet, "Mode Definitions", clause by clause): channel 2's output, by
 * the clock.
 */
#include "support/fake_pit.h"

/* From clock 1001 on, one digit a clock. */
static void assert_output(struct fake *f, const char *levels)
{
	for (unsigned i = 0; levels[i]; i++) {
		fake_pit_at(f, 1001 + i);
		if (fake_pit_output(f) != (levels[i] == '1'))
			fail_msg("clock %u: output %d", i, fake_pit_output(f));
	}
}

static void mode_0_counts_down(void **state)
{
	struct fake *f = *state;

	fake_pit_at(f, 1000);
	fake_pit_gate(f, GATE);
	fake_outb(f, CONTROL, CHANNEL(2) | BOTH | MODE(0));
	assert_false(fake_pit_output(f));		/* "after the control word OUT is initially low" */
	fake_pit_write(f, 2, 4);
	/* "Does not go high until N + 1 clocks after the initial count is written." */
	assert_output(f, "00001111");
	fake_pit_at(f, 1003);
	assert_int_equal(fake_pit_count(f, 2), 2);
	fake_pit_at(f, 1006);
	assert_int_equal(fake_pit_count(f, 2), 0xffff);	/* counting goes on */
}

static void mode_0_gate_pauses(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 0, 100);
	fake_pit_at(f, 1011);
	fake_pit_gate(f, 0);
	fake_pit_at(f, 5000);
	assert_int_equal(fake_pit_count(f, 2), 90);
	fake_pit_gate(f, GATE);
	fake_pit_at(f, 5089);
	assert_false(fake_pit_output(f));
	fake_pit_at(f, 5090);
	assert_true(fake_pit_output(f));
}

/* "Writing the first byte disables counting; writing the second allows the new count to be loaded." */
static void mode_0_new_count(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 0, 3);
	fake_pit_at(f, 1010);
	assert_true(fake_pit_output(f));
	fake_outb(f, PORT_PIT + 2, 5);
	assert_false(fake_pit_output(f));
	fake_pit_at(f, 1100);
	assert_false(fake_pit_output(f));
	fake_outb(f, PORT_PIT + 2, 0);
	fake_pit_at(f, 1105);
	assert_false(fake_pit_output(f));
	fake_pit_at(f, 1106);
	assert_true(fake_pit_output(f));
}

static void mode_1_is_triggered(void **state)
{
	struct fake *f = *state;

	fake_pit_at(f, 900);
	fake_pit_gate(f, 0);
	fake_outb(f, CONTROL, CHANNEL(2) | BOTH | MODE(1));
	fake_pit_write(f, 2, 3);
	assert_true(fake_pit_output(f));
	fake_pit_at(f, 1000);
	fake_pit_gate(f, GATE);
	assert_output(f, "000111");
	/* A retrigger starts anew, with the count that was written since. */
	fake_pit_write(f, 2, 5);
	fake_pit_at(f, 1100);
	assert_true(fake_pit_output(f));
	fake_pit_gate(f, 0);
	fake_pit_gate(f, GATE);
	fake_pit_at(f, 1105);
	assert_false(fake_pit_output(f));
	fake_pit_at(f, 1106);
	assert_true(fake_pit_output(f));
}

static void mode_2_divides(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 2, 4);
	assert_output(f, "111011101110");
	fake_pit_at(f, 1001 + 400);
	assert_int_equal(fake_pit_count(f, 2), 4);
	fake_pit_at(f, 1001 + 403);
	assert_int_equal(fake_pit_count(f, 2), 1);
	/* "Gate = 0 disables counting"; the output is high at once, and a rising gate starts a cycle. */
	fake_pit_gate(f, 0);
	assert_true(fake_pit_output(f));
	fake_pit_at(f, 2000);
	fake_pit_gate(f, GATE);
	fake_pit_at(f, 2001);
	assert_int_equal(fake_pit_count(f, 2), 4);
	fake_pit_at(f, 2004);
	assert_false(fake_pit_output(f));
}

/* "Writing a new count while counting does not affect the current counting sequence." */
static void mode_2_new_count_waits(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 2, 10);
	fake_pit_at(f, 1003);
	fake_pit_write(f, 2, 3);
	assert_int_equal(fake_pit_status(f, 2) & 0x40, 0x40);	/* null count */
	assert_output(f, "1111111110110110");
	assert_int_equal(fake_pit_status(f, 2) & 0x40, 0);
}

static void mode_3_is_square(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 3, 6);
	assert_output(f, "111000111000");
	fake_pit_at(f, 1001 + 60);
	assert_int_equal(fake_pit_count(f, 2), 6);	/* by two */
	fake_pit_at(f, 1001 + 62);
	assert_int_equal(fake_pit_count(f, 2), 2);
	fake_pit_at(f, 1001 + 63);
	assert_int_equal(fake_pit_count(f, 2), 6);
	/* "Odd counts: OUT is high for (N + 1) / 2 and low for (N - 1) / 2." */
	fake_pit_program(f, 3, 5);
	assert_output(f, "1110011100");
	fake_pit_at(f, 1001 + 50);
	assert_int_equal(fake_pit_count(f, 2), 4);
}

/* "The new count is loaded at the end of the current half-cycle." */
static void mode_3_new_count(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 3, 8);
	fake_pit_at(f, 1002);
	fake_pit_write(f, 2, 4);
	assert_output(f, "11110011001100");
	fake_pit_program(f, 3, 8);
	fake_pit_at(f, 1001 + 5);
	fake_pit_write(f, 2, 4);
	assert_output(f, "11110000" "1100");
}

static void mode_4_strobes(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 4, 3);
	assert_output(f, "1110111");
	/* Writing a count starts it again. */
	fake_pit_at(f, 1100);
	fake_pit_write(f, 2, 7);
	fake_pit_at(f, 1108);
	assert_false(fake_pit_output(f));
	fake_pit_at(f, 1109);
	assert_true(fake_pit_output(f));
}

static void mode_5_strobes_by_trigger(void **state)
{
	struct fake *f = *state;

	fake_pit_at(f, 900);
	fake_pit_gate(f, 0);
	fake_outb(f, CONTROL, CHANNEL(2) | BOTH | MODE(5));
	fake_pit_write(f, 2, 3);
	fake_pit_at(f, 1000);
	assert_true(fake_pit_output(f));
	fake_pit_gate(f, GATE);
	assert_output(f, "1110111");
}

/* "Mode x10, x11": bit 2 is don't care. */
static void modes_6_and_7(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 6, 4);
	assert_output(f, "11101110");
	fake_pit_program(f, 7, 4);
	assert_output(f, "11001100");
}

static void count_0_is_the_largest(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 0, 0);
	fake_pit_at(f, 1001 + 65535);
	assert_false(fake_pit_output(f));
	fake_pit_at(f, 1001 + 65536);
	assert_true(fake_pit_output(f));
	fake_pit_at(f, 1000);
	fake_outb(f, CONTROL, CHANNEL(2) | BOTH | MODE(0) | BCD);
	fake_pit_write(f, 2, 0);
	fake_pit_at(f, 1001 + 9999);
	assert_false(fake_pit_output(f));
	fake_pit_at(f, 1001 + 10000);
	assert_true(fake_pit_output(f));
}

static void bcd(void **state)
{
	struct fake *f = *state;

	fake_pit_at(f, 1000);
	fake_pit_gate(f, GATE);
	fake_outb(f, CONTROL, CHANNEL(2) | BOTH | MODE(2) | BCD);
	fake_pit_write(f, 2, 0x1234);
	fake_pit_at(f, 1001 + 235);
	assert_int_equal(fake_pit_count(f, 2), 0x0999);
	fake_pit_at(f, 1001 + 1234);
	assert_int_equal(fake_pit_count(f, 2), 0x1234);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mode_0_counts_down),
		TEST(mode_0_gate_pauses),
		TEST(mode_0_new_count),
		TEST(mode_1_is_triggered),
		TEST(mode_2_divides),
		TEST(mode_2_new_count_waits),
		TEST(mode_3_is_square),
		TEST(mode_3_new_count),
		TEST(mode_4_strobes),
		TEST(mode_5_strobes_by_trigger),
		TEST(modes_6_and_7),
		TEST(count_0_is_the_largest),
		TEST(bcd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
