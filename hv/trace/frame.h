/*
 * frame.h: the stream's own frames: session, header, closing. traces/FORMAT.md is normative.
 *
 * Each is a zstd skippable frame: magic, size, payload; the payload ends with the XXH64 of all bytes of the
 * frame before it. Written by metal (and slice, repair), read by recorder/reader. No files, no zstd here.
 */
#ifndef VEXIT_FRAME_H
#define VEXIT_FRAME_H

#include <stddef.h>
#include "vm.h"

#define TRACE_MAGIC		0x184d2a5bu	/* a zstd skippable frame's magic */
#define TRACE_VERSION		3
#define TRACE_TAG_SESSION	0x31535856u	/* "VXS1" */
#define TRACE_TAG_HEADER	0x31485856u	/* "VXH1" */
#define TRACE_TAG_CLOSING	0x31435856u	/* "VXC1" */

#define FRAME_RAW_MAX		(1u << 20)	/* larger raw frames are refused */
#define FRAME_RAW_BOUND		(128u << 10)	/* the encoder asks to close a frame at this size */
#define STEP_RAW_MAX		(32u << 10)	/* no record is larger */
#define KEYFRAME_MAX		(64u << 10)	/* no keyframe is larger */
#define SESSION_EVERY		64		/* compressed frames between two session frames */
#define SESSION_MAX		(64u << 10)	/* bytes of a session frame, at most */

enum trace_level { TRACE_OFF = 0, TRACE_TOUCHED = 1, TRACE_FULL = 2 };

/* ---- Header: stands before each compressed frame ---- */
#define HEADER_SIZE		120		/* whole skippable frame, bytes */
#define HEADER_UNFINISHED	(1u << 0)	/* the last record is unfinished */

struct frame_header {
	uint32_t flags;
	uint32_t steps;		/* records in the frame */
	uint64_t session;
	uint64_t frame;		/* number, from 0 */
	uint64_t first_step;
	uint64_t first_seq;
	uint32_t exits;		/* exits among the records */
	uint32_t vcpus;		/* bit per vCPU with a record in the frame */
	uint64_t reasons[2];	/* bit per basic exit reason */
	uint64_t first_tsc, last_tsc;
	uint32_t raw_size, packed_size;
	uint64_t packed_hash;	/* XXH64 of the compressed frame's bytes */
};

/* Bytes ⇄ struct. decode checks tag, size and hash: false means that these bytes are no header. */
void frame_header_encode(const struct frame_header *h, uint8_t out[HEADER_SIZE]);
bool frame_header_decode(const uint8_t in[HEADER_SIZE], struct frame_header *h);

/* ---- Closing frame ---- */
#define CLOSING_REASONS		128
#define CLOSING_MISSING		256		/* ranges that `verify --repair` can list */
#define CLOSING_MAX		(96 + 16 * CLOSING_REASONS + 32 * CLOSING_MISSING + 8)

struct closing_missing {
	uint64_t first_step, steps;		/* what is not in the file; `steps` may be 0: unknown */
	uint64_t first_seq, exits;
};

struct closing {
	uint64_t session;
	uint64_t frames, steps, exits;		/* totals of this trace */
	uint64_t last_tsc;
	struct vm_stop stop;			/* how the run ended */
	uint64_t dropped;			/* steps the hypervisor dropped (--ring) */
	uint64_t reasons[CLOSING_REASONS];	/* exits by basic reason */
	uint32_t missing_count;
	struct closing_missing missing[CLOSING_MISSING];
};

/* Gives the bytes written, at most CLOSING_MAX. */
size_t closing_encode(const struct closing *c, uint8_t *out);
/* `size` bytes of a whole skippable frame. */
bool closing_decode(const uint8_t *in, size_t size, struct closing *c);

/* ---- Session frame ---- */
#define SESSION_TEXT		256
#define SESSION_CMDLINE		1024
#define SESSION_CAPS		32
#define SESSION_VM_FIELDS	256
#define SESSION_ENTRIES		48		/* where the entries begin in a session frame */
#define SESSION_TAIL		8		/* its hash, behind them */
#define SESSION_ENTRIES_MAX	(SESSION_MAX - SESSION_ENTRIES - SESSION_TAIL)
#define SESSION_SLOTS		0xe0		/* codes of items that aren't registers: see step.h */

struct session_cap {
	uint32_t msr;
	uint64_t value;
};

struct session_vm_field {			/* a row of the trace's own table of struct vm */
	char name[40];
	uint8_t size, device;
	uint16_t count;
	int32_t local;				/* row of vm_fields[] that it fills, or -1: dropped (decoder sets it) */
};

struct session_slice {				/* what `vexit slice` cut: inclusive ranges; last_step 0 and first_step 1: none */
	uint64_t first_step, last_step, first_seq, last_seq;
};

struct session {
	uint32_t version;
	uint64_t id;
	uint64_t frame;				/* number of the frame that follows */
	uint32_t cpu_count;
	uint8_t level;				/* enum trace_level */
	uint8_t sliced;
	char machine[SESSION_TEXT];		/* CPUID's brand and hypervisor strings */
	char build[SESSION_TEXT];
	char guest[SESSION_TEXT];		/* the guest's file name */
	char cmdline[SESSION_CMDLINE];		/* the guest's command line */
	struct session_slice slice;
	unsigned cap_count;
	struct session_cap caps[SESSION_CAPS];
	/* Field dictionary: the trace's slot i is our slot slot_map[i] (VMCS_SLOTS: we lack it, dropped). */
	unsigned slot_count;
	uint16_t slot_encoding[SESSION_SLOTS];
	uint8_t slot_flags[SESSION_SLOTS];	/* enum vmcs_change, and SLOT_SUPPORTED */
	uint16_t slot_map[SESSION_SLOTS];
	/* Table of struct vm */
	unsigned vm_field_count;
	struct session_vm_field vm_fields[SESSION_VM_FIELDS];
	struct vm_config config;
};
#define SLOT_SUPPORTED 0x80			/* the machine has this field */

/*
 * Put this build's own dictionary and table into `s`, for a trace recorded by it. `supported`: a bit per
 * slot.
 */
void session_describe_build(struct session *s, const uint64_t supported[VMCS_WORDS]);
/* Bytes of the whole frame, at most SESSION_MAX, its entries uncompressed; 0: `cap` is too small. */
size_t session_encode(const struct session *s, uint8_t *out, size_t cap);
/*
 * NULL, or what is wrong with these bytes ("a session frame with a wrong checksum", …). Fills slot_map and
 * vm_fields[].local, which say where this build keeps what the trace has. Its entries must be uncompressed:
 * recorder/session.h takes both.
 */
const char *session_decode(const uint8_t *in, size_t size, struct session *s);
/*
 * Whether these bytes are a whole session frame of this format, whatever its entries say: NULL, or what is
 * wrong.
 */
const char *session_check(const uint8_t *in, size_t size);
/*
 * Of a whole session frame: how many bytes its entries are when they are decompressed; 0: they aren't
 * compressed.
 */
uint32_t session_unpacked_size(const uint8_t *in);
/*
 * The entries of the session frame at `frame` were replaced by `size` bytes that say the same, compressed
 * (`unpacked` as session_unpacked_size() gives it) or not (0): its head and hash are put right. Gives the
 * bytes of the whole frame.
 */
size_t session_finish(uint8_t *frame, size_t size, uint32_t unpacked);

/* XXH64, seed 0. */
uint64_t trace_hash(const void *bytes, size_t size);

#endif
