/*
 * The stream's own frames from hostile bytes: session, header, closing. The hash is put right first, since no fuzzer finds
 * one. What decodes must come back the same after it was encoded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "recorder/session.h"
#include "support/sample.h"
#include "trace/bytes.h"
#include "trace/frame.h"

static void try_session(const uint8_t *bytes, size_t size)
{
	static struct session first, second;
	static uint8_t out[SESSION_MAX];
	size_t n;

	if (session_read(bytes, size, &first))
		return;
	FUZZ_CHECK(first.cpu_count >= 1 && first.cpu_count <= VM_MAX_CPUS);
	FUZZ_CHECK(first.slot_count <= SESSION_SLOTS && first.vm_field_count <= SESSION_VM_FIELDS);
	for (unsigned i = 0; i < first.slot_count; i++)
		FUZZ_CHECK(first.slot_map[i] <= VMCS_SLOTS);
	n = session_encode(&first, out, sizeof(out));
	FUZZ_CHECK(n && n <= sizeof(out));
	FUZZ_CHECK(!session_decode(out, n, &second));
	n = session_pack(out, n);
	FUZZ_CHECK(n && n <= sizeof(out) && !session_read(out, n, &second));
	FUZZ_CHECK(first.id == second.id && first.frame == second.frame && first.slot_count == second.slot_count);
}

static void try_header(const uint8_t *bytes, size_t size)
{
	struct frame_header h;
	uint8_t in[HEADER_SIZE] = { 0 }, out[HEADER_SIZE];

	memcpy(in, bytes, size < sizeof(in) ? size : sizeof(in));
	if (!frame_header_decode(in, &h))
		return;
	frame_header_encode(&h, out);
	FUZZ_CHECK(frame_header_decode(out, &h));
}

static void try_closing(const uint8_t *bytes, size_t size)
{
	static struct closing c;
	static uint8_t out[CLOSING_MAX];
	size_t n;

	if (!closing_decode(bytes, size, &c))
		return;
	FUZZ_CHECK(c.missing_count <= CLOSING_MISSING);
	n = closing_encode(&c, out);
	FUZZ_CHECK(n <= sizeof(out) && closing_decode(out, n, &c));
}

static void try_all(const uint8_t *bytes, size_t size)
{
	try_session(bytes, size);
	try_header(bytes, size);
	try_closing(bytes, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy;

	try_all(bytes, size);
	if (size < 20 || size > SESSION_MAX)
		return 0;
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, bytes, size);
	put_le(copy, TRACE_MAGIC, 4);
	put_le(copy + 4, size - 8, 4);
	put_le(copy + size - 8, trace_hash(copy, size - 8), 8);
	try_all(copy, size);
	free(copy);
	return 0;
}

uint8_t *fuzz_seed(unsigned i, size_t *size)
{
	const struct sample o = { .seed = i / 4, .session = i, .frames = 1, .steps = 3 };
	struct piece piece[8];
	size_t whole, n, which;
	uint8_t *trace, *out;

	if (i >= 12)
		return NULL;
	trace = sample_trace(&o, &whole);
	n = sample_pieces(trace, whole, piece, 8);
	which = i % n;
	*size = piece[which].kind == PIECE_FRAME ? HEADER_SIZE : piece[which].size;
	out = malloc(*size);
	memcpy(out, trace + piece[which].offset, *size);
	if (piece[which].kind == PIECE_SESSION && i >= 6) {	/* half of them uncompressed: mutations reach further */
		out = realloc(out, SESSION_MAX);
		*size = session_unpack(trace + piece[which].offset, *size, out);
	}
	free(trace);
	return out;
}
