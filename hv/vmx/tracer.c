/*
 * tracer.c: frames out of the encoder's records: keyframe, compression, header, wire.
 *
 * Called by run.c at both ends of a step, and by the panic report. The core knows nothing of it.
 * traces/FORMAT.md, "The stream's own frames", has the bytes.
 */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "boot/boot.h"
#include "boot/log.h"
#include "boot/memory.h"
#include "boot/panic.h"
#include "boot/serial.h"
#include "boot/x86.h"
#include "lib/string.h"
#include "vmx/session.h"
#include "vmx/tracer.h"
#include "vmx/vmx.h"

/*
 * How hard zstd looks. A frame of many bytes a step is one of steps that say something new: a thorough look
 * finds more in it, and what it costs is little beside handling such steps. In a loop's frame there is less
 * to find.
 */
#define LEVEL_FAST	1
#define LEVEL_THOROUGH	3
#define THOROUGH_BYTES	12	/* raw bytes a step */
/*
 * One step more than the encoder asks for: an entry step that is followed by its exit leaves the look at the
 * bound to it.
 */
#define RAW_CAP		(FRAME_RAW_CAP + STEP_RAW_MAX)
_Static_assert(RAW_CAP <= FRAME_RAW_MAX, "no frame is refused for its size");
_Static_assert(VM_MAX_CPUS * (VMCS_SLOTS + GPR_COUNT + 8) * 10 + 2 * sizeof(struct vm) < KEYFRAME_MAX,
	       "a keyframe fits");

/* A zstd frame of raw blocks adds a header of 10 bytes, 3 a block, 4 of checksum. */
#define BLOCK_MAX	(128u << 10)
#define RAW_FRAME_EXTRA	(10 + 3 * (RAW_CAP / BLOCK_MAX + 1) + 4)

