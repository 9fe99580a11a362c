/*
 * The 8254's channel 0: an interrupt at each rise of its output, in each mode (Intel's data sheet, "Mode
 * Definitions"), at its time, however late it is asked for.
 */
#include "dev/timers.h"
#include "support/fake_pit.h"

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

	fake_pit_at(f, 0);
	assert_int_equal(deadline(f), TIME_NONE);
	fake_outb(f, CONTROL, BOTH | MODE(2));
	assert_int_equal(deadline(f), TIME_NONE);
	fake_pit_write(f, 0, 11932);
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

		fake_pit_at(f, 1000);
		fake_outb(f, CONTROL, BOTH | MODE(rows[i].mode));
		fake_pit_write(f, 0, 100);
		run_until(f, 1000 + 1050, &rises);
		assert_int_equal(rises, rows[i].rises);
		fake_free(f);
	}
}

/* Late: what was missed is one interrupt, and the next is where it always would have been. */
static void missed_periods(void **state)
{
	struct fake *f = *state;

	fake_pit_at(f, 1000);
	fake_outb(f, CONTROL, BOTH | MODE(3));
	fake_pit_write(f, 0, 100);
	fake_pit_at(f, 1001 + 555);
	timers_run(&f->vm, &f->world, 0, f->now);
	assert_int_equal(deadline(f), clock_time(&f->vm, 1001 + 600, PIT_HZ));
}

static void new_period_without_a_gap(void **state)
{
	struct fake *f = *state;
	unsigned rises;

	fake_pit_at(f, 1000);
	fake_outb(f, CONTROL, BOTH | MODE(2));
	fake_pit_write(f, 0, 100);
	fake_pit_at(f, 1001 + 150);
	fake_pit_write(f, 0, 10);
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

	fake_pit_at(f, 1000);
	fake_outb(f, CONTROL, BOTH | MODE(2));
	fake_pit_write(f, 0, 100);
	fake_outb(f, CONTROL, BOTH | MODE(0));
	assert_int_equal(deadline(f), TIME_NONE);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(periodic_interrupts),
		TEST(interrupts_of_each_mode),
		TEST(missed_periods),
		TEST(new_period_without_a_gap),
		TEST(stopped_by_a_control_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
