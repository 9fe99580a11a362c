/*
 * The MC146818 (Motorola's data sheet) and a PC's CMOS memory, through their ports.
 */
#include <time.h>

#include "support/fake.h"
#include "dev/pm.h"
#include "dev/rtc.h"
#include "dev/rtc_time.h"
#include "dev/timers.h"

#define START	UINT64_C(1767225600)	/* 2026-01-01 00:00:00, a Thursday */
#define SECOND	(FAKE_KHZ * UINT64_C(1000))
#define UIP	0x80
#define SET	0x80
#define PIE	0x40
#define AIE	0x20
#define UIE	0x10
#define H24	0x02
#define BINARY	0x04
#define IRQF	0x80
#define MODE	(H24 | BINARY)

static int set_up(void **state)
{
	struct fake *f = fake_new(1);

	f->vm.config.rtc_start = START;
	vm_reset(&f->vm);
	f->now = 0;
	*state = f;
	return 0;
}

static unsigned get(struct fake *f, unsigned address)
{
	fake_out(f, PORT_RTC, 1, address);
	return fake_in(f, PORT_RTC + 1, 1);
}

static void put(struct fake *f, unsigned address, unsigned value)
{
	fake_out(f, PORT_RTC, 1, address);
	fake_out(f, PORT_RTC + 1, 1, value);
}

/* Year, month, day, weekday, hour, minute, second; as registers. */
static void assert_time(struct fake *f, const unsigned *expected)
{
	static const uint8_t address[] = {
		RTC_CENTURY, RTC_YEAR, RTC_MONTH, RTC_DAY, RTC_WEEKDAY, RTC_HOUR, RTC_MINUTE, RTC_SECOND,
	};

	for (unsigned i = 0; i < sizeof(address); i++) {
		if (get(f, address[i]) != expected[i])
			fail_msg("register %#x: %#x, not %#x", address[i], get(f, address[i]), expected[i]);
	}
}

#define ASSERT_TIME(f, ...) assert_time(f, (const unsigned[]){ __VA_ARGS__ })

static void time_runs(void **state)
{
	struct fake *f = *state;

	ASSERT_TIME(f, 0x20, 0x26, 0x01, 0x01, 5, 0x00, 0x00, 0x00);
	f->now = SECOND - 1;
	assert_int_equal(get(f, RTC_SECOND), 0);
	f->now = SECOND * (86400 * 58 + 23 * 3600 + 59 * 60 + 59);
	ASSERT_TIME(f, 0x20, 0x26, 0x02, 0x28, 7, 0x23, 0x59, 0x59);
	f->now += SECOND;
	ASSERT_TIME(f, 0x20, 0x26, 0x03, 0x01, 1, 0x00, 0x00, 0x00);
}

static void forms_of_a_register(void **state)
{
	struct fake *f = *state;

	f->now = SECOND * (15 * 3600 + 45 * 60 + 30);
	put(f, RTC_B, BINARY | H24);
	ASSERT_TIME(f, 20, 26, 1, 1, 5, 15, 45, 30);
	put(f, RTC_B, BINARY);
	ASSERT_TIME(f, 20, 26, 1, 1, 5, 0x80 | 3, 45, 30);
	put(f, RTC_B, 0);
	ASSERT_TIME(f, 0x20, 0x26, 1, 1, 5, 0x80 | 3, 0x45, 0x30);
	f->now = SECOND * 86400;
	assert_int_equal(get(f, RTC_HOUR), 0x12);	/* midnight is 12 AM, noon 12 PM */
	f->now += SECOND * 43200;
	assert_int_equal(get(f, RTC_HOUR), 0x92);
}

