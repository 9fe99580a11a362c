/*
 * rtc.c: the MC146818's update and periodic interrupts, and its seconds. The guest's TSC began at 0 as a
 * second began, so that seconds begin at multiples of its frequency.
 */
#include "ioapic.h"
#include "time.h"

#define V_RTC        0x62
#define PIN_RTC      8
#define RTC_SECOND   0x00
#define RTC_A        0x0a
#define RTC_B        0x0b
#define RTC_C        0x0c
#define RTC_D        0x0d
#define A_32_HZ      0x2b /* 32.768 kHz, a periodic interrupt each 1024 of them */
#define A_1024_HZ    0x26
#define B_PERIODIC   0x40
#define B_UPDATE     0x10
#define B_24_HOURS   0x02
#define B_BINARY     0x04
#define D_VALID      0x80
#define SECONDS      3
#define TICKS        32

static uint8_t rtc_read(uint8_t address)
{
	outb(PORT_RTC, address);
	return inb(PORT_RTC + 1);
}

static void rtc_write(uint8_t address, uint8_t value)
{
	outb(PORT_RTC, address);
	outb(PORT_RTC + 1, value);
}

static volatile uint8_t flags; /* register C at the last interrupt */

static void acknowledge(void)
{
	flags = rtc_read(RTC_C);
}

static uint8_t second_before;

static void next_second(void)
{
	uint8_t second = rtc_read(RTC_SECOND);

	test_equal("the second after an update interrupt", second, (second_before + 1) % 60);
	test_equal("register C's update flag", flags & B_UPDATE, B_UPDATE);
	second_before = second;
}

static void test_updates(void)
{
	struct pace pace = { .name = "RTC updates", .clocks = 1, .hz = 1 };

	ticks_expect(V_RTC, acknowledge);
	rtc_read(RTC_C);
	second_before = rtc_read(RTC_SECOND);
	rtc_write(RTC_B, B_UPDATE | B_24_HOURS | B_BINARY);
	pace.before = pace.after = rdtsc() / tsc_hz * tsc_hz;
	ticks_run(V_RTC, SECONDS, &pace, next_second);
	rtc_write(RTC_B, B_24_HOURS | B_BINARY);
}

static void test_periodic(void)
{
	struct pace pace = { .name = "RTC periodic interrupts", .clocks = 1, .hz = 32 };
	uint64_t now;

	rtc_write(RTC_A, A_32_HZ);
	ticks_expect(V_RTC, acknowledge);
	rtc_read(RTC_C);
	rtc_write(RTC_B, B_PERIODIC | B_24_HOURS | B_BINARY);
	now = rdtsc();
	pace.before = pace.after = now - now % (tsc_hz / 32);
	ticks_run(V_RTC, TICKS, &pace, NULL);
	rtc_write(RTC_B, B_24_HOURS);
	rtc_write(RTC_A, A_1024_HZ);
	rtc_read(RTC_C);
}

void test_rtc(void)
{
	test_equal("register D", rtc_read(RTC_D), D_VALID);
	rtc_write(RTC_B, B_24_HOURS | B_BINARY);
	ioapic_route(PIN_RTC, 0, V_RTC);
	test_updates();
	test_periodic();
	ioapic_route(PIN_RTC, 0, IOAPIC_MASKED);
}