static void zstd_init(struct tracer *t)
{
	size_t size = ZSTD_estimateCCtxSize(t->zstd_level ? (int)t->zstd_level : LEVEL_THOROUGH);

	t->zstd = ZSTD_initStaticCCtx(memory_allocate(size, 64, "zstd's workspace"), size);
	if (!t->zstd)
		panic("zstd refuses a workspace of %zu bytes", size);
	ZSTD_CCtx_setParameter(t->zstd, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setParameter(t->zstd, ZSTD_c_contentSizeFlag, 1);
}

/* ---- Compression ---- */

/*
 * zstd uses SSE registers, and what is in them is the guest's (switch.c). It uses no others, and SSE
 * instructions leave the upper halves of AVX registers alone.
 */
static size_t compress(struct tracer *t, int level, const uint8_t *raw, size_t raw_size)
{
	static uint8_t guest_state[512] __attribute__((aligned(16)));
	uint64_t start = x86_rdtsc();
	size_t size;

	__asm__ volatile("fxsave64 %0" : "=m"(guest_state));
	t->compressing = true;
	ZSTD_CCtx_setParameter(t->zstd, ZSTD_c_compressionLevel, t->zstd_level ? (int)t->zstd_level : level);
	size = ZSTD_compress2(t->zstd, t->packed, t->packed_cap, raw, raw_size);
	if (ZSTD_isError(size))
		panic("zstd: %s", ZSTD_getErrorName(size));
	t->compressing = false;
	__asm__ volatile("fxrstor64 %0" : : "m"(guest_state));
	t->zstd_cycles += x86_rdtsc() - start;
	t->raw_bytes += raw_size;
	return size;
}

static uint8_t *put_bytes(uint8_t *p, uint64_t value, unsigned size)
{
	while (size--) {
		*p++ = (uint8_t)value;
		value >>= 8;
	}
	return p;
}

/* A valid zstd frame without the compressor (RFC 8878, "Zstandard Frames"): single segment, raw blocks. */
static size_t store(struct tracer *t, size_t raw_size)
{
	uint8_t *p = t->packed;
	size_t at = 0;

	p = put_bytes(p, ZSTD_MAGICNUMBER, 4);
	p = put_bytes(p, 2u << 6 | 1u << 5 | 1u << 2, 1);	/* content size of 4 bytes, single segment, checksum */
	p = put_bytes(p, raw_size, 4);
	do {
		size_t n = raw_size - at < BLOCK_MAX ? raw_size - at : BLOCK_MAX;
		bool last = at + n == raw_size;

		p = put_bytes(p, n << 3 | last, 3);
		memcpy(p, t->raw + at, n);
		p += n;
		at += n;
	} while (at < raw_size);
	p = put_bytes(p, trace_hash(t->raw, raw_size), 4);
	return p - t->packed;
}

/* ---- Sending ---- */

/* `frame`: the number of the frame that follows. Its entries go out as one zstd frame. */
static void send_session(struct tracer *t, uint64_t frame)
{
	size_t size, packed;

	t->session->frame = frame;
	size = session_encode(t->session, t->frame_bytes, SESSION_MAX);
	if (!size)
		panic("the session frame is larger than %u bytes", SESSION_MAX);
	size -= SESSION_ENTRIES + SESSION_TAIL;
	packed = compress(t, LEVEL_THOROUGH, t->frame_bytes + SESSION_ENTRIES, size);
	if (packed < size) {
		memcpy(t->frame_bytes + SESSION_ENTRIES, t->packed, packed);
		size = session_finish(t->frame_bytes, packed, (uint32_t)size);
	} else {
		size = session_finish(t->frame_bytes, size, 0);
	}
	serial_write(&serial_trace, t->frame_bytes, size);
}

static void send_packed(struct tracer *t)
{
	uint8_t bytes[HEADER_SIZE];

	t->header.packed_hash = trace_hash(t->packed, t->header.packed_size);
	frame_header_encode(&t->header, bytes);
	serial_write(&serial_trace, bytes, sizeof(bytes));
	serial_write(&serial_trace, t->packed, t->header.packed_size);
}

void tracer_init(struct vmx *x, const struct boot *boot)
{
	struct tracer *t = &x->tracer;

	if (!serial_trace.present)
		log_host_error("no UART at %#x (COM2) for the trace stream", serial_trace.port);
	for (unsigned i = 0; i < VMCS_WORDS; i++)
		t->encoder.supported[i] = x->supported[i];
	t->raw_cap = RAW_CAP;
	t->raw = memory_allocate(RAW_CAP, 4096, "a raw frame");
	t->packed_cap = ZSTD_COMPRESSBOUND(RAW_CAP) + RAW_FRAME_EXTRA;
	t->packed = memory_allocate(t->packed_cap, 4096, "a compressed frame");
	t->frame_bytes = memory_allocate(SESSION_MAX, 4096, "a session frame");
	t->zstd_level = boot->options.zstd;
	t->session = memory_allocate(sizeof(*t->session), 64, "the session's description");
	t->frame_cycles = x->vm.config.tsc_khz * 1000;
	zstd_init(t);
	session_describe(x, boot, t->session);
	send_session(t, 0);
	t->zstd_cycles = serial_trace.cycles = 0;	/* the run's own are told */
	t->opened = true;
}

void tracer_open(struct tracer *t, const struct vmx *x, const struct vcpu *v)
{
	encoder_open(&t->encoder, t->raw, t->raw_cap, x->vcpu, &x->vm);
	t->frame_end = v->tsc + t->frame_cycles;
}

static void send_frame(struct tracer *t)
{
	int level;

	if (!encoder_close(&t->encoder, t->session->id, &t->header))
		return;
	if (t->header.frame && t->header.frame % SESSION_EVERY == 0)
		send_session(t, t->header.frame);
	level = t->header.raw_size / t->header.steps >= THOROUGH_BYTES ? LEVEL_THOROUGH : LEVEL_FAST;
	t->header.packed_size = compress(t, level, t->raw, t->header.raw_size);
	send_packed(t);
}

void tracer_close(struct tracer *t)
{
	if (t->encoder.overflow)
		panic("a step crossed the bounds of world.h");
	send_frame(t);
}

void tracer_finish(struct vmx *x, const struct vm_stop *stop)
{
	struct tracer *t = &x->tracer;
	static struct closing closing;
	static uint8_t bytes[CLOSING_MAX];

	t->zstd_before = t->zstd_cycles;
	t->wire_before = serial_trace.cycles;
	if (t->level != TRACE_OFF)
		send_frame(t);
	closing = (struct closing){
		.session = t->session->id,
		.frames = t->encoder.next_frame,
		.steps = t->encoder.next_step,
		.exits = t->encoder.next_seq,
		.last_tsc = t->encoder.last_tsc,
		.stop = *stop,
	};
	/* Totals of what the stream holds: nothing, if nobody traced. */
	if (t->level != TRACE_OFF)
		memcpy(closing.reasons, t->encoder.reasons, sizeof(closing.reasons));
	serial_write(&serial_trace, bytes, closing_encode(&closing, bytes));
}

void tracer_panic(struct vmx *x)
{
	struct tracer *t = &x->tracer;
	const struct vm_stop stop = { .kind = STOP_PANIC };

	if (!t->opened)
		return;
	if (t->compressing) {		/* the panic is zstd's: the frame in its hands goes out as it is */
		t->header.packed_size = store(t, t->header.raw_size);
		send_packed(t);
	}
	if (t->level != TRACE_OFF && t->encoder.open && t->step)
		encoder_end_unfinished(&t->encoder, (struct vcpu *)t->step);
	tracer_finish(x, &stop);
}
