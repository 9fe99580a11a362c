/*
 * fake_pit.h: the 8254 of a fake VM (Intel's data sheet, "Control Word Format", "Read-Back Command") and
 * port 0x61, as a guest programs and reads them. For the tests of the PIT.
 */
#ifndef VEXIT_FAKE_PIT_H
#define VEXIT_FAKE_PIT_H

#include "dev/clock.h"
#include "dev/pit.h"
#include "support/fake.h"

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
void fake_pit_at(struct fake *f, uint64_t clock);

/* Channel 2's gate, and other bits of port 0x61; channel 2's output. */
void fake_pit_gate(struct fake *f, unsigned value);
bool fake_pit_output(struct fake *f);

/* A count of two bytes, as it comes; latched first; a latched status; a count of two bytes written. */
unsigned fake_pit_read(struct fake *f, unsigned channel);
unsigned fake_pit_count(struct fake *f, unsigned channel);
unsigned fake_pit_status(struct fake *f, unsigned channel);
void fake_pit_write(struct fake *f, unsigned channel, unsigned value);

/* Channel 2 with its gate high, `value` written at clock 1000: its first clock is 1001. */
void fake_pit_program(struct fake *f, unsigned mode, unsigned value);

#endif