/* Each second of some days in any form: out and in again, against the C library's calendar. */
static void calendar(void **state)
{
	uint8_t cmos[RTC_CENTURY + 1];

	(void)state;
	for (uint64_t t = 0; t < UINT64_C(8000000000); t += 86400 * 3 + 4567) {
		struct tm utc;
		time_t when = (time_t)t;

		gmtime_r(&when, &utc);
		for (uint8_t b = 0; b < 8; b += 2) {
			rtc_time_encode(cmos, b, t);
			assert_int_equal(rtc_time_decode(cmos, b), t);
		}
		assert_int_equal(cmos[RTC_CENTURY] * 100 + cmos[RTC_YEAR], utc.tm_year + 1900);
		assert_int_equal(cmos[RTC_MONTH], utc.tm_mon + 1);
		assert_int_equal(cmos[RTC_DAY], utc.tm_mday);
		assert_int_equal(cmos[RTC_WEEKDAY], utc.tm_wday + 1);
	}
}

/* Whatever a guest puts there, there is a time. */
static void any_registers_are_a_time(void **state)
{
	uint8_t cmos[RTC_CENTURY + 1];

	(void)state;
	for (unsigned fill = 0; fill < 256; fill++) {
		for (uint8_t b = 0; b < 8; b += 2) {
			memset(cmos, (int)fill, sizeof(cmos));
			assert_true(rtc_time_decode(cmos, b) < UINT64_C(1) << 40);
		}
	}
}

/* Clear for all but the last 244 µs of a second: who waits for either level gets it. */
static void update_in_progress(void **state)
{
	struct fake *f = *state;
	unsigned set = 0;

	for (unsigned i = 0; i < 10000; i++) {
		f->now = 5 * SECOND + SECOND / 10000 * i;
		if (get(f, RTC_A) & UIP) {
			set++;
			assert_true(i > 9974);
		}
	}
	assert_in_range(set, 2, 3);
	put(f, RTC_B, SET | MODE);
	assert_false(get(f, RTC_A) & UIP);
}

/* "SET: any update cycle is aborted and the program may initialize the time and calendar bytes." */
static void setting_the_time(void **state)
{
	struct fake *f = *state;

	put(f, RTC_B, MODE);
	f->now = 10 * SECOND + SECOND / 4;
	put(f, RTC_B, SET | MODE);
	f->now = 20 * SECOND;
	assert_int_equal(get(f, RTC_SECOND), 10);
	put(f, RTC_CENTURY, 19);
	put(f, RTC_YEAR, 99);
	put(f, RTC_MONTH, 12);
	put(f, RTC_DAY, 31);
	put(f, RTC_HOUR, 23);
	put(f, RTC_MINUTE, 59);
	put(f, RTC_SECOND, 58);
	f->now = 30 * SECOND + SECOND / 2;
	put(f, RTC_B, MODE);
	ASSERT_TIME(f, 19, 99, 12, 31, 6, 23, 59, 58);
	/* The divider ran on: seconds change when they would have. */
	f->now = 31 * SECOND - 1;
	assert_int_equal(get(f, RTC_SECOND), 58);
	f->now = 32 * SECOND;
	ASSERT_TIME(f, 20, 0, 1, 1, 7, 0, 0, 0);
	/* While it runs, a register can be written, too. */
	put(f, RTC_MINUTE, 30);
	f->now += SECOND;
	ASSERT_TIME(f, 20, 0, 1, 1, 7, 0, 30, 1);
}

/* "Changed from reset to an operating time base, the first update cycle is one-half second later." */
static void divider_reset(void **state)
{
	struct fake *f = *state;

	put(f, RTC_B, MODE);
	f->now = 3 * SECOND + SECOND / 3;
	put(f, RTC_A, 0x76);
	f->now = 9 * SECOND;
	assert_int_equal(get(f, RTC_SECOND), 3);
	put(f, RTC_A, 0x26);
	f->now = 9 * SECOND + SECOND / 2 - 1;
	assert_int_equal(get(f, RTC_SECOND), 3);
	f->now = 9 * SECOND + SECOND / 2;
	assert_int_equal(get(f, RTC_SECOND), 4);
}

static uint64_t deadline(struct fake *f)
{
	return f->vm.rtc.deadline;
}

static void expire(struct fake *f)
{
	assert_int_equal(f->vm.timer_next, deadline(f));
	f->now = deadline(f);
	timers_run(&f->vm, &f->world, 0, f->now);
}

