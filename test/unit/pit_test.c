/*
 * The 8254 (Intel's data sheet, clause by clause) and port 0x61, through their ports.
 */
#include "support/fake.h"
#include "dev/clock.h"
#include "dev/pit.h"
#include "dev/timers.h"

#define CONTROL		(PORT_PIT + 3)
#define LATCH		0
#define LSB		0x10
#define MSB		0x20
#define BOTH		0x30
#define MODE(n)		((n) << 1)
#define BCD		1
#define CHANNEL(n)	((n) << 6)
#define READ_BACK(channel) (0xc0 | 2 << (channel))
#define NO_COUNT	0x20
#define NO_STATUS	0x10
#define GATE		0x01
#define OUTPUT		0x20

/* Time is set in clocks of the 8254. */
static void at(struct fake *f, uint64_t clock)
{
	f->now = clock_time(&f->vm, clock, PIT_HZ);
}

static void out(struct fake *f, uint16_t port, unsigned value)
{
	fake_out(f, port, 1, value);
}

static unsigned in(struct fake *f, uint16_t port)
{
	return fake_in(f, port, 1);
}

static void gate(struct fake *f, unsigned value)
{
	out(f, PORT_SYSTEM, value);
}

static bool output(struct fake *f)
{
	return in(f, PORT_SYSTEM) & OUTPUT;
}

static unsigned count(struct fake *f, unsigned channel)
{
	unsigned low;

	out(f, CONTROL, CHANNEL(channel) | LATCH);
	low = in(f, (uint16_t)(PORT_PIT + channel));
	return low | in(f, (uint16_t)(PORT_PIT + channel)) << 8;
}

static unsigned status(struct fake *f, unsigned channel)
{
	out(f, CONTROL, READ_BACK(channel) | NO_COUNT);
	return in(f, (uint16_t)(PORT_PIT + channel));
}

static void write_count(struct fake *f, unsigned channel, unsigned value)
{
	out(f, (uint16_t)(PORT_PIT + channel), value & 0xff);
	out(f, (uint16_t)(PORT_PIT + channel), value >> 8);
}

/* Channel 2 with its gate high, `value` written at clock 1000: its first clock is 1001. */
static void program(struct fake *f, unsigned mode, unsigned value)
{
	at(f, 1000);
	gate(f, GATE);
	out(f, CONTROL, CHANNEL(2) | BOTH | MODE(mode));
	write_count(f, 2, value);
}

/* From clock 1001 on, one digit a clock. */
static void assert_output(struct fake *f, const char *levels)
{
	for (unsigned i = 0; levels[i]; i++) {
		at(f, 1001 + i);
		if (output(f) != (levels[i] == '1'))
			fail_msg("clock %u: output %d", i, output(f));
	}
}

/* No drift: each tick's time follows from time 0, and back. */
static void clock_is_exact(void **state)
{
	struct fake *f = *state;
	struct vm *vm = &f->vm;
	static const uint64_t khz[] = { 2000, 400000, 2399998, 9999999 };

	for (unsigned k = 0; k < 4; k++) {
		uint64_t year = khz[k] * 1000 * 86400 * 365;

		vm->config.tsc_khz = khz[k];
		assert_int_equal(clock_ticks(vm, year, PIT_HZ), (uint64_t)PIT_HZ * 86400 * 365);
		for (uint64_t tick = 0; tick < UINT64_C(1) << 50; tick = tick * 3 + 1) {
			uint64_t time = clock_time(vm, tick, PIT_HZ);

			if (tick < UINT64_C(1) << 44)
				assert_int_equal(clock_ticks(vm, time, PIT_HZ), tick);
			assert_true(time == 0 || clock_ticks(vm, time - 1, PIT_HZ) < tick);
		}
	}
}

static void mode_0_counts_down(void **state)
{
	struct fake *f = *state;

	at(f, 1000);
	gate(f, GATE);
	out(f, CONTROL, CHANNEL(2) | BOTH | MODE(0));
	assert_false(output(f));		/* "after the control word OUT is initially low" */
	write_count(f, 2, 4);
	/* "Does not go high until N + 1 clocks after the initial count is written." */
	assert_output(f, "00001111");
	at(f, 1003);
	assert_int_equal(count(f, 2), 2);
	at(f, 1006);
	assert_int_equal(count(f, 2), 0xffff);	/* counting goes on */
}

static void mode_0_gate_pauses(void **state)
{
	struct fake *f = *state;

	program(f, 0, 100);
	at(f, 1011);
	gate(f, 0);
	at(f, 5000);
	assert_int_equal(count(f, 2), 90);
	gate(f, GATE);
	at(f, 5089);
	assert_false(output(f));
	at(f, 5090);
	assert_true(output(f));
}

