/* tracer.h: the records of steps, made into frames, compressed and sent on COM2. */
#ifndef VMX_TRACER_H
#define VMX_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/vcpu.h"
#include "include/vm.h"
#include "trace/encode.h"
#include "trace/frame.h"

struct boot;
struct vmx;
struct ZSTD_CCtx_s;

struct tracer {
	enum trace_level level;
	bool opened;			/* the session frame went out */
	bool compressing;		/* zstd runs: a panic must not call it again */
	const struct vcpu *step;	/* whose step is in hand: a panic leaves it unfinished */
	uint64_t frame_end;		/* TSC at which the open frame is old */
	uint64_t frame_cycles;		/* how old it gets */
	uint8_t *raw, *packed, *frame_bytes;
	uint32_t raw_cap, packed_cap;
	struct ZSTD_CCtx_s *zstd;
	uint64_t zstd_level;		/* option zstd=; 0: by what a frame holds */
	uint64_t zstd_cycles, raw_bytes;/* spent on compression; compressed, session frames included */
	uint64_t zstd_before, wire_before;	/* cycles of compression and wire when the run ended, before the last frame went out */
	struct session *session;
	struct frame_header header;	/* of the frame that is being sent */
	struct encoder encoder;
};

/* Needs vm.config, the capabilities and the supported fields; sends the first session frame. */
void tracer_init(struct vmx *x, const struct boot *boot);

/* Opens a frame whose first step is `v`'s, at time v->tsc. */
void tracer_open(struct tracer *t, const struct vmx *x, const struct vcpu *v);

/* Begins the record of a step of `v` in the open frame. v->tsc is the step's time. */
static inline __attribute__((always_inline)) void tracer_begin(struct tracer *t, const struct vcpu *v,
							       enum step_kind kind)
{
	encoder_begin(&t->encoder, v, kind);
	t->step = v;
}

void tracer_close(struct tracer *t);

/* At the end of a step, after its record was appended: sends the frame if it is full or old. */
static inline __attribute__((always_inline)) void tracer_step_done(struct tracer *t, uint64_t now)
{
	t->step = NULL;
	if (__builtin_expect(encoder_full(&t->encoder) || now >= t->frame_end, 0))
		tracer_close(t);
}

/* Sends the open frame, then the closing frame. */
void tracer_finish(struct vmx *x, const struct vm_stop *stop);

/*
 * From a panic: the step in hand as unfinished, the open frame (raw if the compressor failed), the closing
 * frame.
 */
void tracer_panic(struct vmx *x);

#endif