static void update_interrupt(void **state)
{
	struct fake *f = *state;

	f->now = SECOND / 2;
	assert_int_equal(deadline(f), TIME_NONE);
	put(f, RTC_B, UIE | MODE);
	for (unsigned i = 1; i < 5; i++) {
		assert_int_equal(deadline(f), i * SECOND);
		expire(f);
		/* The line stays up until C is read: nothing more to come until then. */
		assert_int_equal(deadline(f), TIME_NONE);
		assert_int_equal(get(f, RTC_C), IRQF | UIE | PIE);
		assert_int_equal(get(f, RTC_C), 0);
	}
	/* "SET clears UIE." */
	put(f, RTC_B, SET | UIE | MODE);
	assert_int_equal(get(f, RTC_B), SET | MODE);
	assert_int_equal(deadline(f), TIME_NONE);
}

static void periodic_interrupt(void **state)
{
	static const struct { unsigned rate, hz; } rows[] = {
		{ 1, 256 }, { 2, 128 }, { 3, 8192 }, { 6, 1024 }, { 13, 8 }, { 15, 2 },
	};
	struct fake *f = *state;

	for (unsigned i = 0; i < 6; i++) {
		unsigned count = 0;

		put(f, RTC_B, MODE);
		get(f, RTC_C);
		put(f, RTC_A, 0x20 | rows[i].rate);
		f->now = (i + 1) * 10 * SECOND;
		put(f, RTC_B, PIE | MODE);
		get(f, RTC_C);
		while (deadline(f) <= (i + 1) * 10 * SECOND + SECOND) {
			expire(f);
			assert_true(get(f, RTC_C) & IRQF);
			count++;
		}
		assert_int_equal(count, rows[i].hz);
	}
	put(f, RTC_A, 0x20);
	assert_int_equal(deadline(f), TIME_NONE);
}

/* Flags are set whether their interrupt is enabled or not; enabling one whose flag is set raises the line. */
static void flags_without_interrupts(void **state)
{
	struct fake *f = *state;

	get(f, RTC_C);
	f->now = SECOND / 100;
	assert_int_equal(get(f, RTC_C), PIE);
	f->now = 2 * SECOND;
	put(f, RTC_B, UIE | MODE);
	assert_int_equal(deadline(f), TIME_NONE);
	assert_int_equal(get(f, RTC_C), IRQF | PIE | UIE);
	assert_int_equal(deadline(f), 3 * SECOND);
}

static void set_alarm(struct fake *f, unsigned hour, unsigned minute, unsigned second)
{
	put(f, RTC_HOUR_ALARM, hour);
	put(f, RTC_MINUTE_ALARM, minute);
	put(f, RTC_SECOND_ALARM, second);
	get(f, RTC_C);
}

static void alarm_interrupt(void **state)
{
	static const struct { uint64_t now, hour, minute, second, expected; } rows[] = {
		{ 0, 6, 30, 15, 6 * 3600 + 30 * 60 + 15 },
		{ 86399, 0, 0, 0, 86400 },
		{ 100, 0, 1, 40, 86400 + 100 },		/* this very second has begun: tomorrow */
		{ 3600, 0xff, 30, 0, 3600 + 1800 },	/* "don't care" */
		{ 3600, 0xff, 0xff, 0xc0, 3601 },
		{ 3659, 0xff, 0xff, 7, 3667 },
		{ 7200, 1, 0xff, 0xff, 86400 + 3600 },
	};
	struct fake *f = *state;

	put(f, RTC_B, AIE | MODE);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->now = rows[i].now * SECOND;
		f->vm.rtc.second = START, f->vm.rtc.origin = 0, f->vm.rtc.flags_since = 0;
		set_alarm(f, (unsigned)rows[i].hour, (unsigned)rows[i].minute, (unsigned)rows[i].second);
		assert_int_equal(deadline(f), rows[i].expected * SECOND);
		expire(f);
		assert_int_equal(get(f, RTC_C) & (IRQF | AIE), IRQF | AIE);
	}
	set_alarm(f, 1, 99, 1);
	assert_int_equal(deadline(f), TIME_NONE);
	/* In BCD and 12 hours. */
	put(f, RTC_B, AIE);
	f->now = 0;
	f->vm.rtc.flags_since = 0;
	set_alarm(f, 0x81, 0x30, 0x59);
	assert_int_equal(deadline(f), (13 * 3600 + 30 * 60 + 59) * SECOND);
}

