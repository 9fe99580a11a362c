/*
 * fake_pit.c: see fake_pit.h.
 */
#include "support/fake_pit.h"

void fake_pit_at(struct fake *f, uint64_t clock)
{
	f->now = clock_time(&f->vm, clock, PIT_HZ);
}

void fake_pit_gate(struct fake *f, unsigned value)
{
	fake_outb(f, PORT_SYSTEM, value);
}

bool fake_pit_output(struct fake *f)
{
	return fake_inb(f, PORT_SYSTEM) & OUTPUT;
}

unsigned fake_pit_read(struct fake *f, unsigned channel)
{
	unsigned low = fake_inb(f, (uint16_t)(PORT_PIT + channel));

	return low | fake_inb(f, (uint16_t)(PORT_PIT + channel)) << 8;
}

unsigned fake_pit_count(struct fake *f, unsigned channel)
{
	fake_outb(f, CONTROL, CHANNEL(channel) | LATCH);
	return fake_pit_read(f, channel);
}

unsigned fake_pit_status(struct fake *f, unsigned channel)
{
	fake_outb(f, CONTROL, READ_BACK(channel) | NO_COUNT);
	return fake_inb(f, (uint16_t)(PORT_PIT + channel));
}

void fake_pit_write(struct fake *f, unsigned channel, unsigned value)
{
	fake_outb(f, (uint16_t)(PORT_PIT + channel), value & 0xff);
	fake_outb(f, (uint16_t)(PORT_PIT + channel), value >> 8);
}

void fake_pit_program(struct fake *f, unsigned mode, unsigned value)
{
	fake_pit_at(f, 1000);
	fake_pit_gate(f, GATE);
	fake_outb(f, CONTROL, CHANNEL(2) | BOTH | MODE(mode));
	fake_pit_write(f, 2, value);
}
