/*
 * A whole file of hostile bytes: opened both ways, every frame read, all damage told. Half of the inputs (by their last
 * byte) have their hashes put right first, so that the fuzzer gets behind them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "recorder/trace.h"
#include "support/sample.h"
#include "trace/bytes.h"

/* Put the hash of each thing that looks like a frame of ours right. */
static void put_hashes_right(uint8_t *p, size_t size)
{
	for (size_t at = 0; at + HEADER_SIZE <= size; at++) {
		uint64_t whole;

		if (get_le(p + at, 4) != TRACE_MAGIC)
			continue;
		whole = 8 + get_le(p + at + 4, 4);
		if (whole < 20 || whole > size - at)
			continue;
		if (whole == HEADER_SIZE && get_le(p + at + 8, 4) == TRACE_TAG_HEADER) {
			uint64_t packed = get_le(p + at + HEADER_SIZE - 20, 4);

			if (packed <= size - at - HEADER_SIZE)
				put_le(p + at + HEADER_SIZE - 16, trace_hash(p + at + HEADER_SIZE, packed), 8);
		}
		put_le(p + at + whole - 8, trace_hash(p + at, whole - 8), 8);
	}
}

static void read_frames(const struct trace *t)
{
	struct trace_cursor *c = trace_cursor_new(t);
	uint64_t digest, steps = 0, exits = 0;

	for (size_t i = 0; i < trace_frame_count(t); i++) {
		const struct frame_header *h = &trace_frame(t, i)->header;

		steps += h->steps;
		exits += h->exits;
		FUZZ_CHECK(!i || trace_frame(t, i - 1)->header.frame < h->frame);
		if (trace_cursor_load(c, i) || !sample_digest(trace_cursor_decoder(c), &digest))
			continue;
	}
	FUZZ_CHECK(steps == trace_step_count(t) && exits == trace_exit_count(t));
	trace_cursor_free(c);
}

static void read_trace(const uint8_t *bytes, size_t size, uint64_t trust_above)
{
	static FILE *nowhere;
	const struct trace_options options = { .trust_above = trust_above };
	char error[256] = "";
	struct trace *t = trace_open_memory("fuzz", bytes, size, &options, error, sizeof(error));

	if (!t) {
		FUZZ_CHECK(!strncmp(error, "fuzz:", 5));
		return;
	}
	read_frames(t);
	for (size_t i = 0; i < trace_damage_count(t); i++)
		FUZZ_CHECK(trace_damage(t, i)->text[0] && trace_damage(t, i)->offset <= size);
	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	FUZZ_CHECK(trace_report_damage(t, nowhere) == trace_damage_count(t));
	trace_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, size);
	if (size && bytes[size - 1] & 1)
		put_hashes_right(copy, size);
	read_trace(copy, size, UINT64_MAX);
	read_trace(copy, size, 1);
	free(copy);
	return 0;
}

uint8_t *fuzz_seed(unsigned i, size_t *size)
{
	const struct sample o = { .seed = i, .session = 5, .frames = 1 + i % 3, .steps = 4, .stored = i & 1,
				  .unfinished = i == 3, .open_end = i == 4 };

	return i < 6 ? sample_trace(&o, size) : NULL;
}
