/*
 * writer.h: a stream, as it comes, into a .vxt file under its final name.
 *
 * Only whole frames that were checked are written, each with one write(): whatever happens to the recorder,
 * the file is a readable trace of what was received. What is damaged on the way is left out, counted and
 * told.
 */
#ifndef VEXIT_WRITER_H
#define VEXIT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/frame.h"

struct writer;

struct writer_state {
	uint64_t received;		/* bytes of the stream */
	uint64_t written;		/* bytes of the file */
	uint64_t frames, steps, exits;	/* in the frames written */
	uint64_t first_frame, first_step, first_seq;	/* of the first of them */
	uint64_t lost_bytes, damages;	/* what was no frame, or a wrong one */
	char first_damage[192];		/* "OFFSET: what" in the stream */
	bool started;			/* a session frame came: `session` */
	bool closed;			/* its closing frame came: `closing` */
	bool failed;			/* the file can't be written any more: `error` */
	char error[256];
	struct session session;
	struct closing closing;
};

/* "-": stdout. Refuses an existing file without `force`. NULL: the error was printed. */
struct writer *writer_open(const char *path, bool force);

/* The next bytes of the stream. false: writer_state()->failed. */
bool writer_feed(struct writer *w, const uint8_t *bytes, size_t size);

/*
 * The stream has ended, and that of another session follows it in the same file. Counts go on; `started`,
 * `closed`, `session` and `closing` are the new one's.
 */
void writer_next_session(struct writer *w);

/* Write this frame of the caller's own making (slice, repair): `raw_size` as in the seek table, 0 for
 * skippable ones. */
bool writer_put(struct writer *w, const uint8_t *bytes, size_t size, uint32_t raw_size);

/* The stream has ended: append the seek table and close. Also after a failure. false: failed. */
bool writer_finish(struct writer *w);

const struct writer_state *writer_state(const struct writer *w);
void writer_free(struct writer *w);

#endif
