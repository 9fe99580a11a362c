/*
 * encode.h: steps → raw bytes of a frame. Metal's side of the codec (replay's tests use it, too).
 *
 * Order of calls, for one step:
 *	encoder_begin(e, v, kind)			before anything is loaded; v->tsc is the step's time
 *	encoder_item(e, code, delta)			for each loaded slot and register that has changed
 *	encoder_loaded(e, v)				exits, before the handler; true: encoder_note_insn() may follow
 *	encoder_crossing / encoder_mem_read …		as the handler runs
 *	encoder_end_exit / encoder_end_entry		appends the record
 * At the end of a step, when encoder_full() (or a second passed, or a stop): encoder_close(), compress, send,
 * and encoder_open() before the next step. No allocation; all memory is in struct encoder.
 */
#ifndef VEXIT_ENCODE_H
#define VEXIT_ENCODE_H

#include "frame.h"
#include "step.h"
#include "value.h"

/* A frame is closed at FRAME_RAW_BOUND, a time counting as four bytes; a step adds four times at most. */
#define TIMES_MAX	(FRAME_RAW_BOUND / 4 + 8)
#define COLUMN_CAP	(FRAME_RAW_BOUND + STEP_RAW_MAX)	/* of long lists, and of their values */
#define FRAME_RAW_CAP	(FRAME_RAW_BOUND + KEYFRAME_MAX + STEP_RAW_MAX + 10 * TIMES_MAX + 4 * COLUMNS + 8)
_Static_assert(FRAME_RAW_CAP <= FRAME_RAW_MAX, "no frame is refused for its size");

#define MEMO_BITS	9
#define MEMO_ENTRIES	(1u << MEMO_BITS) /* per table */
/* What is remembered of a section; one that says more isn't. */
#define MEMO_ITEMS	14
#define MEMO_CROSSINGS	48		/* bytes of crossings */
#define MEMO_CHECKS	8

/* The entry of a memo table: both sides of the codec find it by the same two values. */
static inline unsigned memo_index(uint64_t rip, uint64_t salt)
{
	return (rip ^ salt << 48) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - MEMO_BITS);
}
#define MEMO_SALT_ENTRY 0x1000		/* an exit's salt is its basic reason */

/*
 * Whether an exit for this reason has nothing to do with where the guest was: what is remembered of it, and of
 * the vCPU's next steps, has no RIP in its key.
 */
static inline bool reason_is_asynchronous(uint64_t reason)
{
	const uint64_t set = UINT64_C(1) << REASON_EXTERNAL_INTERRUPT | UINT64_C(1) << REASON_INTERRUPT_WINDOW |
			     UINT64_C(1) << REASON_NMI_WINDOW | UINT64_C(1) << REASON_PREEMPTION_TIMER;

	return __builtin_expect(set >> (reason & 63) & 1, 0) && reason < 64;
}

static inline uint64_t memo_rip(uint64_t rip, uint64_t reason)
{
	return reason_is_asynchronous(reason & EXIT_REASON_BASIC) ? 0 : rip;
}

struct vm_rows {		/* where in vm_fields[] a device's rows are: from first up to, without, end */
	uint16_t first, end;
};
struct vm_rows vm_rows_of(unsigned device);
/* The check byte of one device of `vm` over this build's own table. */
uint8_t vm_check(const struct vm *vm, unsigned device, struct vm_rows rows);

/* A device as its check byte was last made: while it is the same, so is the byte. */
#define DEVICE_WORDS	(sizeof(struct vm_cpu) / 8)
struct device_seen {
	uint32_t offset, words;		/* where in struct vm it is */
	struct vm_rows rows;
	uint8_t check;
	uint64_t word[DEVICE_WORDS];
};

struct item {				/* a changed slot or register, before it is bytes */
	uint64_t code, delta;
};

/*
 * What was last written under a key, in this frame. The encoder compares facts, not bytes: a step like the
 * one before under its key is never turned into bytes at all.
 */
