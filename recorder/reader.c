/*
 * reader.c: opens a trace, follows it while it grows, and lists what was found in it.
 *
 * Behind trace.h. The bytes are a mapping of the file, or memory; scan.c finds the frames, judge.c says what
 * is missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/reader.h"

void *reader_grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1) || (count && count < 16))
		return array;		/* room was made at the last power of two */
	array = realloc(array, (count < 16 ? 16 : 2 * count) * size);
	if (!array)
		abort();
	return array;
}

static struct found_session *find_session(struct trace *t, uint64_t id)
{
	for (size_t i = 0; i < t->count.sessions; i++)
		if (t->session_at[i]->session.id == id)
			return t->session_at[i];
	return NULL;
}

void reader_add_session(struct trace *t, const struct session *s, uint64_t offset)
{
	struct found_session *f = find_session(t, s->id);

	t->owner = s->id;
	t->owned_by_session = true;
	if (f) {
		if (s->frame < f->least_frame)
			f->least_frame = s->frame;
		return;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	f->session = *s;
	f->offset = offset;
	f->least_frame = s->frame;
	t->session_at = reader_grow(t->session_at, t->count.sessions, sizeof(*t->session_at));
	t->session_at[t->count.sessions++] = f;
	for (unsigned i = 0; i < t->early_count; i++)
		reader_add_closing(t, &t->early[i].closing, t->early[i].offset, t->early[i].size);
}

static void add_found_frame(struct trace *t, const struct found_frame *f)
{
	t->frame_at = reader_grow(t->frame_at, t->count.frames, sizeof(*t->frame_at));
	t->frame_at[t->count.frames++] = *f;
	t->owner = f->info.header.session;
	t->owned_by_session = true;
}

void reader_add_frame(struct trace *t, const struct scan_item *item)
{
	struct found_frame f = {
		.info = { item->header, item->offset, item->offset + HEADER_SIZE },
		.end = item->offset + item->size,
		.readable = item->kind == SCAN_FRAME,
		.cut = item->kind == SCAN_CUT,
	};

	memcpy(f.text, item->text, sizeof(f.text) - 1);
	add_found_frame(t, &f);
}

void reader_add_closing(struct trace *t, const struct closing *c, uint64_t offset, uint64_t size)
{
	struct found_session *f = find_session(t, c->session);

	if (!f && t->early_count < EARLY_CLOSINGS) {
		if (!t->early && !(t->early = malloc(EARLY_CLOSINGS * sizeof(*t->early))))
			abort();
		t->early[t->early_count++] = (struct early_closing){ offset, size, *c };
	}
	if (!f || f->closed)
		return;
	f->closed = true;
	f->closing = *c;
	f->closing_offset = offset;
	f->closing_size = size;
}

static void add_damage(struct trace *t, const struct scan_item *item)
{
	struct found_damage *d;

	if (t->count.damages == DAMAGES_MAX)
		return;
	t->damage_at = reader_grow(t->damage_at, t->count.damages, sizeof(*t->damage_at));
	d = &t->damage_at[t->count.damages++];
	memset(d, 0, sizeof(*d));
	d->offset = item->offset;
	d->size = item->size;
	d->owner = t->owner;
	d->orphan = !t->owned_by_session;
	d->cut = item->kind == SCAN_CUT;
	memcpy(d->text, item->text, sizeof(d->text));
}

static void add_item(struct trace *t, const struct scan_item *item)
{
	switch (item->kind) {
	case SCAN_SESSION:
		reader_add_session(t, &t->scan.session, item->offset);
		break;
	case SCAN_FRAME:
		reader_add_frame(t, item);
		break;
	case SCAN_CLOSING:
		reader_add_closing(t, &t->scan.closing, item->offset, item->size);
		break;
	case SCAN_SEEK_TABLE:
		t->seek_offset = item->offset;
		t->seek_size = item->size;
		break;
	case SCAN_DAMAGE:
	case SCAN_CUT:
		if (item->has_header)
			reader_add_frame(t, item);
		else
			add_damage(t, item);
		break;
	}
}

/* Forget what was concluded from the end of the file, where now more may stand. */
static void unsettle(struct trace *t)
{
	while (t->count.sessions > t->settled.sessions)
		free(t->session_at[--t->count.sessions]);
	for (size_t i = 0; i < t->count.sessions; i++)
		if (t->session_at[i]->closing_offset >= t->scan.offset)
			t->session_at[i]->closed = false;
	while (t->early_count && t->early[t->early_count - 1].offset >= t->scan.offset)
		t->early_count--;
	t->count = t->settled;
	if (t->seek_offset >= t->scan.offset)
		t->seek_size = 0;
}

static void scan_all(struct trace *t)
{
	struct scan_item item;
	struct scan *settled;

	unsettle(t);
	while (scan_next(&t->scan, t->bytes, 0, t->size, false, &item))
		add_item(t, &item);
	t->settled = t->count;
	settled = malloc(sizeof(*settled));
	if (!settled)
		abort();
	*settled = t->scan;
	while (scan_next(&t->scan, t->bytes, 0, t->size, true, &item))
		add_item(t, &item);
	t->scan = *settled;
	free(settled);
}

/* Map what the file holds now. false: errno. */
static bool map_file(struct trace *t)
{
	struct stat st;
	void *bytes;

	if (fstat(t->fd, &st))
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : ESPIPE;
		return false;
	}
	if ((size_t)st.st_size <= t->size)
		return true;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, t->fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	if (t->mapped)
		munmap((void *)t->bytes, t->size);
	t->mapped = true;
	t->bytes = bytes;
	t->size = (size_t)st.st_size;
	return true;
}

