/*
 * replay.h: what the parts of `vexit replay` share.
 *
 * command.c parses options; all.c picks frames and merges their results; pool.c hands frames to threads;
 * frame.c runs a frame's steps through the core; world.c answers the core from the record, crossings.c
 * compares what goes out; guard.c catches a handler that crashes or loops; compare.c compares; report.c keeps
 * and prints what differs. Nothing here knows the file but through recorder/trace.h.
 */
#ifndef VEXIT_REPLAY_H
#define VEXIT_REPLAY_H

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "recorder/trace.h"

/* What is asked for. */
struct replay_core {			/* the functions under test */
	enum exit_action (*exit)(struct vcpu *v, struct vm *vm, struct world *w);
	enum entry_result (*entry)(struct vcpu *v, struct vm *vm, struct world *w);
};
extern const struct replay_core replay_core_build;	/* this build's own */

struct replay_options {
	struct trace_selection selection;
	const struct replay_core *core;
	unsigned jobs;			/* threads, at least 1 */
	size_t limit;			/* divergences kept of each list */
	bool quiet;			/* no progress */
};

/* ---- Report: divergences of one frame, in order ---- */

#define REPORT_LIMIT	20		/* divergences shown of each list, without --all */
#define REPORT_TEXT	112

enum divergence_kind {
	DIVERGE_ACTION,			/* exit: what happens next; entry step: its result */
	DIVERGE_TIME,			/* wake_at, deadline */
	DIVERGE_VMCS,
	DIVERGE_GPR,
	DIVERGE_CROSSING,		/* a value that went out differs, is missing or too many */
	/* asked for what the record doesn't hold, or not asked for what it does */
	DIVERGE_QUESTION,
	DIVERGE_DEVICE,			/* a device's check byte */
	DIVERGE_HANDLER,		/* crashed or didn't return */
	DIVERGE_KEYFRAME,		/* struct vm at the end of a frame */
	DIVERGE_KINDS
};
extern const char *const divergence_kind_names[DIVERGE_KINDS];

struct divergence {
	enum divergence_kind kind;
	/* comes after a device's first mismatch in this frame: maybe its consequence */
	bool after_first;
	bool is_entry;
	uint32_t vcpu;
	uint64_t step, seq;		/* seq: SEQ_NONE where there is none */
	uint64_t frame;			/* DIVERGE_KEYFRAME: number of the frame whose keyframe differs */
	uint64_t rip;
	/* basic exit reason; of entry steps: of the vCPU's last exit, or REASON_NONE */
	uint16_t reason;
	uint8_t bits;			/* of the code segment: 16, 32 or 64 */
	uint8_t insn_len, insn[STEP_INSN_MAX];
	char subject[40];		/* of an exit: "leaf 0x1", "MSR 0x1b", or "" */
	char name[48];			/* of the field, register, crossing, device */
	char expected[REPORT_TEXT], got[REPORT_TEXT];
};
#define REASON_NONE UINT16_MAX

struct report {
	uint64_t first, after_first;	/* found; may be more than what is kept */
	size_t kept[2];			/* by after_first */
	size_t limit;			/* of each kept[] */
	struct divergence *list;
	size_t count, capacity;
};

/* A new divergence, all zero but for its kind; NULL: counted, but there are enough to show. */
struct divergence *report_add(struct report *r, enum divergence_kind kind, bool after_first);
void report_clear(struct report *r);
void report_free(struct report *r);

/* What the whole replay gives: sums of all frames, and the divergences to show. */
struct summary {
	uint64_t exits, entries, unselected, unfinished, skipped;
	uint64_t divergences, after_first;
	size_t damages;			/* of the file */
	bool truncated, gave_up;
	struct report shown;
};

/* Move a frame's divergences into the summary, up to its limit. */
void report_merge(struct summary *s, struct report *from);
void report_print(FILE *to, const struct summary *s);
void report_print_json(FILE *to, const struct summary *s, const char *path);

/* ---- Guard: a broken handler must be a divergence, not the end of the tool ---- */

enum guard_cause { GUARD_RETURNED, GUARD_WORLD, GUARD_CRASHED, GUARD_LOOPED };

struct guard {
	jmp_buf env;
	volatile sig_atomic_t armed;	/* a handler is running */
	volatile uint64_t serial;	/* of the step in hand */
	uint64_t serial_seen;		/* at the last tick of the timer */
	volatile int signal;		/* GUARD_CRASHED: which */
	timer_t timer;
	void *stack;
};

/* For the calling thread; one a thread. */
void guard_start(struct guard *g);
void guard_stop(struct guard *g);

/* ---- World: the record's answers ---- */

#define WORLD_BYTES (STEP_CROSSINGS_MAX + STEP_CROSSINGS * 24)	/* what an encoder can put into one step */

struct replay_run;

