/*
 * reader.h: what the parts of the reader share: reader.c (open, follow, list), judge.c (what is missing),
 * seek.c (index by the seek table), cursor.c (frames by number). Everybody else takes recorder/trace.h.
 */
#ifndef VEXIT_READER_H
#define VEXIT_READER_H

#include "recorder/scan.h"
#include "recorder/trace.h"

#define DAMAGES_MAX 10000	/* listed; a file with more is not worth more memory */

/* A frame as it stands in the file, of any session. */
struct found_frame {
	struct trace_frame_info info;
	uint64_t end;			/* offset after the compressed frame */
	bool readable;			/* false: the header is true, but its compressed frame isn't */
	bool cut;			/* the file ends inside it */
	char text[64];			/* what is wrong with an unreadable one */
};

/* Bytes that are no frame. */
struct found_damage {
	uint64_t offset, size;
	uint64_t owner;			/* session id that stood before it; 0 with `orphan`: none did */
	bool orphan, cut;
	bool used;			/* judge.c: it explains a gap */
	char text[128];
};

struct found_session {
	struct session session;		/* as first read */
	uint64_t offset;		/* of its first session frame */
	uint64_t least_frame;		/* least number that a session frame of it says follows */
	bool closed;
	uint64_t closing_offset, closing_size;
	struct closing closing;
};

#define EARLY_CLOSINGS 8		/* kept: closing frames whose session frame comes after them */

struct early_closing {
	uint64_t offset, size;
	struct closing closing;
};

struct found {				/* counts, so that a growing file's tail can be read again */
	size_t frames, damages, sessions;
};

struct trace {
	char *path;
	int fd;				/* -1: bytes in memory */
	bool mapped, owned;		/* bytes are a mapping; were allocated */
	const uint8_t *bytes;
	size_t size;
	unsigned wanted_session;	/* 1, 2, … */
	uint64_t trust_above;

	struct scan scan;		/* stands after the last item that more bytes can't change */
	struct found_frame *frame_at;	/* in file order */
	struct found_damage *damage_at;
	struct found_session **session_at;
	struct found count, settled;
	struct early_closing *early;	/* EARLY_CLOSINGS of them, or NULL: none */
	unsigned early_count;
	uint64_t owner;			/* session id of the last frame seen */
	bool owned_by_session;
	uint64_t seek_offset, seek_size;/* of the last seek table found; size 0: none */

	/* The chosen session, judged. */
	struct found_session *chosen;
	struct trace_frame_info *frame;
	size_t frame_count;
	struct trace_damage *damage;
	size_t damage_count;
	uint64_t exits, steps;
};

/* reader.c */
void reader_add_session(struct trace *t, const struct session *s, uint64_t offset);
void reader_add_frame(struct trace *t, const struct scan_item *item);
void reader_add_closing(struct trace *t, const struct closing *c, uint64_t offset, uint64_t size);
void *reader_grow(void *array, size_t count, size_t size);	/* room for one more; never NULL */

/* seek.c: index a large file by its seek table, if that agrees with the headers. false: scan. */
bool reader_index_by_seek_table(struct trace *t);
/* Whether the seek table at `offset` lists the frames found before it. NULL, or what is wrong. */
const char *reader_check_seek_table(const struct trace *t);

/* judge.c: from what was found in the file to the chosen session's frames and damages. */
void reader_judge(struct trace *t);

#endif