/* Everything that `fd`, which can't be mapped, gives. false: errno. */
static bool read_stream(struct trace *t, int fd)
{
	uint8_t *bytes = NULL;
	size_t size = 0, cap = 0;
	ssize_t n;

	do {
		if (cap - size < 65536) {
			cap = cap ? 2 * cap : 1 << 20;
			bytes = realloc(bytes, cap);
			if (!bytes)
				abort();
		}
		n = read(fd, bytes + size, cap - size);
		size += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	t->bytes = bytes;
	t->size = size;
	t->owned = true;
	return n == 0;
}

static struct trace *trace_new(const char *name, const struct trace_options *options)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->path = strdup(name);
	if (!t->path)
		abort();
	t->fd = -1;
	t->wanted_session = options && options->session ? options->session : 1;
	t->trust_above = options && options->trust_above ? options->trust_above : TRACE_TRUST_ABOVE;
	scan_init(&t->scan);
	return t;
}

static struct trace *give_up(struct trace *t)
{
	trace_close(t);
	return NULL;
}

/* Index the bytes and choose the session. NULL: `error` says why there is nothing to read. */
static struct trace *index_bytes(struct trace *t, char *error, size_t error_size)
{
	if (t->size <= t->trust_above || !reader_index_by_seek_table(t))
		scan_all(t);
	if (!t->count.sessions) {
		if (!t->size)
			snprintf(error, error_size, "%s: empty, expected a trace", t->path);
		else if (t->count.damages && (!t->count.frames || !t->damage_at[0].offset))
			snprintf(error, error_size,
				 "%s:%llu: %s; there is no session frame to read a trace by", t->path,
				 (unsigned long long)t->damage_at[0].offset, t->damage_at[0].text);
		else
			snprintf(error, error_size, "%s:0: expected a session frame, found none", t->path);
		return give_up(t);
	}
	if (t->wanted_session > t->count.sessions) {
		snprintf(error, error_size, "%s: session %u: the file has %zu", t->path, t->wanted_session,
			 t->count.sessions);
		return give_up(t);
	}
	reader_judge(t);
	return t;
}

struct trace *trace_open(const char *path, const struct trace_options *options, char *error,
			 size_t error_size)
{
	bool standard = !strcmp(path, "-");
	struct trace *t = trace_new(standard ? "stdin" : path, options);
	bool ok;

	t->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ok = t->fd >= 0 && (map_file(t) || (errno == ESPIPE && read_stream(t, t->fd)));
	if (!ok) {
		snprintf(error, error_size, "%s: %s", t->path, strerror(errno));
		return give_up(t);
	}
	return index_bytes(t, error, error_size);
}

struct trace *trace_open_memory(const char *name, const uint8_t *bytes, size_t size,
				const struct trace_options *options, char *error, size_t error_size)
{
	struct trace *t = trace_new(name, options);

	t->bytes = bytes;
	t->size = size;
	return index_bytes(t, error, error_size);
}

size_t trace_refresh(struct trace *t)
{
	size_t before = t->frame_count;

	if (t->fd < 0 || t->owned || !map_file(t))
		return 0;
	if (t->scan.offset < t->size)
		scan_all(t);
	reader_judge(t);
	return t->frame_count > before ? t->frame_count - before : 0;
}

void trace_close(struct trace *t)
{
	if (!t)
		return;
	if (t->mapped)
		munmap((void *)t->bytes, t->size);
	if (t->owned)
		free((void *)t->bytes);
	if (t->fd > STDIN_FILENO)
		close(t->fd);
	for (size_t i = 0; i < t->count.sessions; i++)
		free(t->session_at[i]);
	free(t->session_at);
	free(t->frame_at);
	free(t->damage_at);
	free(t->early);
	free(t->frame);
	free(t->damage);
	free(t->path);
	free(t);
}

const char *trace_path(const struct trace *t) { return t->path; }
const struct session *trace_session(const struct trace *t) { return &t->chosen->session; }
size_t trace_session_count(const struct trace *t) { return t->count.sessions; }
size_t trace_frame_count(const struct trace *t) { return t->frame_count; }
const struct trace_frame_info *trace_frame(const struct trace *t, size_t i) { return &t->frame[i]; }
const struct closing *trace_closing(const struct trace *t)
{
	return t->chosen->closed ? &t->chosen->closing : NULL;
}
size_t trace_damage_count(const struct trace *t) { return t->damage_count; }
const struct trace_damage *trace_damage(const struct trace *t, size_t i) { return &t->damage[i]; }
bool trace_whole(const struct trace *t) { return !t->damage_count && t->chosen->closed; }
uint64_t trace_exit_count(const struct trace *t) { return t->exits; }
uint64_t trace_step_count(const struct trace *t) { return t->steps; }
