/*
 * scan.h: bytes of a stream → its frames, one after another, with resynchronisation (traces/FORMAT.md,
 * "Resynchronisation").
 *
 * Pure: it sees bytes and keeps a position. reader.c drives it over a mapped file, writer.c over what has
 * come so far.
 */
#ifndef VEXIT_SCAN_H
#define VEXIT_SCAN_H

#include "trace/frame.h"

#define ZSTD_FRAME_MAGIC 0xfd2fb528u
#define SEEK_TABLE_MAGIC 0x184d2a5eu  /* zstd's seekable format: a skippable frame … */
#define SEEK_FOOTER_MAGIC 0x8f92eab1u /* … that ends with this */
#define SEEK_FOOTER_SIZE 9	      /* u32 frames, u8 descriptor, u32 magic */
#define SEEK_ENTRY_SIZE 8	      /* u32 compressed, u32 decompressed size */
#define SKIPPABLE_HEAD_SIZE 8	      /* u32 magic, u32 size of what follows */
#define PACKED_MAX (FRAME_RAW_MAX + (FRAME_RAW_MAX >> 8) + 64) /* no frame of ours packs to more */

enum scan_kind {
	SCAN_SESSION,		/* s->session was filled */
	SCAN_FRAME,		/* header and compressed frame, which matches packed_hash */
	SCAN_CLOSING,		/* s->closing was filled */
	SCAN_SEEK_TABLE,
	SCAN_DAMAGE,		/* bytes that are none of these */
	SCAN_CUT,		/* the stream ends inside what begins here */
};

struct scan_item {
	enum scan_kind kind;
	uint64_t offset, size; /* in the stream */
	bool has_header;       /* `header` is true: always for SCAN_FRAME; others: which frame was lost */
	struct frame_header header;
	char text[128];			/* damage, cut: what was expected, what was found */
};

#define SCAN_SESSIONS 1024	/* sessions in one file, at most; further ones are damage */

struct scan {
	uint64_t offset;		/* of the next byte to look at */
	bool lost;			/* no frame boundary is known here: search */
	unsigned id_count;
	uint64_t hash_budget;		/* bytes that candidates found by searching may still cost */
	uint64_t ids[SCAN_SESSIONS];	/* named by session frames so far */
	struct session session;		/* the last session frame read */
	struct closing closing;
};

void scan_init(struct scan *s);

/*
 * The next item. `bytes` holds the stream's bytes from `base` (≤ s->offset) on, `size` of them. `final`: no
 * more will come. false: nothing more can be said without more bytes, or the end.
 */
bool scan_next(struct scan *s, const uint8_t *bytes, uint64_t base, size_t size, bool final,
	       struct scan_item *item);

bool scan_knows(const struct scan *s, uint64_t id);
/* A session frame named this id. false: too many. */
bool scan_learn(struct scan *s, uint64_t id);

/* Whether the numbers of a header with a valid hash make sense. */
bool scan_header_sane(const struct frame_header *h);

#endif
