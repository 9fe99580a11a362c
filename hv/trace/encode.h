/*
 * encode.h: steps → raw bytes of a frame. Metal's side of the codec (replay's tests use it, too).
 *
 * Order of calls, for one step:
 *	encoder_begin(e, v, kind)			before anything is loaded; v->tsc is the step's time
 *	encoder_item(e, code, delta)			for each loaded slot and register that isn't what it was
 *	encoder_crossing / encoder_mem_read …		as the handler runs
 *	encoder_note_insn()				optional, when encoder_wants_insn()
 *	encoder_end_exit / encoder_end_entry		appends the record
 * At the end of a step, when encoder_full() (or a second passed, or a stop): encoder_close(), compress, send,
 * and encoder_open() before the next step. No allocation; all memory is in struct encoder.
 */
#ifndef VEXIT_ENCODE_H
#define VEXIT_ENCODE_H

#include "frame.h"
#include "step.h"

#define MEMO_BITS	9
#define MEMO_ENTRIES	(1u << MEMO_BITS) /* per section */
#define MEMO_BYTES	48		/* longer sections aren't remembered */
#define SEEN_ENTRIES	1024
enum memo_section { MEMO_SNAPSHOT, MEMO_EFFECTS, MEMO_NOTES, MEMO_SECTIONS };

struct memo {				/* the last section that was written under a key, in this frame */
	uint32_t generation;		/* entries of other frames are empty */
	uint32_t size;			/* 0: the last one was too long */
	uint64_t time;			/* of the record whose section this is, from the record before it */
	uint8_t bytes[MEMO_BYTES + 8];
};

/* The entry of a section: both sides of the codec find it by the same two values. */
static inline unsigned memo_index(uint64_t rip, uint64_t salt)
{
	return (rip ^ salt << 48) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - MEMO_BITS);
}
#define MEMO_SALT_ENTRY 0x1000		/* an exit's salt is its basic reason */

/* A memo as it is in this frame: empty and without a time, if nothing was put there yet. Both sides look at memos only so. */
static inline struct memo *memo_in_frame(struct memo *m, uint32_t generation)
{
	if (m->generation != generation) {
		m->generation = generation;
		m->size = 0;
		m->time = 0;
	}
	return m;
}

struct encoder {
	uint64_t supported[VMCS_WORDS];	/* the slots this machine has: set once, before the first frame */
	/* the open frame */
	uint8_t *raw;
	uint32_t raw_size, raw_cap;
	bool open;
	uint32_t generation;
	struct frame_header header;	/* ranges, counts, sets so far */
	uint32_t last_vcpu;
	uint64_t last_tsc;
	/* counters over all frames */
	uint64_t next_step, next_seq, next_frame;
	uint64_t reasons[CLOSING_REASONS];
	/* the step in hand */
	enum step_kind kind;
	uint64_t key_rip;		/* RIP at the end of the vCPU's last step */
	uint64_t time;			/* from the record before */
	uint64_t previous_wake_at, previous_deadline;
	uint32_t crossing_count;
	uint32_t snap_size, cross_size;
	uint8_t snap[ITEM_END * 12 + 64];
	uint8_t cross[STEP_CROSSINGS_MAX + STEP_CROSSINGS * 24];
	uint8_t section[STEP_CROSSINGS_MAX + STEP_CROSSINGS * 24 + ITEM_END * 12 + 256];
	struct { uint64_t gpa; uint32_t len; } known[STEP_CROSSINGS]; /* guest memory read or written in this step */
	uint32_t known_count;
	bool overflow;			/* a step crossed the bounds of world.h: a bug in the core; metal panics */
	uint8_t insn_len, insn[STEP_INSN_MAX];
	uint64_t entry_tsc[VM_MAX_CPUS];/* time of each vCPU's last entry step */
	struct { uint64_t rip, cr3, generation; } seen[SEEN_ENTRIES]; /* whose instruction is in the frame */
	struct memo memo[MEMO_SECTIONS][MEMO_ENTRIES];
};

/* Start a frame: the keyframe is the cpus' state and `vm` as they stand. `raw` holds at least FRAME_RAW_BOUND + KEYFRAME_MAX + STEP_RAW_MAX bytes. */
void encoder_open(struct encoder *e, uint8_t *raw, uint32_t cap, const struct vcpu *cpus, const struct vm *vm);

void encoder_begin(struct encoder *e, const struct vcpu *v, enum step_kind kind);

/* v->vmcs[slot] or v->gpr[] went from `before` to `after` outside a handler (the load). Metal calls it only if they differ (level touched: for each slot loaded). */
static inline void encoder_item(struct encoder *e, unsigned code, uint64_t before, uint64_t after)
{
	uint64_t delta = after - before, z = delta << 1 ^ (uint64_t)((int64_t)delta >> 63);
	uint8_t *p = e->snap + e->snap_size;

	*p++ = (uint8_t)code;
	for (; z >= 0x80; z >>= 7)
		*p++ = (uint8_t)(z | 0x80);
	*p++ = (uint8_t)z;
	e->snap_size = (uint32_t)(p - e->snap);
}

/* A crossing that isn't a guest memory read. size ≤ 8: `bytes` may be NULL and `value` counts. */
void encoder_crossing(struct encoder *e, enum crossing_kind kind, uint64_t addr, uint32_t size, uint64_t value, const void *bytes);
/* MEM_READ: records those of the bytes that this step hasn't read or written yet. */
void encoder_mem_read(struct encoder *e, uint64_t gpa, const void *bytes, uint32_t len);
/* MEM_WRITE, and remembers that these bytes are known. */
void encoder_mem_write(struct encoder *e, uint64_t gpa, const void *bytes, uint32_t len);

/* Whether (CR3, RIP) of this exit is new in the frame, so that the tracer should fetch the instruction. After the load. */
bool encoder_wants_insn(const struct encoder *e, const struct vcpu *v);
/* len 0: they can't be fetched; it isn't asked again in this frame. */
void encoder_note_insn(struct encoder *e, const struct vcpu *v, const uint8_t *bytes, unsigned len);

/*
 * Append the record. Effects are v's dirty slots and registers; check bytes, those of vm->touched, which is cleared.
 * Notes: tsc_entry is the TSC just before the VM entry that this exit ended; cycles as DESIGN has them. `unfinished`:
 * the step in hand is written as it is, without effects.
 */
void encoder_end_exit(struct encoder *e, struct vcpu *v, struct vm *vm, enum exit_action action,
		      uint64_t tsc_entry, uint64_t handler_cycles, uint64_t tracer_cycles);
void encoder_end_entry(struct encoder *e, struct vcpu *v, struct vm *vm);
void encoder_end_unfinished(struct encoder *e, struct vcpu *v);

static inline bool encoder_full(const struct encoder *e)
{
	return e->raw_size >= FRAME_RAW_BOUND;
}

/* The frame is whole: fills the header but for packed_size and packed_hash. Without records, gives false: write nothing. */
bool encoder_close(struct encoder *e, uint64_t session, struct frame_header *out);

/* The check byte of one device of `vm` over this build's own table. */
uint8_t vm_check(const struct vm *vm, unsigned device);

#endif