#define ECHO_REGISTERS	4
struct snapshot_echo {			/* 256 bytes */
	uint64_t time;
	uint64_t item_count;		/* ECHO_NOTHING: nothing that can be repeated */
	struct item items[MEMO_ITEMS];
	uint64_t unused[2];
};
struct effects_echo {			/* 512 bytes */
	uint64_t time;
	uint64_t notes[3];
	uint64_t insn_key, insn_cr3;	/* exits whose instruction bytes are in the frame: RIP with reason, CR3 */
	/*
	 * Most sections say little. Of an exit: that the instruction was retired, and these registers
	 * changed, in ascending order by these differences. Of an entry step: ECHO_ONLY_TIME.
	 */
	uint32_t plain;			/* set of registers, ECHO_ONLY_TIME, or ECHO_NOTHING: it says more */
	uint32_t item_count;		/* as in a snapshot's */
	uint64_t registers[ECHO_REGISTERS];
	uint64_t head;			/* action or result, and counts: see effects_head() */
	uint64_t waits[2];		/* entry steps: wake_at and deadline from the step's time, see effects_head() */
	uint64_t checks[2];		/* which devices, check bytes */
	uint8_t crossings[MEMO_CROSSINGS];
	struct item items[MEMO_ITEMS];
	uint64_t unused[14];
};
#define ECHO_NOTHING	UINT32_MAX
#define ECHO_ONLY_TIME	(1u << 31)	/* no register */
_Static_assert(sizeof(struct snapshot_echo) == 256 && sizeof(struct effects_echo) == 512,
	       "an echo is found by a shift");

struct encoder {
	uint64_t supported[VMCS_WORDS];	/* the slots this machine has: set once, before the first frame */
	/* the open frame */
	uint8_t *raw, *p;		/* its start, and where the next record goes */
	bool open;
	bool overflow;			/* a step crossed the bounds of world.h: a bug; metal panics */
	uint32_t last_vcpu;		/* of the record before */
	uint32_t same_vcpu;		/* the same; none before the first record, while no frame is open, and after an
					   asynchronous exit */
	uint32_t full_at;		/* bytes, see encoder_full(); after an overflow 0 */
	uint64_t time_count;
	uint64_t timer_cap;		/* the preemption timer's value when nothing is due */
	uint64_t last_tsc;
	struct frame_header header;	/* ranges and sets so far */
	/* counters over all frames */
	uint64_t next_step, next_seq, next_frame;
	uint64_t reasons[CLOSING_REASONS];
	uint64_t reasons_before[CLOSING_REASONS]; /* when the frame began */
	/* the step in hand */
	enum step_kind kind;
	uint64_t key_rip;		/* encoder_key() */
	uint64_t previous_wake_at, previous_deadline;
	struct effects_echo *echo;	/* of the exit in hand, once it is loaded */
	uint64_t item_count;		/* what the load found changed */
	uint32_t crossing_count, cross_size;
	uint32_t known_count, insn_len;
	uint8_t insn[STEP_INSN_MAX];
	uint8_t checks[VM_DEVICE_COUNT];/* of the devices touched, in ascending order */
	uint64_t first_checks;		/* the first eight of them */
	uint32_t check_count;
	struct item items[STEP_ITEMS + 1];
	struct item effects[STEP_ITEMS + 1];
	uint64_t difference[VALUE_PLACES];	/* put_long_list(): by place in the list */
	uint8_t cross[STEP_CROSSINGS_MAX + STEP_CROSSINGS * 24];
	struct { uint64_t gpa; uint32_t len; } known[STEP_CROSSINGS]; /* memory read or written */
	/* over steps */
	uint32_t asynchronous;		/* vCPUs whose last exit was */
	uint64_t entry_tsc[VM_MAX_CPUS];/* time of each vCPU's last entry step */
	uint64_t exit_end[VM_MAX_CPUS];	/* when the handler of its last exit in this frame was done */
	uint64_t step_end;		/* of the record before: its time and, of an exit, its handler's cycles */
	/* the frame's columns, see FORMAT.md: where the next byte goes; times become bytes when it closes */
	uint8_t *column[COLUMN_TIMES];
	uint64_t times[TIMES_MAX];
	uint64_t casts_used;		/* a bit each; of the others, all values are 0 */
	uint64_t cast[CASTS][VALUE_PLACES];
	struct device_seen seen[VM_DEVICE_COUNT];
	struct snapshot_echo snapshots[MEMO_ENTRIES];
	struct effects_echo effects_echoes[MEMO_ENTRIES];
	uint8_t columns[COLUMN_TIMES][COLUMN_CAP];
};

