/*
 * pit.c: the 8254's ports, its commands, and what its outputs are wired to.
 *
 * Called by the port table and timers.c. The counters themselves are pit_channel.c.
 */
#include "dev/pit.h"
#include "dev/clock.h"
#include "dev/irq.h"
#include "dev/pit_channel.h"
#include "dev/timers.h"
#include "platform.h"

/* 8254 data sheet, "Control Word Format", "Read-Back Command" */
#define CONTROL_CHANNEL_SHIFT	6
#define CONTROL_READ_BACK	3
#define CONTROL_ACCESS		0x30u	/* 0: counter latch command */
#define READ_BACK_NO_COUNT	(1u << 5)
#define READ_BACK_NO_STATUS	(1u << 4)

/* System control port B */
#define SYSTEM_GATE		(1u << 0)
#define SYSTEM_WRITABLE		0x0fu	/* gate, speaker, two checks that never fail */
#define SYSTEM_REFRESH		(1u << 4)
#define SYSTEM_OUTPUT		(1u << 5)
#define REFRESH_CLOCKS		18	/* channel 1 of a PC: a refresh in 15 µs */

void pit_reset(struct pit *pit)
{
	*pit = (struct pit){ 0 };
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		struct pit_channel *c = &pit->channel[i];

		/* "Undefined". Here nothing counts, and outputs are high, as after a BIOS. */
		pit_channel_control(c, 0x36);
		c->gate = i != 2;
		c->deadline = TIME_NONE;
	}
}

static uint64_t clock_at(const struct vm *vm, uint64_t now)
{
	return clock_ticks(vm, now, PIT_HZ);
}

/* Channel 0 was written: its line, and when it rises next. */
static void rearm(struct vm *vm, struct world *w, unsigned self, uint64_t clock)
{
	struct pit_channel *c = &vm->pit.channel[0];
	uint64_t rise = pit_channel_next_rise(c, clock);

	c->deadline = rise == PIT_NEVER ? TIME_NONE : clock_time(vm, rise, PIT_HZ);
	vm_touch(vm, VM_DEVICE_PIT);
	irq_set(vm, w, self, IRQ_PIT, pit_channel_output(c, clock));
	timers_update(vm);
}

void pit_expire(struct vm *vm, struct world *w, unsigned self, uint64_t now)
{
	/* Rises that nobody could see are one. In modes with a short pulse the line was up all the while. */
	irq_set(vm, w, self, IRQ_PIT, false);
	irq_set(vm, w, self, IRQ_PIT, true);
	rearm(vm, w, self, clock_at(vm, now));
}

static void read_back(struct vm *vm, uint8_t command, uint64_t clock)
{
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		if (!(command >> (i + 1) & 1))
			continue;
		if (!(command & READ_BACK_NO_COUNT))
			pit_channel_latch_count(&vm->pit.channel[i], clock);
		if (!(command & READ_BACK_NO_STATUS))
			pit_channel_latch_status(&vm->pit.channel[i], clock);
	}
}

uint32_t pit_read(const struct port_access *a)
{
	unsigned index = a->port - PORT_PIT;

	if (index >= PIT_CHANNELS)
		return UINT32_MAX;
	vm_touch(a->vm, VM_DEVICE_PIT);
	return pit_channel_read(&a->vm->pit.channel[index], clock_at(a->vm, a->now));
}

void pit_write(const struct port_access *a, uint32_t value)
{
	struct pit *pit = &a->vm->pit;
	unsigned index = a->port - PORT_PIT;
	uint64_t clock = clock_at(a->vm, a->now);

	vm_touch(a->vm, VM_DEVICE_PIT);
	/* A rise that has come already isn't lost by what is written now. */
	if (pit->channel[0].deadline <= a->now)
		pit_expire(a->vm, a->w, a->self, a->now);
	if (index < PIT_CHANNELS) {
		pit_channel_write(&pit->channel[index], (uint8_t)value, clock);
	} else {
		index = value >> CONTROL_CHANNEL_SHIFT & 3;
		if (index == CONTROL_READ_BACK)
			read_back(a->vm, (uint8_t)value, clock);
		else if (!(value & CONTROL_ACCESS))
			pit_channel_latch_count(&pit->channel[index], clock);
		else
			pit_channel_control(&pit->channel[index], (uint8_t)value);
	}
	if (index == 0)
		rearm(a->vm, a->w, a->self, clock);
}

uint32_t pit_system_read(const struct port_access *a)
{
	const struct pit *pit = &a->vm->pit;
	uint64_t clock = clock_at(a->vm, a->now);

	return pit->system_control | (clock / REFRESH_CLOCKS % 2 ? SYSTEM_REFRESH : 0) |
	       (pit_channel_output(&pit->channel[2], clock) ? SYSTEM_OUTPUT : 0);
}

void pit_system_write(const struct port_access *a, uint32_t value)
{
	struct pit *pit = &a->vm->pit;

	pit->system_control = value & SYSTEM_WRITABLE;
	pit_channel_set_gate(&pit->channel[2], value & SYSTEM_GATE, clock_at(a->vm, a->now));
	vm_touch(a->vm, VM_DEVICE_PIT);
}
