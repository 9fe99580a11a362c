/*
 * record.h: one recording: a machine that runs, its three ports followed, until something ends it.
 *
 * cmd_record.c prepares it, record.c runs it, verdict.c reads the hypervisor's log, record_report.c tells what
 * came of it, record_last.c what the guest did last.
 */
#ifndef VEXIT_RECORD_H
#define VEXIT_RECORD_H

#include <signal.h>
#include <stdio.h>

#include "recorder/input.h"
#include "recorder/symbols.h"
#include "recorder/machine.h"
#include "recorder/writer.h"

/* What the hypervisor said on COM3. */
struct verdict {
	bool known;
	uint32_t kind;			/* enum stop_kind */
	uint64_t value;
	uint64_t input_taken;		/* bytes that the guest's console took */
	char *log;			/* all of the log, at most LOG_MAX bytes of its end */
	size_t log_size, log_cap;
	char line[512];			/* the one in hand */
	size_t line_size;
	char time[256];			/* where the time went: NAME=CYCLES … */
};

void verdict_feed(struct verdict *v, const char *bytes, size_t size);
/* Where the run's time went, in the host's cycles by the log, as a JSON object. */
void verdict_print_time(FILE *to, const struct verdict *v);
/* The log's last lines but the verdict, indented, to stderr: the hypervisor's report. */
void verdict_print_report(const struct verdict *v);
/* "debug-exit 0" */
const char *verdict_text(uint32_t kind, uint64_t value);
/* The exit status of `record` for it. */
int verdict_status(uint32_t kind, uint64_t value);
void verdict_free(struct verdict *v);

enum record_end {
	RECORD_ENDED,			/* the machine ended by itself */
	RECORD_BOOTS,			/* --reboot: no further session fits in a file */
	RECORD_NO_BOOT,			/* --reboot: it couldn't be started again; printed */
	RECORD_TIMEOUT, RECORD_INTERRUPTED, RECORD_TERMINATED,
	RECORD_DISK_FULL,		/* of the machine's directory */
	RECORD_WRITE_FAILED,		/* of the trace or the console's file */
};

struct recording {
	const char *path;		/* of the trace, NULL: there is none */
	const struct symbols *symbols;	/* --symbols, or NULL */
	struct machine machine;
	struct writer *writer;
	struct input input;
	struct verdict verdict;		/* of the boot in hand, or the last */
	uint64_t boots;			/* so far */
	int64_t start;			/* of the first; ms, monotonic */
	int console;			/* file descriptor for the guest's console, -1: nowhere */
	bool console_midline;		/* the last byte written there was no newline */
	bool quiet;
	uint64_t rtc;			/* the guest's clock at power-on, seconds since 1970 */
	uint64_t timeout_ms;		/* 0: none */
	enum record_end end;		/* why it was ended, RECORD_ENDED: it wasn't */
	bool killed;			/* it didn't end when asked to */
	char error[256];		/* RECORD_WRITE_FAILED */
	uint64_t console_bytes;
	double seconds;
};

/* Catch SIGINT, SIGTERM and SIGHUP; they end recordings and captures. */
void record_catch_signals(void);
/* Signals caught so far. */
unsigned record_interrupts(void);
bool record_terminated(void);

/* From a started machine to its end; then the files are as complete as they will be. Once a boot. */
void record_run(struct recording *r);
/* Whether the time is over; then that is why the recording ends. */
bool record_timed_out(struct recording *r);

/* Say how it ended, on stderr, and with `json` on stdout. Gives the status of `vexit record`. */
int record_report(const struct recording *r, bool json);
/* The trace's last exits in words, and where the guest was, to stderr. */
void record_tell_last(const struct recording *r);

#endif