/* "Writing the first byte disables counting; writing the second allows the new count to be loaded." */
static void mode_0_new_count(void **state)
{
	struct fake *f = *state;

	program(f, 0, 3);
	at(f, 1010);
	assert_true(output(f));
	out(f, PORT_PIT + 2, 5);
	assert_false(output(f));
	at(f, 1100);
	assert_false(output(f));
	out(f, PORT_PIT + 2, 0);
	at(f, 1105);
	assert_false(output(f));
	at(f, 1106);
	assert_true(output(f));
}

static void mode_1_is_triggered(void **state)
{
	struct fake *f = *state;

	at(f, 900);
	gate(f, 0);
	out(f, CONTROL, CHANNEL(2) | BOTH | MODE(1));
	write_count(f, 2, 3);
	assert_true(output(f));
	at(f, 1000);
	gate(f, GATE);
	assert_output(f, "000111");
	/* A retrigger starts anew, with the count that was written since. */
	write_count(f, 2, 5);
	at(f, 1100);
	assert_true(output(f));
	gate(f, 0);
	gate(f, GATE);
	at(f, 1105);
	assert_false(output(f));
	at(f, 1106);
	assert_true(output(f));
}

static void mode_2_divides(void **state)
{
	struct fake *f = *state;

	program(f, 2, 4);
	assert_output(f, "111011101110");
	at(f, 1001 + 400);
	assert_int_equal(count(f, 2), 4);
	at(f, 1001 + 403);
	assert_int_equal(count(f, 2), 1);
	/* "Gate = 0 disables counting"; the output is high at once, and a rising gate starts a cycle. */
	gate(f, 0);
	assert_true(output(f));
	at(f, 2000);
	gate(f, GATE);
	at(f, 2001);
	assert_int_equal(count(f, 2), 4);
	at(f, 2004);
	assert_false(output(f));
}

/* "Writing a new count while counting does not affect the current counting sequence." */
static void mode_2_new_count_waits(void **state)
{
	struct fake *f = *state;

	program(f, 2, 10);
	at(f, 1003);
	write_count(f, 2, 3);
	assert_int_equal(status(f, 2) & 0x40, 0x40);	/* null count */
	assert_output(f, "1111111110110110");
	assert_int_equal(status(f, 2) & 0x40, 0);
}

static void mode_3_is_square(void **state)
{
	struct fake *f = *state;

	program(f, 3, 6);
	assert_output(f, "111000111000");
	at(f, 1001 + 60);
	assert_int_equal(count(f, 2), 6);	/* by two */
	at(f, 1001 + 62);
	assert_int_equal(count(f, 2), 2);
	at(f, 1001 + 63);
	assert_int_equal(count(f, 2), 6);
	/* "Odd counts: OUT is high for (N + 1) / 2 and low for (N - 1) / 2." */
	program(f, 3, 5);
	assert_output(f, "1110011100");
	at(f, 1001 + 50);
	assert_int_equal(count(f, 2), 4);
}

/* "The new count is loaded at the end of the current half-cycle." */
static void mode_3_new_count(void **state)
{
	struct fake *f = *state;

	program(f, 3, 8);
	at(f, 1002);
	write_count(f, 2, 4);
	assert_output(f, "11110011001100");
	program(f, 3, 8);
	at(f, 1001 + 5);
	write_count(f, 2, 4);
	assert_output(f, "11110000" "1100");
}

static void mode_4_strobes(void **state)
{
	struct fake *f = *state;

	program(f, 4, 3);
	assert_output(f, "1110111");
	/* Writing a count starts it again. */
	at(f, 1100);
	write_count(f, 2, 7);
	at(f, 1108);
	assert_false(output(f));
	at(f, 1109);
	assert_true(output(f));
}

static void mode_5_strobes_by_trigger(void **state)
{
	struct fake *f = *state;

	at(f, 900);
	gate(f, 0);
	out(f, CONTROL, CHANNEL(2) | BOTH | MODE(5));
	write_count(f, 2, 3);
	at(f, 1000);
	assert_true(output(f));
	gate(f, GATE);
	assert_output(f, "1110111");
}

/* "Mode x10, x11": bit 2 is don't care. */
static void modes_6_and_7(void **state)
{
	struct fake *f = *state;

	program(f, 6, 4);
	assert_output(f, "11101110");
	program(f, 7, 4);
	assert_output(f, "11001100");
}

