/*
 * drift.c: a clock that is read, held against the TSC.
 *
 * Called by the parts. A reading lies between two of the TSC, so that the bound doesn't depend on what an
 * exit takes.
 */
#include "time.h"

static struct reading read_clock(const struct clock *c)
{
	struct reading r;

	r.before = rdtsc();
	r.clocks = c->read();
	r.after = rdtsc();
	return r;
}

void clock_start(struct clock *c)
{
	c->first = read_clock(c);
}

void clock_check(const struct clock *c)
{
	struct reading r = read_clock(c);
	uint64_t passed = r.clocks - c->first.clocks;
	/* A reading of n clocks stands for n to n + 1 of them, at either end. */
	uint64_t least = (passed ? passed - 1 : 0) * tsc_hz / c->hz, most = (passed + 1) * tsc_hz / c->hz + 1;

	CHECK(least <= r.after - c->first.before, "%s runs fast: %lu clocks in at most %lu TSC cycles",
	      c->name, passed, r.after - c->first.before);
	CHECK(most >= r.before - c->first.after, "%s runs slow: %lu clocks in at least %lu TSC cycles",
	      c->name, passed, r.before - c->first.after);
}
