/*
 * decode.h: raw bytes of a frame → steps. Treats every byte as hostile: an error, never a wrong access.
 *
 * decoder_open() reads the keyframe; decoder_next() gives one step after another, with the vCPU in d->cpu[]
 * as the handler got it. Replay runs the handler on that very struct vcpu; the next decoder_next() (or
 * decoder_finish()) first puts the recorded end state in place, whatever was done to it.
 */
#ifndef VEXIT_DECODE_H
#define VEXIT_DECODE_H

#include "encode.h"

/*
 * What was last put under a key, in this frame: differences, which are added again where a section is
 * absent.
 */
struct memo_items {
	uint32_t generation;		/* of other frames: no section, and zeros */
	uint8_t known;			/* a section was there, and could be remembered; see EFFECTS_OF() */
	uint8_t count;
	uint8_t code[MEMO_ITEMS];
	uint64_t time;			/* of the last record of this key, from the end of the record before it */
	uint64_t difference[MEMO_ITEMS];
};

struct memo_effects {
	struct memo_items items;
	uint64_t notes[3];		/* of exits */
	uint64_t waits[2];		/* of entry steps: wake_at and deadline from the step's time */
	uint8_t result;
	uint8_t crossing_count, cross_size, check_count;
	uint8_t cross[MEMO_CROSSINGS];
	struct device_check checks[MEMO_CHECKS];
};

struct decoder {
	const struct session *session;
	const uint8_t *raw, *p, *end;	/* `end`: of the records */
	struct reader columns[COLUMNS];	/* what is left of each */
	uint32_t steps_left;
	uint64_t next_step, next_seq;
	uint64_t last_seq[VM_MAX_CPUS];	/* each vCPU's last exit in this frame, SEQ_NONE before */
	uint32_t last_vcpu;
	uint64_t entry_tsc[VM_MAX_CPUS];
	uint64_t exit_end[VM_MAX_CPUS];	/* when the handler of the vCPU's last exit was done; before one, entry_tsc */
	uint64_t step_end;		/* of the step before: its time and, of an exit, its handler's cycles */
	bool pending;			/* step.effects aren't in place yet */
	uint32_t exits_left;
	uint64_t supported[VMCS_WORDS];	/* this build's slots that the trace has */
	struct vcpu cpu[VM_MAX_CPUS];
	uint64_t changed[VMCS_WORDS];	/* slots that the load of this step changed */
	uint32_t gpr_changed;
	struct vm vm;			/* the keyframe's struct vm: rows that this build lacks are dropped, those that the trace lacks are reset */
	struct step step;
	const char *error;		/* what is wrong, at byte `error_at` of the raw frame */
	uint32_t error_at;
	struct memo_items snapshots[MEMO_ENTRIES];
	struct memo_effects effects[MEMO_ENTRIES];
	uint64_t casts_used;		/* a bit each; of the others, all values are 0 */
	uint64_t cast[CASTS][VALUE_PLACES];
	uint32_t generation;
};

/*
 * 0, or -1 with d->error. `h` gives the numbers of the first step and exit. `raw` must outlive the
 * decoder's use. `d` is zeroed by the caller once, before its first use, and can be opened again and again.
 */
int decoder_open(struct decoder *d, const struct session *s, const struct frame_header *h, const uint8_t *raw, size_t size);

/* 1: d->step is the next step. 0: the frame has ended, as it should. -1: d->error. */
int decoder_next(struct decoder *d);

/* Put the recorded end state of d->step in place. decoder_next() does it by itself. */
void decoder_finish(struct decoder *d);

/*
 * The check byte of a device of `vm` over the trace's own table. false: this build lacks a row of it that
 * the trace has, so that there is nothing to compare.
 */
bool session_vm_check(const struct session *s, const struct vm *vm, unsigned device, uint8_t *check);

/*
 * The value that a slot or register is expected to have after the step: recorded, or predicted from the
 * action.
 */
uint64_t decoder_expected(const struct decoder *d, unsigned code);

#endif
