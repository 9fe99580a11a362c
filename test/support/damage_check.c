/*
 * damage_check.c: what must hold of every variant of damage.h.
 */
#include "support/damage.h"

#define NAME "damaged.vxt"

#define EXPECT(condition, ...) \
	do { \
		if (!(condition)) \
			fail_variant(v, #condition, __VA_ARGS__); \
	} while (0)

static void fail_variant(const struct variant *v, const char *condition, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));

/* The variant in a file of its own; gives its name, which stands in `path`. */
static const char *keep(const struct variant *v, char *path, size_t size)
{
	const char *dir = getenv("TMPDIR");
	FILE *f;
	int fd;

	snprintf(path, size, "%s/damage-XXXXXX.vxt", dir && *dir ? dir : "/tmp");
	fd = mkstemps(path, (int)strlen(".vxt"));
	f = fd < 0 ? NULL : fdopen(fd, "wb");
	if (!f)
		return "no file for it";
	fwrite(v->bytes, 1, v->size, f);
	fclose(f);
	return path;
}

static void fail_variant(const struct variant *v, const char *condition, const char *format, ...)
{
	char text[300], path[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fail_msg("%s, %s: %s: not %s (%s)", v->base->name, v->what, text, condition, keep(v, path, sizeof(path)));
	abort();
}

static const struct piece *base_frame(const struct base *b, uint64_t number, size_t *index)
{
	for (size_t i = 0; i < b->pieces; i++) {
		if (b->piece[i].kind == PIECE_FRAME && b->piece[i].frame == number) {
			*index = i;
			return &b->piece[i];
		}
	}
	return NULL;
}

/* Frame `i` of the variant is the one of its number in the undamaged trace, by its bytes or by the steps it decodes to. */
static void check_frame(const struct variant *v, const struct trace *t, size_t i, struct trace_cursor **c, bool *read)
{
	const struct trace_frame_info *f = trace_frame(t, i);
	const struct piece *p;
	size_t index = 0;
	uint64_t digest;

	p = base_frame(v->base, f->header.frame, &index);
	EXPECT(p, "frame %u never was", (unsigned)f->header.frame);
	EXPECT(!read[index], "frame %u is given twice", (unsigned)f->header.frame);
	if (f->offset + p->size <= v->size && !memcmp(v->bytes + f->offset, v->base->bytes + p->offset, p->size)) {
		read[index] = true;
		return;
	}
	if (!*c)
		*c = trace_cursor_new(t);
	if (trace_cursor_load(*c, i) || !sample_digest(trace_cursor_decoder(*c), &digest)) {
		EXPECT(strstr(trace_cursor_error(*c), NAME ":"), "error \"%s\"", trace_cursor_error(*c));
		return;
	}
	EXPECT(digest == v->base->digest[index], "frame %u decodes to other steps", (unsigned)f->header.frame);
	read[index] = true;
}

static bool has_kind(const struct variant *v, enum piece_kind kind)
{
	for (size_t i = 0; i < v->base->pieces; i++)
		if (v->base->piece[i].kind == kind && v->intact[i])
			return true;
	return false;
}

static void check_damage(struct variant *v, const struct trace *t)
{
	uint64_t steps = 0, exits = 0;
	bool whole = trace_whole(t);
	char *text = NULL;
	size_t size;
	FILE *f;

	EXPECT(v->alike || !whole, "passes for whole");
	for (size_t i = 0; i < trace_damage_count(t); i++) {
		const struct trace_damage *d = trace_damage(t, i);

		EXPECT(d->offset <= v->size && d->size <= v->size - d->offset, "damage at %zu, %zu bytes", (size_t)d->offset,
		       (size_t)d->size);
		EXPECT(d->text[0], "damage %zu without a text", i);
		steps += d->steps;
		exits += d->exits;
	}
	if (trace_closing(t)) {
		EXPECT(steps == v->base->steps - trace_step_count(t), "%zu of %zu steps are read, %zu are said to be lost",
		       (size_t)trace_step_count(t), (size_t)v->base->steps, (size_t)steps);
		EXPECT(exits == v->base->exits - trace_exit_count(t), "%zu of %zu exits are read, %zu are said to be lost",
		       (size_t)trace_exit_count(t), (size_t)v->base->exits, (size_t)exits);
	}
	if (v->printed++ % 64)
		return;
	f = open_memstream(&text, &size);
	trace_report_damage(t, f);
	fclose(f);
	EXPECT(whole == (size == 0), "report \"%s\"", text);
	EXPECT(whole || !strncmp(text, "vexit: " NAME ":", strlen("vexit: " NAME ":")), "report \"%s\"", text);
	free(text);
}

void variant_check(struct variant *v)
{
	const struct trace_options options = { .trust_above = v->trusting ? 1 : UINT64_MAX };
	bool read[PIECES_MAX] = { false };
	char error[256] = "";
	struct trace *t = trace_open_memory(NAME, v->bytes, v->size, &options, error, sizeof(error));
	struct trace_cursor *c = NULL;

	if (!t) {
		EXPECT(!has_kind(v, PIECE_SESSION), "a session frame is whole, but \"%s\"", error);
		EXPECT(!strncmp(error, NAME ":", strlen(NAME ":")), "error \"%s\"", error);
		return;
	}
	EXPECT(trace_session(t)->id == v->base->session.id, "session %zu is chosen", (size_t)trace_session(t)->id);
	for (size_t i = 0; i < trace_frame_count(t); i++)
		check_frame(v, t, i, &c, read);
	for (size_t i = 0; i < v->base->pieces; i++)
		EXPECT(read[i] || !v->intact[i] || v->base->piece[i].kind != PIECE_FRAME, "frame %u is whole, but isn't read",
		       (unsigned)v->base->piece[i].frame);
	EXPECT(!trace_closing(t) || has_kind(v, PIECE_CLOSING), "a closing frame out of nothing");
	if (!v->trusting)
		check_damage(v, t);
	trace_cursor_free(c);
	trace_close(t);
}