struct replay_world {
	struct world world;		/* given to the core; its context is this struct */
	struct replay_run *run;
	const struct step *step;
	uint32_t calls;
	uint32_t out_next;		/* where the next recorded [OUT] is looked for */
	uint32_t in_next[CROSSING_KIND_COUNT];
	uint32_t read_bytes;		/* recorded bytes of guest memory */
	uint32_t write_count, write_used;
	uint16_t asked_at[STEP_CROSSINGS];	/* MEM_READ: its bytes' place in asked[] */
	uint8_t asked[WORLD_BYTES];	/* recorded byte of guest memory: was it asked for? */
	struct { uint64_t gpa; uint32_t len, at; } writes[STEP_CROSSINGS];
	uint8_t written[WORLD_BYTES];
};

void replay_world_init(struct replay_world *w, struct replay_run *run);
/* false: the record holds more guest memory than a step can; it is damaged. */
bool replay_world_begin(struct replay_world *w, const struct step *step);
/* The handler returned: what was recorded and didn't happen. */
void replay_world_end(struct replay_world *w);
/* The index of the first recorded [OUT] crossing from `from` on. */
uint32_t crossing_next_out(const struct step *s, uint32_t from);
/* A value goes out: compare it with the next recorded one. */
void crossing_compare(struct replay_world *w, const struct crossing *got);

/* ---- One frame ---- */

struct insn_note {
	uint64_t cr3, rip;
	uint8_t len, bytes[STEP_INSN_MAX];
};

/* What a frame's replay gives. */
struct frame_result {
	uint64_t frame;			/* number */
	uint64_t first_step;
	uint64_t exits, entries;	/* compared */
	uint64_t unselected;		/* run, not compared */
	uint64_t unfinished;		/* not run */
	/* selected, but not comparable: unfinished, or behind a damage or a loop */
	uint64_t skipped;
	/* every step was compared: `end` may be compared with the next `start` */
	bool complete;
	bool opened;			/* its keyframe was read: `start` holds it */
	bool looped;
	uint32_t mismatched;		/* devices, by bit */
	struct vm start, end;
	struct report report;
	char error[512];		/* the frame could not be read to its end */
};

/* A thread's replay: everything it needs, allocated once. */
struct replay_run {
	const struct trace *trace;
	const struct replay_options *options;
	bool select_all;
	struct trace_cursor *cursor;
	struct decoder *decoder;
	struct vcpu *vcpu;
	struct frame_result *result;
	enum guard_cause cause;
	unsigned returned;		/* what the core's function gave */
	bool comparing;			/* the step in hand is selected */
	bool after_first;		/* the step in hand may suffer from a device's mismatch before it */
	uint16_t last_reason[VM_MAX_CPUS];
	bool last_selected[VM_MAX_CPUS];	/* each vCPU's last exit */
	size_t note_count;
	struct insn_note *notes;	/* instruction bytes seen in this frame */
	struct guard guard;
	struct replay_world world;
};

#define REPLAY_NOTES 65536

/* NULL: out of memory. */
struct replay_run *replay_run_new(const struct trace *trace, const struct replay_options *options);
void replay_run_free(struct replay_run *run);
/* Replay frame `index` of the trace into `result`, whose report is cleared first. */
void replay_frame(struct replay_run *run, size_t index, struct frame_result *result);

/* Compare the step that the core has just handled with its record. */
void compare_step(struct replay_run *run);
/* The VM at the end of `before` against the keyframe of the frame after it; adds to before->report. */
void compare_keyframe(const struct session *session, struct frame_result *before,
		      const struct frame_result *after);
/* A divergence of the step in hand, place filled in; NULL: enough of them. */
struct divergence *diverge(struct replay_run *run, enum divergence_kind kind);

/* ---- All frames ---- */

struct replay_pool;

/* `frames`: the indexes of the frames to replay, in order. NULL: out of memory. */
struct replay_pool *replay_pool_start(const struct trace *trace, const struct replay_options *options,
				      const size_t *frames, size_t count);
/*
 * The next frame's result, in order; NULL after the last. Results stay valid until two calls later, so that
 * each can be compared with the one after it.
 */
struct frame_result *replay_pool_next(struct replay_pool *pool);
void replay_pool_stop(struct replay_pool *pool);

/*
 * The whole: damage is said on stderr. false: not enough memory. `s` is zeroed first; free s->shown with
 * report_free().
 */
bool replay_trace(const struct trace *t, const struct replay_options *options, struct summary *s);

/* ---- Words for people (explain.c) ---- */

/* The value in hex, and decoded where that helps: "0x80000030 (external interrupt 0x30)". */
void explain_slot(char *text, size_t size, unsigned slot, uint64_t value);
void explain_crossing(char *text, size_t size, const struct crossing *c);
void explain_device(char *text, size_t size, unsigned device);
const char *explain_action(bool is_entry, unsigned value);
const char *explain_gpr(unsigned reg);
const char *explain_crossing_kind(unsigned kind);
/*
 * "exit 12 (step 25), vCPU 0, CPUID of leaf 0x1 at RIP 0xffff…", "entry step 26, …", "the keyframe of frame 3
 * …".
 */
void explain_place(char *text, size_t size, const struct divergence *d);
/* Intel syntax; "" without bytes. */
void explain_instruction(char *text, size_t size, unsigned bits, uint64_t rip, const uint8_t *bytes,
			 unsigned len);

#endif
