/*
 * header.c: a frame header as a hostile guest would forge it: right magic, tag, size and checksum
 * (traces/FORMAT.md), so that all a reader has against it is the session id, which a guest can't know, and
 * the place.
 */
#include "crash.h"

#define HEADER_BYTES   120
#define SKIPPABLE      0x184d2a5bu
#define TAG_HEADER     0x31485856u /* "VXH1" */
#define SKIPPABLE_HEAD 8           /* magic and size */
#define HASH_BYTES     8

#define PRIME1 0x9e3779b185ebca87
#define PRIME2 0xc2b2ae3d27d4eb4f
#define PRIME3 0x165667b19e3779f9
#define PRIME4 0x85ebca77c2b2ae63
#define PRIME5 0x27d4eb2f165667c5

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static uint64_t hash_round(uint64_t accumulator, uint64_t lane)
{
	return rotate(accumulator + lane * PRIME2, 31) * PRIME1;
}

/* XXH64, seed 0, of a multiple of 8 bytes, at least 32 (the specification's steps 1 to 6) */
static uint64_t xxh64(const uint8_t *bytes, size_t size)
{
	const uint64_t *lane = (const uint64_t *)bytes, *end = (const uint64_t *)(bytes + size);
	uint64_t a[4] = { PRIME1 + PRIME2, PRIME2, 0, -(uint64_t)PRIME1 };
	uint64_t hash;

	for (; end - lane >= 4; lane += 4) {
		for (unsigned i = 0; i < 4; i++)
			a[i] = hash_round(a[i], lane[i]);
	}
	hash = rotate(a[0], 1) + rotate(a[1], 7) + rotate(a[2], 12) + rotate(a[3], 18);
	for (unsigned i = 0; i < 4; i++)
		hash = (hash ^ hash_round(0, a[i])) * PRIME1 + PRIME4;
	hash += size;
	for (; lane < end; lane++)
		hash = rotate(hash ^ hash_round(0, *lane), 27) * PRIME1 + PRIME4;
	hash = (hash ^ hash >> 33) * PRIME2;
	hash = (hash ^ hash >> 29) * PRIME3;
	return hash ^ hash >> 32;
}

static uint8_t *put(uint8_t *at, uint64_t value, size_t bytes)
{
	memcpy(at, &value, bytes);
	return at + bytes;
}

static void forge(uint8_t header[HEADER_BYTES], uint64_t session)
{
	uint8_t *p = header;

	p = put(p, SKIPPABLE, 4);
	p = put(p, HEADER_BYTES - SKIPPABLE_HEAD, 4);
	p = put(p, TAG_HEADER, 4);
	p = put(p, 0, 4);          /* flags */
	p = put(p, session, 8);
	p = put(p, 1, 8);          /* frame number */
	p = put(p, 10, 8);         /* first step */
	p = put(p, 5, 8);          /* first exit */
	p = put(p, 2, 4);          /* steps */
	p = put(p, 1, 4);          /* exits */
	p = put(p, 1, 4);          /* vCPUs */
	p = put(p, 0, 4);
	p = put(p, 1u << 30, 8);   /* reasons: I/O instruction */
	p = put(p, 0, 8);
	p = put(p, 1000000, 8);    /* first and last TSC */
	p = put(p, 2000000, 8);
	p = put(p, 4096, 4);       /* raw and compressed size */
	p = put(p, 512, 4);
	p = put(p, 0x0123456789abcdef, 8);
	put(p, xxh64(header, HEADER_BYTES - HASH_BYTES), HASH_BYTES);
}

void crash_print_header(uint64_t session)
{
	static uint8_t header[HEADER_BYTES] __attribute__((aligned(8)));

	forge(header, session);
	if (under_vexit) {
		console_write(CONSOLE_HYPERCALL, (const char *)header, sizeof(header));
		console_write(CONSOLE_MMIO, (const char *)header, sizeof(header));
	}
	console_write(CONSOLE_OUT, (const char *)header, sizeof(header));
	console_write(CONSOLE_REP_OUTSB, (const char *)header, sizeof(header));
	printf("\n");
}
