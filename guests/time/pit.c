/*
 * pit.c: channel 2 as an operating system calibrates the TSC by it, and channels 0 and 2 side by side for a
 * second (Intel's 8254 data sheet; port 0x61 of a PC).
 */
#include "ioapic.h"
#include "time.h"

#define V_PIT            0x60
#define PIN_PIT          2 /* at the I/O APIC, by the ACPI tables */
#define SYSTEM_GATE      0x01
#define SYSTEM_OUTPUT    0x20
#define MODE_0           0x30 /* both bytes */
#define MODE_2           0x34
#define CHANNEL_2        0x80
#define CALIBRATE_CLOCKS (PIT_HZ / 500)
#define TICK_CLOCKS      (PIT_HZ / 50)
#define TICKS            60

static void write_count(unsigned channel, uint8_t mode, unsigned count)
{
	outb(PIT_CONTROL, (uint8_t)(channel << 6 | mode));
	outb((uint16_t)(PORT_PIT + channel), (uint8_t)count);
	outb((uint16_t)(PORT_PIT + channel), (uint8_t)(count >> 8));
}

/* The output rises one clock and `count` after the count was written: between the last look that found it low
 * and the first that found it high. */
void test_calibrate(void)
{
	uint64_t due = (uint64_t)CALIBRATE_CLOCKS * tsc_hz / PIT_HZ, clock = tsc_hz / PIT_HZ + 1;
	uint64_t before, after, low, high;

	outb(PORT_SYSTEM, SYSTEM_GATE);
	outb(PIT_CONTROL, CHANNEL_2 | MODE_0);
	outb(PORT_PIT + 2, CALIBRATE_CLOCKS & 0xff);
	before = rdtsc();
	outb(PORT_PIT + 2, CALIBRATE_CLOCKS >> 8);
	after = low = high = rdtsc();
	for (;;) {
		uint64_t now = rdtsc();

		if (inb(PORT_SYSTEM) & SYSTEM_OUTPUT)
			break;
		low = now;
	}
	high = rdtsc();
	CHECK(low <= after + due + 2 * clock, "PIT channel 2: low %lu cycles after its start", low - after);
	CHECK(high >= before + due, "PIT channel 2: high %lu cycles after its start", high - before);
	outb(PORT_SYSTEM, 0);
}

/* Channel 2 counts down from 65536 again and again; it is read more often than it wraps. */
static uint64_t channel_2(void)
{
	static uint64_t clocks;
	uint16_t count;

	outb(PIT_CONTROL, CHANNEL_2);
	count = inb(PORT_PIT + 2);
	count |= (uint16_t)(inb(PORT_PIT + 2) << 8);
	clocks += (uint16_t)(-count - clocks);
	return clocks;
}

static uint64_t apic_clocks(void)
{
	return UINT32_MAX - apic_read(APIC_TIMER_CURRENT);
}

static struct clock pit_clock = { .name = "PIT channel 2", .hz = PIT_HZ, .read = channel_2 };
static struct clock apic_clock = { .name = "the APIC timer's count", .read = apic_clocks };

static void compare(void)
{
	clock_check(&pit_clock);
	clock_check(&apic_clock);
}

void test_pit(void)
{
	struct pace pace = { .name = "PIT channel 0", .clocks = TICK_CLOCKS, .hz = PIT_HZ };

	apic_clock.hz = tsc_hz;
	apic_timer_start(APIC_SPURIOUS_VECTOR, UINT32_MAX, false);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	outb(PORT_SYSTEM, SYSTEM_GATE);
	write_count(2, MODE_2, 0);
	ioapic_route(PIN_PIT, 0, V_PIT);
	ticks_expect(V_PIT, NULL);

	outb(PIT_CONTROL, MODE_2);
	outb(PORT_PIT, TICK_CLOCKS & 0xff);
	pace.before = rdtsc();
	outb(PORT_PIT, TICK_CLOCKS >> 8);
	pace.after = rdtsc();
	clock_start(&pit_clock);
	clock_start(&apic_clock);
	ticks_run(V_PIT, TICKS, &pace, compare);

	ioapic_route(PIN_PIT, 0, IOAPIC_MASKED);
	write_count(0, MODE_2, 0);
	outb(PIT_CONTROL, MODE_0);	/* and no count: it stands still */
	outb(PORT_SYSTEM, 0);
	apic_timer_stop();
}