/* An alarm is ACPI's RTC event; other interrupts aren't. */
static void alarm_is_an_acpi_event(void **state)
{
	struct fake *f = *state;

	put(f, RTC_B, AIE | UIE | MODE);
	set_alarm(f, 0, 0, 2);
	expire(f);
	assert_int_equal(f->vm.chipset.pm1_status, 0);
	get(f, RTC_C);
	expire(f);
	assert_int_equal(f->vm.chipset.pm1_status, PM1_RTC);
}

static void status_registers(void **state)
{
	struct fake *f = *state;

	assert_int_equal(get(f, RTC_A), 0x26);
	assert_int_equal(get(f, RTC_B), H24);
	assert_int_equal(get(f, RTC_D), 0x80);
	put(f, RTC_D, 0);
	put(f, RTC_C, 0xff);
	assert_int_equal(get(f, RTC_D), 0x80);
	put(f, RTC_A, 0xff);	/* UIP is read-only */
	assert_int_equal(get(f, RTC_A), 0x7f);
	assert_int_equal(fake_in(f, PORT_RTC, 1), 0xff);
}

/* What firmware leaves: memory sizes and their checksum; and RAM, with the NMI mask in bit 7 of the index. */
static void cmos_memory(void **state)
{
	struct fake *f = *state;
	unsigned sum = 0;

	f->vm.config.memory_size = UINT64_C(256) << 20;
	vm_reset(&f->vm);
	assert_int_equal(get(f, 0x15) | get(f, 0x16) << 8, 640);
	assert_int_equal(get(f, 0x17) | get(f, 0x18) << 8, 63 * 1024);
	assert_int_equal(get(f, 0x30) | get(f, 0x31) << 8, 63 * 1024);
	assert_int_equal(get(f, 0x34) | get(f, 0x35) << 8, 240 * 16);
	assert_int_equal(get(f, 0x14), 0x02);
	for (unsigned i = 0x10; i < 0x2e; i++)
		sum += get(f, i);
	assert_int_equal(get(f, 0x2e) << 8 | get(f, 0x2f), sum);
	assert_int_equal(get(f, 0x0f), 0);
	put(f, 0x8f, 0x0a);
	assert_int_equal(get(f, 0x0f), 0x0a);
	f->vm.config.memory_size = 2 << 20;
	vm_reset(&f->vm);
	assert_int_equal(get(f, 0x30) | get(f, 0x31) << 8, 1024);
	assert_int_equal(get(f, 0x34) | get(f, 0x35) << 8, 0);
}

/* OUT of a word to the index port is index and data. */
static void a_word_is_index_and_data(void **state)
{
	struct fake *f = *state;

	fake_out(f, PORT_RTC, 2, 0x5540);
	assert_int_equal(get(f, 0x40), 0x55);
	assert_int_equal(fake_in(f, PORT_RTC, 2), 0x55ff);
}

/* Reading the time changes nothing but the index. */
static void reading_leaves_no_trace(void **state)
{
	struct fake *f = *state;
	struct rtc before;

	fake_out(f, PORT_RTC, 1, RTC_SECOND);
	before = f->vm.rtc;
	f->vm.touched = 0;
	f->now = 77 * SECOND;
	fake_in(f, PORT_RTC + 1, 1);
	assert_int_equal(f->vm.touched, 0);
	assert_memory_equal(&before, &f->vm.rtc, sizeof(before));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(time_runs),
		TEST(forms_of_a_register),
		TEST(calendar),
		TEST(any_registers_are_a_time),
		TEST(update_in_progress),
		TEST(setting_the_time),
		TEST(divider_reset),
		TEST(update_interrupt),
		TEST(periodic_interrupt),
		TEST(flags_without_interrupts),
		TEST(alarm_interrupt),
		TEST(alarm_is_an_acpi_event),
		TEST(status_registers),
		TEST(cmos_memory),
		TEST(a_word_is_index_and_data),
		TEST(reading_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
