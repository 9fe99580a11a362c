/*
 * clock.h: a device's own clock, counted from the VM's time without drift: each tick's time follows from the
 * VM's time 0, never from the tick before it.
 *
 * A conversion takes whole seconds and the rest apart: no product exceeds 64 bits for rates up to 2^27 Hz
 * and TSCs up to 2^37 Hz, and nothing is rounded twice.
 */
#ifndef VEXIT_DEV_CLOCK_H
#define VEXIT_DEV_CLOCK_H

#include "vm.h"

/* TSC cycles a second, never 0: config may come from a trace. */
static inline uint64_t clock_tsc_hz(const struct vm *vm)
{
	uint64_t khz = vm->config.tsc_khz & UINT64_C(0x7ffffff);

	return khz ? khz * 1000 : 1000;
}

/* How many ticks of a clock of `hz` there were at `time`. */
static inline uint64_t clock_ticks(const struct vm *vm, uint64_t time, uint32_t hz)
{
	uint64_t second = clock_tsc_hz(vm);

	return time / second * hz + time % second * hz / second;
}

/* When tick number `tick` came: the first time at which clock_ticks() gives it. */
static inline uint64_t clock_time(const struct vm *vm, uint64_t tick, uint32_t hz)
{
	uint64_t second = clock_tsc_hz(vm);

	return tick / hz * second + (tick % hz * second + hz - 1) / hz;
}

#endif