static void count_0_is_the_largest(void **state)
{
	struct fake *f = *state;

	program(f, 0, 0);
	at(f, 1001 + 65535);
	assert_false(output(f));
	at(f, 1001 + 65536);
	assert_true(output(f));
	at(f, 1000);
	out(f, CONTROL, CHANNEL(2) | BOTH | MODE(0) | BCD);
	write_count(f, 2, 0);
	at(f, 1001 + 9999);
	assert_false(output(f));
	at(f, 1001 + 10000);
	assert_true(output(f));
}

static void bcd(void **state)
{
	struct fake *f = *state;

	at(f, 1000);
	gate(f, GATE);
	out(f, CONTROL, CHANNEL(2) | BOTH | MODE(2) | BCD);
	write_count(f, 2, 0x1234);
	at(f, 1001 + 235);
	assert_int_equal(count(f, 2), 0x0999);
	at(f, 1001 + 1234);
	assert_int_equal(count(f, 2), 0x1234);
}

static void access_forms(void **state)
{
	struct fake *f = *state;

	at(f, 1000);
	out(f, CONTROL, CHANNEL(1) | LSB | MODE(2));
	out(f, PORT_PIT + 1, 18);
	at(f, 1001 + 5);
	assert_int_equal(in(f, PORT_PIT + 1), 13);
	assert_int_equal(in(f, PORT_PIT + 1), 13);
	at(f, 1000);
	out(f, CONTROL, CHANNEL(1) | MSB | MODE(2));
	out(f, PORT_PIT + 1, 0x10);
	at(f, 1001 + 0x123);
	assert_int_equal(in(f, PORT_PIT + 1), 0x0e);
	/* Low and high in turn; the control word can't be read. */
	at(f, 1000);
	out(f, CONTROL, CHANNEL(1) | BOTH | MODE(2));
	write_count(f, 1, 0x1234);
	at(f, 1001);
	assert_int_equal(in(f, PORT_PIT + 1), 0x34);
	assert_int_equal(in(f, PORT_PIT + 1), 0x12);
	assert_int_equal(in(f, CONTROL), 0xff);
	/* A word is two bytes at successive ports, as on an ISA bus. */
	assert_int_equal(fake_in(f, CONTROL - 1, 2) >> 8, 0xff);
}

/* "If a counter is latched and latched again before it is read, the second latch is ignored." */
static void latch_holds(void **state)
{
	struct fake *f = *state;

	program(f, 2, 1000);
	at(f, 1001 + 10);
	out(f, CONTROL, CHANNEL(2) | LATCH);
	at(f, 1001 + 20);
	out(f, CONTROL, CHANNEL(2) | LATCH);
	at(f, 1001 + 30);
	assert_int_equal(in(f, PORT_PIT + 2) | in(f, PORT_PIT + 2) << 8, 990);
	assert_int_equal(count(f, 2), 970);
}

/* "If both count and status are latched, the first read gives the status, the next one or two the count." */
static void read_back(void **state)
{
	struct fake *f = *state;

	program(f, 2, 1000);
	assert_int_equal(status(f, 2), 0x80 | 0x40 | BOTH | MODE(2));	/* not loaded before the next clock */
	at(f, 1001 + 10);
	out(f, CONTROL, READ_BACK(2) | READ_BACK(0));
	assert_int_equal(in(f, PORT_PIT + 2), 0x80 | BOTH | MODE(2));
	assert_int_equal(in(f, PORT_PIT + 2) | in(f, PORT_PIT + 2) << 8, 990);
	assert_int_equal(in(f, PORT_PIT), 0x80 | 0x40 | BOTH | MODE(3));	/* no count since reset */
	/* Count alone. */
	in(f, PORT_PIT), in(f, PORT_PIT);
	out(f, CONTROL, READ_BACK(2) | NO_STATUS);
	at(f, 1001 + 500);
	assert_int_equal(in(f, PORT_PIT + 2) | in(f, PORT_PIT + 2) << 8, 990);
}

static void control_word_forgets(void **state)
{
	struct fake *f = *state;

	program(f, 2, 1000);
	out(f, CONTROL, CHANNEL(2) | LATCH);
	out(f, PORT_PIT + 2, 7);			/* half a count */
	out(f, CONTROL, CHANNEL(2) | BOTH | MODE(3));
	assert_int_equal(status(f, 2), 0x80 | 0x40 | BOTH | MODE(3));
	write_count(f, 2, 500);
	at(f, 1001);
	assert_int_equal(in(f, PORT_PIT + 2) | in(f, PORT_PIT + 2) << 8, 500);
}

