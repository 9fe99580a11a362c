/*
 * The decoder on hostile raw bytes: `u8 level, u16 steps, u16 exits, raw frame`. Whatever it reads, it reads the same twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "fuzz/fuzz.h"
#include "recorder/session.h"
#include "support/sample.h"
#include "trace/bytes.h"
#include "trace/decode.h"

#define HEAD 5

/* The session that all inputs are read by. */
static const struct session *the_session(void)
{
	static struct session s;
	const struct sample o = { .frames = 1, .steps = 1 };
	size_t size;
	uint8_t *trace;

	if (s.cpu_count)
		return &s;
	trace = sample_trace(&o, &size);
	if (session_read(trace, 8 + get_le(trace + 4, 4), &s))
		abort();
	free(trace);
	return &s;
}

static bool decode(const uint8_t *bytes, size_t size, uint64_t *digest)
{
	static struct decoder d;
	struct frame_header h = { .steps = (uint32_t)get_le(bytes + 1, 2), .exits = (uint32_t)get_le(bytes + 3, 2) };
	struct session s = *the_session();
	bool good;

	s.level = bytes[0] & 1 ? TRACE_FULL : TRACE_TOUCHED;
	*digest = 0;
	good = !decoder_open(&d, &s, &h, bytes + HEAD, size - HEAD) && sample_digest(&d, digest);
	if (!good)
		FUZZ_CHECK(d.error && d.error[0]);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint64_t first, second;

	if (size < HEAD)
		return 0;
	FUZZ_CHECK(decode(bytes, size, &first) == decode(bytes, size, &second));
	FUZZ_CHECK(first == second);
	return 0;
}

uint8_t *fuzz_seed(unsigned i, size_t *size)
{
	const struct sample o = { .seed = i, .frames = 1, .steps = 2 + 8 * i, .unfinished = i & 1 };
	struct piece piece[8];
	struct frame_header h;
	size_t whole;
	uint8_t *trace, *out;

	if (i >= 8)
		return NULL;
	trace = sample_trace(&o, &whole);
	if (sample_pieces(trace, whole, piece, 8) < 2 || !frame_header_decode(trace + piece[1].offset, &h))
		abort();
	*size = HEAD + h.raw_size;
	out = malloc(*size);
	put_le(out, 1, 1);
	put_le(out + 1, h.steps, 2);
	put_le(out + 3, h.exits, 2);
	if (ZSTD_decompress(out + HEAD, h.raw_size, trace + piece[1].offset + HEADER_SIZE, h.packed_size) != h.raw_size)
		abort();
	free(trace);
	return out;
}
