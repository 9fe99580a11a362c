/*
 * time.h: the parts of guest time, and how a clock is held against the TSC.
 */
#ifndef TIME_H
#define TIME_H

#include "guest.h"

#define PIT_HZ      1193182
#define PIT_CONTROL (PORT_PIT + 3)

extern uint64_t tsc_hz; /* as the hypervisor's CPUID leaf says; main() sets it */

/* ticks.c: interrupts that come at a fixed pace, with the TSC of each. */
#define TICKS_MAX 256

struct pace {
	const char *name;
	uint64_t clocks, hz;    /* one interrupt each `clocks` of a clock of `hz` */
	uint64_t before, after; /* TSC around the moment at which the first period began */
};

/* From now on interrupts of `vector` are noted; acknowledge() does what the device wants in the handler, or
 * is NULL. */
void ticks_expect(uint8_t vector, void (*acknowledge)(void));

/* Sleeps in HLT until `count` interrupts of `vector` have come, calls each() after each of them, and checks
 * that none was early, none later than half its period (a frame that is closed takes some milliseconds), and
 * so none lost or doubled. */
void ticks_run(uint8_t vector, unsigned count, const struct pace *pace, void (*each)(void));

/* drift.c: a clock that is read. */
struct reading {
	uint64_t before, after; /* TSC around it */
	uint64_t clocks;        /* counted up, without wrap */
};

struct clock {
	const char *name;
	uint64_t hz;
	uint64_t (*read)(void);
	struct reading first;
};

void clock_start(struct clock *c);
/* What passed by this clock since its start and by the TSC is the same, up to one clock at either end. */
void clock_check(const struct clock *c);

void test_leaves(void);    /* main.c */
void test_calibrate(void); /* pit.c */
void test_pit(void);
void test_apic_timer(void);/* apic.c */
void test_rtc(void);       /* rtc.c */

#endif
