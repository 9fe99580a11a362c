/*
 * pit_channel.c: an 8254's counter in its six modes, with gate, latches and BCD.
 *
 * Called by pit.c. A count that was written is loaded at the next clock; in modes 2 and 3, if one is running,
 * at the end of its (half) cycle: until then it waits as `next`. A reader sees through that by settled().
 */
#include "dev/pit_channel.h"

/* Control word and status byte */
#define CONTROL_BCD		(1u << 0)
#define STATUS_NULL_COUNT	(1u << 6)
#define STATUS_OUTPUT		(1u << 7)

#define FAR			(PIT_NEVER >> 1)	/* of a count that only a trigger loads */

enum { ACCESS_LSB = 1, ACCESS_MSB = 2, ACCESS_BOTH = 3 };

/* Names of the data sheet's section. */
enum {
	MODE_TERMINAL_COUNT, MODE_ONE_SHOT, MODE_RATE, MODE_SQUARE_WAVE, MODE_SOFTWARE_STROBE,
	MODE_HARDWARE_STROBE,
};

static unsigned access_of(const struct pit_channel *c)
{
	return c->control >> 4 & 3;
}

/* Bit 2 of the mode is "don't care" where bit 1 is set. */
static unsigned mode_of(const struct pit_channel *c)
{
	unsigned mode = c->control >> 1 & 7;

	return mode > 5 ? mode & 3 : mode;
}

static bool is_periodic(const struct pit_channel *c)
{
	return mode_of(c) == MODE_RATE || mode_of(c) == MODE_SQUARE_WAVE;
}

/* A rising gate starts these; writing the count only says how long. */
static bool is_triggered(const struct pit_channel *c)
{
	return mode_of(c) == MODE_ONE_SHOT || mode_of(c) == MODE_HARDWARE_STROBE;
}

static uint32_t modulus(const struct pit_channel *c)
{
	return c->control & CONTROL_BCD ? 10000 : 0x10000;
}

static uint32_t from_bcd(uint32_t bcd)
{
	return (bcd & 15) + (bcd >> 4 & 15) * 10 + (bcd >> 8 & 15) * 100 + (bcd >> 12 & 15) * 1000;
}

static uint32_t to_bcd(uint32_t n)
{
	return n % 10 | n / 10 % 10 << 4 | n / 100 % 10 << 8 | n / 1000 % 10 << 12;
}

/* ---- What a count is at a clock ---- */

static bool is_loaded(const struct pit_channel *c, uint64_t clock)
{
	return c->base != PIT_NEVER && (int64_t)(clock - c->base) >= 0;
}

/* Clocks counted since it was loaded. */
static uint64_t elapsed(const struct pit_channel *c, uint64_t clock)
{
	if (c->stopped != PIT_NEVER)
		return c->stopped;
	return is_loaded(c, clock) ? clock - c->base : 0;
}

/* Of a square wave: the clocks it is high. With an odd count one more than it is low. */
static uint32_t high_part(uint32_t count)
{
	return (count + 1) / 2;
}

/* The count that waits, loaded if its time has come. */
static struct pit_channel settled(const struct pit_channel *c, uint64_t clock)
{
	struct pit_channel s = *c;

	if (s.next && s.stopped == PIT_NEVER && (int64_t)(clock - s.next_at) >= 0) {
		s.base = s.next_base;
		s.count = s.next;
		s.next = 0;
	}
	return s;
}

static uint32_t current(const struct pit_channel *channel, uint64_t clock)
{
	struct pit_channel c = settled(channel, clock);
	uint64_t e = elapsed(&c, clock);
	uint32_t phase, value;

	if (!c.count)
		return 0;
	switch (mode_of(&c)) {
	case MODE_RATE:
		value = c.count - (uint32_t)(e % c.count);
		break;
	case MODE_SQUARE_WAVE:
		/* By two each clock, from an even number, once for each half. */
		phase = (uint32_t)(e % c.count);
		if (phase >= high_part(c.count))
			phase -= high_part(c.count);
		value = (c.count & ~1u) - 2 * phase;
		break;
	default:
		/* It goes on behind 0. */
		value = c.count + modulus(&c) - (uint32_t)(e % modulus(&c));
		break;
	}
	value %= modulus(&c);
	return c.control & CONTROL_BCD ? to_bcd(value) : value;
}

bool pit_channel_output(const struct pit_channel *channel, uint64_t clock)
{
	struct pit_channel c = settled(channel, clock);
	uint64_t e = elapsed(&c, clock);
	bool loaded = c.count && is_loaded(&c, clock);

	switch (mode_of(&c)) {
	case MODE_TERMINAL_COUNT: return loaded && e >= c.count;
	case MODE_ONE_SHOT: return !loaded || e >= c.count;
	case MODE_RATE: return !loaded || !c.gate || e % c.count != c.count - 1;
	case MODE_SQUARE_WAVE: return !loaded || !c.gate || e % c.count < high_part(c.count);
	default: return !loaded || e != c.count;
	}
}

