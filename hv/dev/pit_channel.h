/*
 * pit_channel.h: one counter of an 8254 as a function of its clock (8254 data sheet, "Mode Definitions").
 *
 * Clocks count from the VM's time 0. A channel keeps when its count was loaded; what it counts to, and its
 * output, follow from the clock. Nothing here knows ports, time or interrupts.
 */
#ifndef VEXIT_DEV_PIT_CHANNEL_H
#define VEXIT_DEV_PIT_CHANNEL_H

#include "vm.h"

#define PIT_NEVER UINT64_MAX	/* a clock that doesn't come */

/* A control word for this channel, bits 5:0: access, mode, BCD. It counts when a count is written. */
void pit_channel_control(struct pit_channel *c, uint8_t control);

/* A byte for the counting element, by the access that the control word says. */
void pit_channel_write(struct pit_channel *c, uint8_t byte, uint64_t clock);
uint8_t pit_channel_read(struct pit_channel *c, uint64_t clock);

/* Counter latch and read-back commands. What is latched already stays. */
void pit_channel_latch_count(struct pit_channel *c, uint64_t clock);
void pit_channel_latch_status(struct pit_channel *c, uint64_t clock);

void pit_channel_set_gate(struct pit_channel *c, bool gate, uint64_t clock);

bool pit_channel_output(const struct pit_channel *c, uint64_t clock);

/* The first clock after `clock` at which the output rises, or PIT_NEVER. */
uint64_t pit_channel_next_rise(const struct pit_channel *c, uint64_t clock);

#endif
