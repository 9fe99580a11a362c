/*
 * sample.h: a small trace made in memory by the real encoder, for tests that damage or mutate one.
 *
 * Random steps of three vCPUs from a seed; the same options give the same bytes. And the pieces that any trace consists of.
 */
#ifndef VEXIT_SAMPLE_H
#define VEXIT_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sample {
	uint64_t seed, session;
	unsigned frames, steps;		/* frames, and steps in each */
	const uint8_t *print;		/* what the guest prints once a frame, or NULL */
	uint32_t print_size;		/* at most CROSSING_MAX */
	bool stored;			/* frames are zstd's raw blocks, so that what was printed stands in the file as it is */
	bool unfinished;		/* the last step is, and the run ended by a panic */
	bool open_end;			/* neither closing frame nor seek table */
};

/* The bytes of such a trace, to be freed. */
uint8_t *sample_trace(const struct sample *o, size_t *size);

enum piece_kind { PIECE_SESSION, PIECE_FRAME, PIECE_CLOSING, PIECE_SEEK_TABLE };

struct piece {
	enum piece_kind kind;
	size_t offset, size;		/* PIECE_FRAME: header and compressed frame */
	uint64_t frame;			/* its number */
	uint32_t steps, exits;
};

/* The pieces of an undamaged trace, at most `max` of them; gives their number. 0: it isn't one. */
size_t sample_pieces(const uint8_t *bytes, size_t size, struct piece *pieces, size_t max);

/* A digest of all steps of a raw frame, with the vCPU's whole state at each; false: it doesn't decode to its end. */
struct decoder;
bool sample_digest(struct decoder *opened, uint64_t *digest);

#endif