/*
 * Where the next loaded change goes; metal's load keeps it in a register and sets e->item_count by it at the
 * end.
 */
static inline struct item *encoder_items(struct encoder *e)
{
	return e->items + e->item_count;
}

/* Start a frame: the keyframe is the cpus' state and `vm` as they stand. `raw` holds FRAME_RAW_CAP bytes. */
void encoder_open(struct encoder *e, uint8_t *raw, uint32_t cap, const struct vcpu *cpus,
		  const struct vm *vm);

/* The vCPU's last exit, which may be the one in hand, once it is loaded. */
static inline bool last_was_asynchronous(const struct encoder *e, const struct vcpu *v)
{
	return __builtin_expect(e->asynchronous != 0, 0) && e->asynchronous >> v->index & 1;
}

/* memo_rip() of the vCPU's last step. */
static inline uint64_t encoder_key(const struct encoder *e, const struct vcpu *v)
{
	return last_was_asynchronous(e, v) ? 0 : v->vmcs[VMCS_GUEST_RIP];
}

static inline void encoder_begin(struct encoder *e, const struct vcpu *v, enum step_kind kind)
{
	e->kind = kind;
	e->key_rip = encoder_key(e, v);
	if (__builtin_expect(e->asynchronous != 0, 0) && kind == STEP_EXIT)
		e->asynchronous &= ~(1u << v->index);
	if (kind == STEP_ENTRY) {
		e->previous_wake_at = v->wake_at;
		e->previous_deadline = v->deadline;
	}
	e->item_count = 0;	/* what the others count, a step that has any leaves at 0 */
}

/*
 * v->vmcs[slot] or v->gpr[] went from `before` to `after` outside a handler (the load). Metal calls it only
 * if they differ (level touched: for each slot loaded).
 */
static inline void encoder_item(struct encoder *e, unsigned code, uint64_t before, uint64_t after)
{
	e->items[e->item_count++] = (struct item){ code, after - before };
}

/* A crossing that isn't a guest memory read. size ≤ 8: `bytes` may be NULL and `value` counts. */
void encoder_crossing(struct encoder *e, enum crossing_kind kind, uint64_t addr, uint32_t size, uint64_t value,
		      const void *bytes);
/* MEM_READ: records those of the bytes that this step hasn't read or written yet. */
void encoder_mem_read(struct encoder *e, uint64_t gpa, const void *bytes, uint32_t len);
/* MEM_WRITE, and remembers that these bytes are known. */
void encoder_mem_write(struct encoder *e, uint64_t gpa, const void *bytes, uint32_t len);

/*
 * The rest of a step's calls; those that most steps need are inline, in encode_step.h.
 *
 * bool encoder_loaded(e, v)
 *	Exits: after the load, before the handler. Whether (CR3, RIP) is new in the frame, so that the tracer
 *	should fetch the instruction and tell it by encoder_note_insn(). Not where the guest was by chance.
 * bool encoder_end_exit(e, v, vm, action, tsc_entry, handler_cycles, tracer_cycles)
 * bool encoder_end_entry(e, v, vm)
 *	Append the record. Effects are v's dirty slots and registers; check bytes, those of vm->touched, which
 *	is cleared. Notes: tsc_entry is the TSC just before the VM entry that this exit ended; cycles from the exit
 *	to its handler's end, and the tracer's since the vCPU's exit before. True: the usual step, and of the VMCS
 *	and CR2 it has changed RIP alone (exits) or nothing.
 */
/* len 0: it can't be fetched. */
void encoder_note_insn(struct encoder *e, const uint8_t *bytes, unsigned len);

/* The step in hand is written as it is, without effects. */
void encoder_end_unfinished(struct encoder *e, struct vcpu *v);

static inline bool encoder_full(const struct encoder *e)
{
	return (uint64_t)(e->p - e->raw) + 4 * e->time_count >= e->full_at;
}

/* The frame is whole: fills the header but for packed_size and packed_hash. Without records, gives false. */
bool encoder_close(struct encoder *e, uint64_t session, struct frame_header *out);

#include "encode_step.h"

#endif