static void system_port(void **state)
{
	struct fake *f = *state;
	unsigned toggles = 0, last;

	at(f, 1000);
	gate(f, 0xff);
	assert_int_equal(in(f, PORT_SYSTEM) & 0xcf, 0x0f);
	gate(f, 0);
	assert_int_equal(in(f, PORT_SYSTEM) & 0xcf, 0);
	/* The refresh bit toggles each 15 µs. */
	last = in(f, PORT_SYSTEM) & 0x10;
	for (unsigned i = 0; i < 1800; i++) {
		at(f, 2000 + i);
		toggles += (in(f, PORT_SYSTEM) & 0x10) != last;
		last = in(f, PORT_SYSTEM) & 0x10;
	}
	assert_int_equal(toggles, 100);
}

/* ---- Channel 0: an interrupt at each rise ---- */

static uint64_t deadline(struct fake *f)
{
	return f->vm.pit.channel[0].deadline;
}

static void run_until(struct fake *f, uint64_t clock, unsigned *rises)
{
	uint64_t end = clock_time(&f->vm, clock, PIT_HZ);

	for (*rises = 0; f->vm.timer_next <= end; ++*rises) {
		f->now = f->vm.timer_next;
		assert_int_equal(f->vm.timer_next, deadline(f));
		timers_run(&f->vm, &f->world, 0, f->now);
		assert_true(f->vm.timer_next > f->now);
	}
	f->now = end;
}

static void periodic_interrupts(void **state)
{
	struct fake *f = *state;
	unsigned rises;

	at(f, 0);
	assert_int_equal(deadline(f), TIME_NONE);
	out(f, CONTROL, BOTH | MODE(2));
	assert_int_equal(deadline(f), TIME_NONE);
	write_count(f, 0, 11932);
	assert_int_equal(deadline(f), clock_time(&f->vm, 1 + 11932, PIT_HZ));
	/* A hundred a second, and after an hour not one too many or too few. */
	run_until(f, UINT64_C(3600) * PIT_HZ, &rises);
	assert_int_equal(rises, (UINT64_C(3600) * PIT_HZ - 1) / 11932);
}

static void interrupts_of_each_mode(void **state)
{
	static const struct { unsigned mode, rises; } rows[] = {
		{ 0, 1 }, { 1, 0 }, { 2, 10 }, { 3, 10 }, { 4, 1 }, { 5, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct fake *f = fake_new(1);
		unsigned rises;

		at(f, 1000);
		out(f, CONTROL, BOTH | MODE(rows[i].mode));
		write_count(f, 0, 100);
		run_until(f, 1000 + 1050, &rises);
		assert_int_equal(rises, rows[i].rises);
		fake_free(f);
	}
}

/* Late: what was missed is one interrupt, and the next is where it always would have been. */
static void missed_periods(void **state)
{
	struct fake *f = *state;

	at(f, 1000);
	out(f, CONTROL, BOTH | MODE(3));
	write_count(f, 0, 100);
	at(f, 1001 + 555);
	timers_run(&f->vm, &f->world, 0, f->now);
	assert_int_equal(deadline(f), clock_time(&f->vm, 1001 + 600, PIT_HZ));
}

static void new_period_without_a_gap(void **state)
{
	struct fake *f = *state;
	unsigned rises;

	at(f, 1000);
	out(f, CONTROL, BOTH | MODE(2));
	write_count(f, 0, 100);
	at(f, 1001 + 150);
	write_count(f, 0, 10);
	/* The one at 100 was late; what is written doesn't undo it. */
	assert_int_equal(deadline(f), clock_time(&f->vm, 1001 + 200, PIT_HZ));
	run_until(f, 1001 + 199, &rises);
	assert_int_equal(rises, 0);
	run_until(f, 1001 + 250, &rises);
	assert_int_equal(rises, 6);	/* at 200, 210 … 250 */
}

static void stopped_by_a_control_word(void **state)
{
	struct fake *f = *state;

	at(f, 1000);
	out(f, CONTROL, BOTH | MODE(2));
	write_count(f, 0, 100);
	out(f, CONTROL, BOTH | MODE(0));
	assert_int_equal(deadline(f), TIME_NONE);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(clock_is_exact),
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
		TEST(access_forms),
		TEST(latch_holds),
		TEST(read_back),
		TEST(control_word_forgets),
		TEST(system_port),
		TEST(periodic_interrupts),
		TEST(interrupts_of_each_mode),
		TEST(missed_periods),
		TEST(new_period_without_a_gap),
		TEST(stopped_by_a_control_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
