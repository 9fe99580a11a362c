/*
 * codec.h: an encoder that is told random steps of several vCPUs, a decoder, and a log of what the one was
 * told, to hold what the other says against. For the tests of the record codec and of what stands in a
 * trace beside records.
 */
#ifndef VEXIT_CODEC_H
#define VEXIT_CODEC_H

#include "recorder/session.h"
#include "trace/decode.h"

#define CODEC_CPUS 3
#define CODEC_STEPS 3000		/* at most, in a frame */

struct codec {
	struct encoder e;
	struct decoder d;
	struct session s;
	struct vm vm;
	struct vcpu cpu[CODEC_CPUS];
	uint8_t raw[FRAME_RAW_CAP];
	/* what happened, to compare with */
	struct {
		struct vcpu at, end;
		unsigned vcpu, action, crossings;
		enum step_kind kind;
		uint64_t handler_cycles, tsc_entry, tracer_cycles;
		uint8_t insn_len;
		uint64_t touched;
		uint8_t checks[VM_DEVICE_COUNT];
		uint8_t bytes[64];
		uint32_t bytes_len;
	} log[CODEC_STEPS];
	unsigned steps, quiet_steps;
};

/* From nothing, by the random numbers that come next: vCPUs, a VM, a session of this level. */
void codec_set_up(struct codec *f, uint8_t level);

/* A frame of random steps, in f->raw; its steps are logged. */
void codec_encode_frame(struct codec *f, struct frame_header *h);

#endif
