/*
 * clocks.c: corners of the 8254 and the MC146818 that guest time doesn't reach: all modes, latches, BCD;
 * times of day in all forms, setting, alarm (Intel's and Motorola's data sheets). No interrupt of theirs is taken.
 */
#include "edge.h"

#define PIT_CONTROL   (PORT_PIT + 3)
#define PIT_2         (PORT_PIT + 2)
#define BOTH          0x30
#define MODE(n)       ((n) << 1)
#define BCD           0x01
#define READ_BACK_2   0xc8
#define NO_COUNT      0x20
#define OUT_HIGH      0x80
#define NULL_COUNT    0x40
#define GATE          0x01
#define OUTPUT        0x20

#define RTC_DATA      (PORT_RTC + 1)
#define B_SET         0x80
#define B_ALARM       0x20
#define B_BINARY      0x04
#define B_24          0x02
#define C_INTERRUPT   0x80

#define V_SECOND      0x4c

static void program(unsigned control, unsigned count)
{
	outb(PIT_CONTROL, (uint8_t)(0x80 | BOTH | control));
	outb(PIT_2, (uint8_t)count);
	outb(PIT_2, (uint8_t)(count >> 8));
}

static unsigned latched(void)
{
	unsigned low;

	outb(PIT_CONTROL, 0x80);
	low = inb(PIT_2);
	return low | (unsigned)inb(PIT_2) << 8;
}

static unsigned status(void)
{
	outb(PIT_CONTROL, READ_BACK_2 | NO_COUNT);
	return inb(PIT_2);
}

static unsigned output(void)
{
	return inb(PORT_SYSTEM) & OUTPUT;
}

static void wait_for_output(unsigned level)
{
	while (output() != level)
		cpu_relax();
}

