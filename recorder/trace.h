/*
 * trace.h: a .vxt file, for everybody on the host. replay/ and analyzer/ know the file only through this.
 *
 * A trace is a concatenation of zstd frames (traces/FORMAT.md). trace_open() indexes it (by its seek table
 * when it has a true one, otherwise by a scan that resynchronises on headers) and lists what is damaged or
 * missing; frames are then decompressed by number, on any thread, each with a struct trace_frame of its own.
 * Every byte is hostile.
 */
#ifndef VEXIT_TRACE_READER_H
#define VEXIT_TRACE_READER_H

#include <stdio.h>
#include "trace/decode.h"

struct trace;

enum trace_damage_kind {
	DAMAGE_CORRUPT,	  /* bytes that are no frame, or whose checksum is wrong */
	DAMAGE_MISSING,	  /* frames that the numbers say should be here */
	DAMAGE_DUPLICATE, /* a frame that was here before */
	DAMAGE_MOVED,	  /* a frame out of order: it is read, in its place */
	DAMAGE_FOREIGN,	  /* a frame of another session (of which no session frame stands in the file) */
	DAMAGE_TRUNCATED, /* no closing frame, or the file ends inside a frame */
	DAMAGE_LATE,	  /* the capture began late: the first steps are missing */
};

struct trace_damage {
	enum trace_damage_kind kind;
	uint64_t offset, size;		/* bytes of the file concerned */
	uint64_t first_step, steps;	/* steps lost by it; steps 0: none or unknown */
	uint64_t first_seq, exits;
	char text[160];			/* what was expected, what was found */
};

/* One readable compressed frame of the chosen session, in order of its numbers. */
struct trace_frame_info {
	struct frame_header header;
	uint64_t offset;		/* of the header frame in the file */
	uint64_t packed_offset;		/* of the compressed frame */
};

#define TRACE_TRUST_ABOVE (UINT64_C(64) << 20)

struct trace_options {
	unsigned session;		/* 1, 2, …: which session of the file; 0 = first */
	/*
	 * Larger files that have a true seek table are indexed by it: their frames' bytes are then checked
	 * when a cursor loads them, not at once. 0: TRACE_TRUST_ABOVE; UINT64_MAX: never, look at every byte
	 * (verify).
	 */
	uint64_t trust_above;
};

/*
 * Open. NULL with `error` filled ("FILE:OFFSET: what, expected, got") if it can't be read at all (no file, no
 * session frame). `path` "-" reads stdin to its end.
 */
struct trace *trace_open(const char *path, const struct trace_options *options, char *error,
			 size_t error_size);
/* The same over bytes in memory, which must outlive the trace; `name` is for messages. For tests and fuzzers.
 */
struct trace *trace_open_memory(const char *name, const uint8_t *bytes, size_t size,
				const struct trace_options *options, char *error, size_t error_size);
/*
 * Look for what was appended since (a growing file). Gives the number of new frames. Not while a cursor of
 * this trace is in use on another thread: the file is mapped anew.
 */
size_t trace_refresh(struct trace *t);
void trace_close(struct trace *t);

const char *trace_path(const struct trace *t);
const struct session *trace_session(const struct trace *t);
size_t trace_session_count(const struct trace *t);
size_t trace_frame_count(const struct trace *t);
const struct trace_frame_info *trace_frame(const struct trace *t, size_t i);
/* NULL: the trace is truncated. */
const struct closing *trace_closing(const struct trace *t);
size_t trace_damage_count(const struct trace *t);
const struct trace_damage *trace_damage(const struct trace *t, size_t i);
/* Print each damage as "vexit: FILE:OFFSET: …". Gives their number. */
size_t trace_report_damage(const struct trace *t, FILE *to);
/* The trace is whole: no damage and a closing frame. */
bool trace_whole(const struct trace *t);
/* Exits and steps in the readable frames. */
uint64_t trace_exit_count(const struct trace *t);
uint64_t trace_step_count(const struct trace *t);

/* A reader of frames: decompression buffer and decoder. One a thread; about 1.5 MB. */
struct trace_cursor;
struct trace_cursor *trace_cursor_new(const struct trace *t);
void trace_cursor_free(struct trace_cursor *c);
/* Load frame i: 0, or -1 with trace_cursor_error(). The decoder then stands before its first step. */
int trace_cursor_load(struct trace_cursor *c, size_t i);
struct decoder *trace_cursor_decoder(struct trace_cursor *c);
/* As decoder_next(). On -1 trace_cursor_error() names file, offset, frame and what was expected. */
int trace_cursor_next(struct trace_cursor *c);
const char *trace_cursor_error(const struct trace_cursor *c);
/* The frame's raw (decompressed) and packed bytes, valid until the next load. */
const uint8_t *trace_cursor_raw(const struct trace_cursor *c, size_t *size);
const uint8_t *trace_cursor_packed(const struct trace_cursor *c, size_t *size);

/* Selection of exits, for dump, replay, import: --exits A..B, --reason NAME, --vcpu N. */
struct trace_selection {
	uint64_t first_seq, last_seq;	/* inclusive; 0 and UINT64_MAX: all */
	int reason;			/* basic exit reason, -1: all */
	int vcpu;			/* -1: all */
};
/* "A..B", "A..", "..B", "A". false: not a range. */
bool trace_parse_range(const char *text, uint64_t *first, uint64_t *last);
/* An exit reason by the SDM's name as in exits.def, any case, or number; -1: none such. */
int trace_parse_reason(const char *text);
const char *exit_reason_name(unsigned basic);		/* "CPUID"; "RESERVED_200" for what has no row */
/* Whether a frame can hold a selected exit, by its header alone. */
bool trace_frame_selected(const struct trace_frame_info *f, const struct trace_selection *s);

#endif
