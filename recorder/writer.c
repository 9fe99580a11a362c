/*
 * writer.c: see writer.h. Used by record and capture, and, for its seek table, by slice and verify --repair.
 *
 * It must not hold back what is whole: a recorder that is killed loses at most the frame that was under way.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "recorder/command.h"
#include "recorder/scan.h"
#include "recorder/writer.h"
#include "trace/bytes.h"

struct entry {				/* of the seek table */
	uint32_t packed, raw;
};

struct writer {
	int fd;
	char *path;			/* for messages */
	struct writer_state state;
	struct scan scan;
	uint8_t *buffer;		/* bytes from stream offset `base` on, not yet written */
	size_t size, cap;
	uint64_t base;
	uint8_t *session_frame;		/* the first session's frame, for the copy at the end */
	size_t session_size;
	unsigned session_count;
	bool resting; /* the session is closed, and no other has begun: what is cut off now is no loss */
	struct entry *entry;
	size_t entry_count, entry_cap;
	ZSTD_DCtx *zstd;
	uint8_t raw[FRAME_RAW_MAX];
};

struct writer *writer_open(const char *path, bool force)
{
	struct writer *w;
	int fd;

	if (!strcmp(path, "-")) {
		fd = dup(STDOUT_FILENO);
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), 0666);
		if (fd < 0 && errno == EEXIST) {
			command_fail(0, "%s exists already; -f overwrites it", path);
			return NULL;
		}
	}
	if (fd < 0) {
		command_fail(0, "%s: %s", path, strerror(errno));
		return NULL;
	}
	w = calloc(1, sizeof(*w));
	if (!w || !(w->path = strdup(path)) || !(w->zstd = ZSTD_createDCtx()))
		abort();
	w->fd = fd;
	scan_init(&w->scan);
	return w;
}

static bool write_all(int fd, const uint8_t *p, size_t size)
{
	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		size -= (size_t)n;
	}
	return true;
}

/* One whole frame, or nothing of it. */
static bool write_unit(struct writer *w, const uint8_t *p, size_t size)
{
	struct writer_state *s = &w->state;
	int error;

	if (s->failed)
		return false;
	if (write_all(w->fd, p, size)) {
		s->written += size;
		return true;
	}
	error = errno;
	s->failed = true;
	snprintf(s->error, sizeof(s->error), "%s: %s", w->path, strerror(error));
	if (ftruncate(w->fd, (off_t)s->written) && errno != EINVAL && errno != ESPIPE)
		snprintf(s->error, sizeof(s->error), "%s: %s; its last frame is incomplete", w->path,
			 strerror(error));
	return false;
}

static void add_entry(struct writer *w, size_t packed, uint32_t raw)
{
	if (w->entry_count == w->entry_cap) {
		w->entry_cap = w->entry_cap ? 2 * w->entry_cap : 64;
		w->entry = realloc(w->entry, w->entry_cap * sizeof(*w->entry));
		if (!w->entry)
			abort();
	}
	w->entry[w->entry_count++] = (struct entry){ (uint32_t)packed, raw };
}

bool writer_put(struct writer *w, const uint8_t *bytes, size_t size, uint32_t raw_size)
{
	if (!write_unit(w, bytes, size))
		return false;
	add_entry(w, size, raw_size);
	return true;
}

static void note_damage(struct writer *w, const struct scan_item *item, const char *text)
{
	struct writer_state *s = &w->state;

	if (!s->damages++)
		snprintf(s->first_damage, sizeof(s->first_damage), "%" PRIu64 ": %s", item->offset, text);
	s->lost_bytes += item->size;
}

static void write_session(struct writer *w, const uint8_t *p, size_t size)
{
	if (!writer_put(w, p, size, 0))
		return;
	w->session_count++;
	if (w->state.started)
		return;
	w->state.started = true;
	w->state.session = w->scan.session;
	w->session_frame = malloc(size);
	if (!w->session_frame)
		abort();
	memcpy(w->session_frame, p, size);
	w->session_size = size;
}