/* Of a count that is running, without one that waits. */
static uint64_t rise_of(const struct pit_channel *c, uint64_t clock)
{
	uint64_t e = elapsed(c, clock), at;

	if (!c->count || c->base == PIT_NEVER || c->stopped != PIT_NEVER)
		return PIT_NEVER;
	if (is_periodic(c))
		return c->base + (is_loaded(c, clock) ? e / c->count + 1 : 1) * c->count;
	at = mode_of(c) >= MODE_SOFTWARE_STROBE ? c->count + 1 : c->count;
	return !is_loaded(c, clock) || e < at ? c->base + at : PIT_NEVER;
}

uint64_t pit_channel_next_rise(const struct pit_channel *channel, uint64_t clock)
{
	struct pit_channel c = settled(channel, clock);
	uint64_t rise = rise_of(&c, clock);

	if (!c.next || rise == PIT_NEVER || (int64_t)(c.next_at - rise) >= 0)
		return rise;
	/* It is in its high half: the low one comes with the new count. */
	clock = c.next_at;
	c = settled(&c, clock);
	return rise_of(&c, clock);
}

/* ---- Writing ---- */

void pit_channel_control(struct pit_channel *c, uint8_t control)
{
	*c = (struct pit_channel){
		.base = PIT_NEVER,
		.stopped = PIT_NEVER,
		.deadline = c->deadline,
		.control = control & 0x3f,
		.gate = c->gate,
	};
}

/* The gate low stops the count from `clock` on, in modes without trigger. */
static void start(struct pit_channel *c, uint64_t clock)
{
	c->base = clock + 1;
	c->stopped = c->gate || is_triggered(c) ? PIT_NEVER : 0;
	c->next = 0;
}

/* A count is complete. Modes with a trigger take it at the next one. */
static void load(struct pit_channel *c, uint32_t count, uint64_t clock)
{
	uint64_t phase, cycle;

	if (c->control & CONTROL_BCD)
		count = from_bcd(count);
	if (count == 0)
		count = modulus(c);
	*c = settled(c, clock);
	if (is_triggered(c) && c->base == PIT_NEVER) {
		c->count = count;
		return;
	}
	if (is_triggered(c)) {
		c->next = count;
		c->next_at = FAR;
		return;
	}
	if (!is_periodic(c) || !c->count || c->stopped != PIT_NEVER || !is_loaded(c, clock)) {
		c->count = count;
		start(c, clock);
		return;
	}
	phase = elapsed(c, clock) % c->count;
	cycle = clock - phase;
	c->next = count;
	c->next_at = c->next_base = cycle + c->count;
	if (mode_of(c) == MODE_SQUARE_WAVE && phase < high_part(c->count)) {
		c->next_at = cycle + high_part(c->count);
		c->next_base = c->next_at - high_part(count);
	}
}

void pit_channel_write(struct pit_channel *c, uint8_t byte, uint64_t clock)
{
	switch (access_of(c)) {
	case ACCESS_LSB: load(c, byte, clock); break;
	case ACCESS_MSB: load(c, (uint32_t)byte << 8, clock); break;
	case ACCESS_BOTH:
		if (c->half_written) {
			c->half_written = 0;
			load(c, c->low_byte | (uint32_t)byte << 8, clock);
			break;
		}
		c->low_byte = byte;
		c->half_written = 1;
		/* Mode 0: "writing the first byte disables counting", and its output goes low. */
		if (mode_of(c) == MODE_TERMINAL_COUNT)
			c->base = PIT_NEVER;
		break;
	}
}

void pit_channel_set_gate(struct pit_channel *c, bool gate, uint64_t clock)
{
	if (gate == c->gate)
		return;
	*c = settled(c, clock);
	c->gate = gate;
	if (!c->count)
		return;
	if (!gate) {
		if (!is_triggered(c) && c->base != PIT_NEVER)
			c->stopped = elapsed(c, clock);
	} else if (is_triggered(c) || is_periodic(c)) {
		/* A trigger: the count, or the one that waits, is loaded at the next clock. */
		if (c->next)
			c->count = c->next;
		start(c, clock);
	} else if (c->stopped != PIT_NEVER) {
		c->base = clock - c->stopped;
		c->stopped = PIT_NEVER;
	}
}

/* ---- Reading ---- */

void pit_channel_latch_count(struct pit_channel *c, uint64_t clock)
{
	if (c->latched_bytes)
		return;
	c->latch = (uint16_t)current(c, clock);
	c->latched_bytes = access_of(c) == ACCESS_BOTH ? 2 : 1;
}

void pit_channel_latch_status(struct pit_channel *c, uint64_t clock)
{
	struct pit_channel s = settled(c, clock);
	bool null = !s.count || s.next || !is_loaded(&s, clock);

	if (c->status_latched)
		return;
	c->status = s.control | (null ? STATUS_NULL_COUNT : 0) |
		    (pit_channel_output(&s, clock) ? STATUS_OUTPUT : 0);
	c->status_latched = 1;
}

uint8_t pit_channel_read(struct pit_channel *c, uint64_t clock)
{
	uint16_t value = c->latched_bytes ? c->latch : (uint16_t)current(c, clock);
	bool high = access_of(c) == ACCESS_MSB;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	if (access_of(c) == ACCESS_BOTH) {
		high = c->half_read;
		c->half_read = !high;
	}
	if (c->latched_bytes)
		c->latched_bytes--;
	return (uint8_t)(high ? value >> 8 : value);
}
