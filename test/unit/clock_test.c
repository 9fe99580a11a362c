/*
 * Ticks of a device's clock and times of the TSC (dev/clock.h), there and back.
 */
#include "dev/clock.h"
#include "dev/pit.h"
#include "support/fake.h"

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(clock_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