/* Which start high, and which wait for the gate. */
static void test_modes(void)
{
	static const struct { uint8_t mode, high, triggered; } rows[] = {
		{ 0, 0, 0 }, { 1, 1, 1 }, { 2, 1, 0 }, { 3, 1, 0 },
		{ 4, 1, 0 }, { 5, 1, 1 }, { 6, 1, 0 }, { 7, 1, 0 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned expected = BOTH | MODE(rows[i].mode) | (rows[i].high ? OUT_HIGH : 0);

		outb(PORT_SYSTEM, rows[i].triggered ? 0 : GATE);
		outb(PIT_CONTROL, (uint8_t)(0x80 | BOTH | MODE(rows[i].mode)));
		test_equal("8254: status without a count", status(), expected | NULL_COUNT);
		program(MODE(rows[i].mode), 0xf000);
		if (rows[i].triggered) {
			test_equal("8254: status before the trigger", status(), expected | NULL_COUNT);
			outb(PORT_SYSTEM, GATE);
			expected &= rows[i].mode == 1 ? ~(unsigned)OUT_HIGH : ~0u;
		}
		while (status() & NULL_COUNT)
			cpu_relax();
		test_equal("8254: status as it counts", status(), expected);
		CHECK(latched() <= 0xf000, "8254: mode %u counts up", rows[i].mode);
		outb(PORT_SYSTEM, 0);
		latched();
		outb(PORT_SYSTEM, GATE);
		latched();
	}
}

static void test_counts(void)
{
	unsigned first;

	outb(PORT_SYSTEM, GATE);
	program(MODE(3), 600);		/* half a millisecond, square */
	for (unsigned i = 0; i < 2; i++) {
		wait_for_output(0);
		wait_for_output(OUTPUT);
	}
	program(MODE(3), 3);		/* two clocks high, one low */
	for (unsigned i = 0; i < 8; i++)
		latched(), output();
	program(MODE(2), 3000);
	outb(PIT_2, 0x00);		/* a new count waits for the cycle's end */
	outb(PIT_2, 0x10);
	test_equal("8254: a count that waits", status() & NULL_COUNT, NULL_COUNT);
	while (status() & NULL_COUNT)
		cpu_relax();
	CHECK(latched() <= 0x1000, "8254: the new count");
	program(MODE(4), 100);
	outb(PORT_SYSTEM, 0);		/* stands still */
	first = latched();
	test_equal("8254: a count without gate", latched(), first);
	outb(PORT_SYSTEM, GATE);
	program(MODE(2) | BCD, 0x9999);
	first = latched();
	CHECK((first & 15) < 10 && (first >> 4 & 15) < 10, "8254: BCD count %#x", first);
	outb(PIT_CONTROL, 0x80);
	first = inb(PORT_SYSTEM);
	outb(PIT_CONTROL, 0x80);	/* what is latched stays */
	inb(PIT_2);
	inb(PIT_2);
	outb(PIT_CONTROL, READ_BACK_2);	/* status, then count */
	test_equal("8254: status before the count", inb(PIT_2) & 0x3f, BOTH | MODE(2) | BCD);
	inb(PIT_2);
	inb(PIT_2);
	outb(PIT_CONTROL, 0x80 | 0x10 | MODE(2));	/* low byte alone */
	outb(PIT_2, 200);
	CHECK(inb(PIT_2) <= 200, "8254: low byte");
	outb(PIT_CONTROL, 0x80 | 0x20 | MODE(2));	/* high byte alone */
	outb(PIT_2, 200);
	CHECK(inb(PIT_2) <= 200, "8254: high byte");
	outb(PIT_CONTROL, 0x80 | BOTH | MODE(0));
	outb(PORT_SYSTEM, 0);
	inb(PORT_SYSTEM);
}

void test_timer_chip(void)
{
	test_modes();
	test_counts();
}

/* ---- MC146818 ---- */

static unsigned rtc_read(uint8_t address)
{
	outb(PORT_RTC, address);
	return inb(RTC_DATA);
}

static void rtc_write(uint8_t address, unsigned value)
{
	outb(PORT_RTC, address);
	outb(RTC_DATA, (uint8_t)value);
}

struct registers {
	uint8_t century, year, month, day, hour, minute, second;
};

static void set_time(uint8_t form, struct registers t)
{
	rtc_write(0xb, B_SET | form);
	rtc_write(0x32, t.century);
	rtc_write(9, t.year);
	rtc_write(8, t.month);
	rtc_write(7, t.day);
	rtc_write(4, t.hour);
	rtc_write(2, t.minute);
	rtc_write(0, t.second);
	rtc_write(0xb, form);
}

static void expect_time(const char *what, struct registers t, unsigned weekday)
{
	struct registers got = {
		(uint8_t)rtc_read(0x32), (uint8_t)rtc_read(9), (uint8_t)rtc_read(8), (uint8_t)rtc_read(7),
		(uint8_t)rtc_read(4), (uint8_t)rtc_read(2), (uint8_t)rtc_read(0),
	};

	CHECK(!memcmp(&got, &t, sizeof(t)), "RTC: %s: %x%x-%x-%x %x:%x:%x", what, got.century, got.year,
	      got.month, got.day, got.hour, got.minute, got.second);
	test_equal("RTC: day of the week", rtc_read(6), weekday);
}

/* While SET holds the time still, it is given in one form; then it is shown in any. */
static void test_forms(void)
{
	uint8_t b = (uint8_t)rtc_read(0xb);

	set_time(B_24, (struct registers){ 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x10 });
	expect_time("BCD, 24 hours", (struct registers){ 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x10 }, 6);
	rtc_write(0xb, B_24 | B_BINARY);
	expect_time("binary", (struct registers){ 19, 99, 12, 31, 23, 59, 10 }, 6);
	rtc_write(0xb, B_BINARY);
	expect_time("12 hours", (struct registers){ 19, 99, 12, 31, 0x80 | 11, 59, 10 }, 6);
	set_time(0, (struct registers){ 0x20, 0x24, 0x02, 0x29, 0x12, 0x00, 0x00 });	/* 12 AM */
	expect_time("12 AM", (struct registers){ 0x20, 0x24, 0x02, 0x29, 0x12, 0x00, 0x00 }, 5);
	rtc_write(0xb, B_24);
	expect_time("leap day, midnight", (struct registers){ 0x20, 0x24, 0x02, 0x29, 0x00, 0x00, 0x00 }, 5);
	rtc_write(0xb, b);
}

/* An alarm each second, seen by its flag, with the interrupt enabled but no way for it. */
static void test_alarm(void)
{
	uint8_t b = (uint8_t)rtc_read(0xb);

	rtc_write(1, 0xff);
	rtc_write(3, 0xff);
	rtc_write(5, 0xff);
	rtc_write(0xb, B_24 | B_ALARM);
	rtc_read(0xc);
	test_equal("RTC: no alarm yet", rtc_read(0xc) & B_ALARM, 0);
	apic_timer_start(V_SECOND, cpuid(CPUID_HYPERVISOR_TSC, 0).eax * 1000, false);
	for (uint32_t before = trap_count(V_SECOND); trap_count(V_SECOND) == before; irq_disable())
		irq_enable_and_halt();
	test_equal("RTC: alarm", rtc_read(0xc) & (C_INTERRUPT | B_ALARM), C_INTERRUPT | B_ALARM);
	rtc_write(0xb, b);
	apic_timer_stop();
}

void test_clock_chip(void)
{
	test_forms();
	test_alarm();
}