static void write_frame(struct writer *w, const uint8_t *p, const struct scan_item *item)
{
	const struct frame_header *h = &item->header;
	const uint8_t *packed = p + HEADER_SIZE;
	size_t n = ZSTD_decompressDCtx(w->zstd, w->raw, sizeof(w->raw), packed, h->packed_size);

	if (ZSTD_isError(n) || n != h->raw_size) {
		note_damage(w, item,
			    ZSTD_isError(n) ? ZSTD_getErrorName(n) : "another size than the header says");
		return;
	}
	if (!write_unit(w, p, item->size))
		return;
	add_entry(w, HEADER_SIZE, 0);
	add_entry(w, h->packed_size, h->raw_size);
	if (!w->state.frames++) {
		w->state.first_frame = h->frame;
		w->state.first_step = h->first_step;
		w->state.first_seq = h->first_seq;
	}
	w->state.steps += h->steps;
	w->state.exits += h->exits;
}

static void take_item(struct writer *w, const struct scan_item *item)
{
	const uint8_t *p = w->buffer + (item->offset - w->base);

	switch (item->kind) {
	case SCAN_SESSION:
		write_session(w, p, item->size);
		break;
	case SCAN_FRAME:
		w->resting = false;
		write_frame(w, p, item);
		break;
	case SCAN_CLOSING:
		if (writer_put(w, p, item->size, 0) && w->state.started &&
		    w->scan.closing.session == w->state.session.id) {
			w->state.closed = w->resting = true;
			w->state.closing = w->scan.closing;
		}
		break;
	case SCAN_SEEK_TABLE:
		break;		/* we write our own */
	case SCAN_CUT:
		if (w->resting)
			break;
		/* fall through */
	case SCAN_DAMAGE:
		note_damage(w, item, item->text);
		break;
	}
}

static void take_items(struct writer *w, bool final)
{
	struct scan_item item;
	size_t used;

	if (!w->size)
		return;
	while (!w->state.failed && scan_next(&w->scan, w->buffer, w->base, w->size, final, &item))
		take_item(w, &item);
	used = (size_t)(w->scan.offset - w->base);
	memmove(w->buffer, w->buffer + used, w->size - used);
	w->size -= used;
	w->base += used;
}

bool writer_feed(struct writer *w, const uint8_t *bytes, size_t size)
{
	if (w->state.failed)
		return false;
	if (w->cap - w->size < size) {
		w->cap = w->size + size + (64 << 10);
		w->buffer = realloc(w->buffer, w->cap);
		if (!w->buffer)
			abort();
	}
	memcpy(w->buffer + w->size, bytes, size);
	w->size += size;
	w->state.received += size;
	take_items(w, false);
	return !w->state.failed;
}

static void write_seek_table(struct writer *w)
{
	size_t size = SKIPPABLE_HEAD_SIZE + w->entry_count * SEEK_ENTRY_SIZE + SEEK_FOOTER_SIZE;
	uint8_t *table = malloc(size), *p = table;

	if (!table)
		abort();
	p = put_le(p, SEEK_TABLE_MAGIC, 4);
	p = put_le(p, size - SKIPPABLE_HEAD_SIZE, 4);
	for (size_t i = 0; i < w->entry_count; i++) {
		p = put_le(p, w->entry[i].packed, 4);
		p = put_le(p, w->entry[i].raw, 4);
	}
	p = put_le(p, w->entry_count, 4);
	p = put_le(p, 0, 1);
	put_le(p, SEEK_FOOTER_MAGIC, 4);
	write_unit(w, table, size);
	free(table);
}

/* The session's stream has ended. */
static void end_session(struct writer *w)
{
	take_items(w, true);
	/* A trace with one session frame would be lost with a byte of it: a second one costs the wire
	 * nothing. */
	if (w->session_count == 1)
		writer_put(w, w->session_frame, w->session_size, 0);
	free(w->session_frame);
	w->session_frame = NULL;
	w->session_count = 0;
}

void writer_next_session(struct writer *w)
{
	end_session(w);
	w->scan.lost = false;	/* whatever came before: here a session frame is expected */
	w->state.started = w->state.closed = false;
}

bool writer_finish(struct writer *w)
{
	end_session(w);
	if (w->entry_count)
		write_seek_table(w);
	if (close(w->fd) && !w->state.failed) {
		w->state.failed = true;
		snprintf(w->state.error, sizeof(w->state.error), "%s: %s", w->path, strerror(errno));
	}
	w->fd = -1;
	return !w->state.failed;
}

const struct writer_state *writer_state(const struct writer *w)
{
	return &w->state;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	ZSTD_freeDCtx(w->zstd);
	free(w->session_frame);
	free(w->buffer);
	free(w->entry);
	free(w->path);
	free(w);
}
