/*
 * toys.h: small handlers, a recording of them made on the host, and its replay by the same handlers with
 * one deliberate bug. For the tests of replay.
 */
#ifndef VEXIT_TOYS_H
#define VEXIT_TOYS_H

#include "replay/replay.h"
#include "support/recording.h"

#define TOY_FRAMES	4
#define TOY_EXITS	240		/* in all: as many of each vCPU, of each of six kinds */

enum bug {
	BUG_NONE, BUG_GPR_WRONG, BUG_GPR_MISSING, BUG_GPR_EXTRA, BUG_RIP, BUG_VMCS_EXTRA, BUG_ACTION,
	BUG_OUT_MISSING, BUG_OUT_EXTRA, BUG_OUT_VALUE, BUG_OUT_BYTES, BUG_OUT_ORDER, BUG_MEMORY_UNKNOWN,
	BUG_MEMORY_UNASKED, BUG_MSR_UNASKED, BUG_MSR_UNKNOWN, BUG_MSR_OTHER, BUG_DEVICE_VALUE,
	BUG_DEVICE_UNMARKED, BUG_DEVICE_EXTRA, BUG_DEVICE_SILENT, BUG_CRASH, BUG_LOOP, BUG_WORLD_LOOP,
	BUG_DEADLINE, BUG_RESULT, BUG_EVENT, BUG_INPUT_UNASKED,
};

/* The one that the handlers have now. */
extern enum bug toy_bug;

/* What toy_replay() replays. */
extern struct toy_trace {
	uint8_t *bytes;
	size_t size;
} toy_trace;

extern const struct recording_core toy_recorded;

/* All of the recording but its end. */
struct recording *toy_record(enum trace_level level);

/* cmocka's fixtures of a group: toy_trace made, and freed. */
int toy_make_trace(void **state);
int toy_free_trace(void **state);

/* Of everything, by the toys. */
struct replay_options toy_options(unsigned jobs);
struct summary toy_replay(const struct replay_options *options);

/* The report, to be freed. */
char *toy_report_text(const struct summary *s, bool json);

#endif
