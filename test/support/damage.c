/*
 * damage.c: the base traces of damage.h, and the making of variants. What must hold of them:
 * damage_check.c.
 */
#include <glob.h>

#include "support/damage.h"

static void read_base(struct base *b)
{
	const struct trace_options all = { .trust_above = UINT64_MAX };
	char error[256];
	struct trace *t = trace_open_memory(b->name, b->bytes, b->size, &all, error, sizeof(error));
	struct trace_cursor *c;
	size_t frame = 0;

	if (!t)
		fail_msg("%s", error);
	if (!trace_whole(t))
		fail_msg("%s: not whole: %s", b->name, trace_damage(t, 0)->text);
	b->pieces = sample_pieces(b->bytes, b->size, b->piece, PIECES_MAX);
	assert_true(b->pieces > 0);
	b->steps = trace_step_count(t);
	b->exits = trace_exit_count(t);
	b->session = *trace_session(t);
	c = trace_cursor_new(t);
	for (size_t i = 0; i < b->pieces; i++) {
		if (b->piece[i].kind != PIECE_FRAME)
			continue;
		assert_int_equal(trace_frame(t, frame)->header.frame, b->piece[i].frame);
		assert_int_equal(trace_cursor_load(c, frame++), 0);
		assert_true(sample_digest(trace_cursor_decoder(c), &b->digest[i]));
	}
	assert_int_equal(frame, trace_frame_count(t));
	trace_cursor_free(c);
	trace_close(t);
}

struct base *base_of_sample(const struct sample *o)
{
	struct base *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	snprintf(b->name, sizeof(b->name), "sample %u", (unsigned)o->seed);
	b->bytes = sample_trace(o, &b->size);
	read_base(b);
	return b;
}

struct base *base_of_file(const char *path)
{
	struct base *b = calloc(1, sizeof(*b));
	FILE *f = fopen(path, "rb");

	assert_non_null(b);
	assert_non_null(f);
	snprintf(b->name, sizeof(b->name), "%s", path);
	fseek(f, 0, SEEK_END);
	b->size = (size_t)ftell(f);
	rewind(f);
	b->bytes = malloc(b->size);
	assert_int_equal(fread(b->bytes, 1, b->size, f), b->size);
	fclose(f);
	read_base(b);
	return b;
}

void base_free(struct base *b)
{
	free(b->bytes);
	free(b);
}

bool base_whole_until(const struct base *b, size_t at)
{
	bool closed = false;

	for (size_t i = 0; i < b->pieces; i++) {
		if (closed && b->piece[i].offset == at)
			return true;
		closed |= b->piece[i].kind == PIECE_CLOSING;
	}
	return false;
}

/* ---- Variants ---- */

struct variant *variant_new(const struct base *b)
{
	struct variant *v = calloc(1, sizeof(*v));

	assert_non_null(v);
	v->base = b;
	v->bytes = malloc(2 * b->size + (4u << 20));
	assert_non_null(v->bytes);
	return v;
}

void variant_free(struct variant *v)
{
	free(v->bytes);
	free(v);
}

void variant_start(struct variant *v)
{
	memcpy(v->bytes, v->base->bytes, v->base->size);
	v->size = v->base->size;
	for (size_t i = 0; i < v->base->pieces; i++)
		v->intact[i] = true;
	v->alike = false;
}

void variant_spoil(struct variant *v, size_t from, size_t to)
{
	for (size_t i = 0; i < v->base->pieces; i++) {
		const struct piece *p = &v->base->piece[i];

		if (p->offset < to && from < p->offset + p->size)
			v->intact[i] = false;
	}
}

void variant_empty(struct variant *v)
{
	memset(v->intact, 0, sizeof(v->intact));
	v->size = 0;
	v->alike = false;
}

void variant_cut_at(struct variant *v, size_t at)
{
	variant_start(v);
	variant_spoil(v, at, v->size);
	v->size = at;
	v->alike = base_whole_until(v->base, at);
	snprintf(v->what, sizeof(v->what), "cut at %zu", at);
}

void variant_insert(struct variant *v, size_t at, const uint8_t *bytes, size_t size)
{
	variant_start(v);
	variant_spoil(v, at, at);
	memmove(v->bytes + at + size, v->bytes + at, v->size - at);
	memcpy(v->bytes + at, bytes, size);
	v->size += size;
}

void variant_append(struct variant *v, size_t i)
{
	const struct piece *p = &v->base->piece[i];

	memcpy(v->bytes + v->size, v->base->bytes + p->offset, p->size);
	v->size += p->size;
	v->intact[i] = true;
}

/* ---- Running ---- */

void damage_over(struct base *b, damage_fn *damage)
{
	struct variant *v = variant_new(b);

	damage(v);
	variant_free(v);
	base_free(b);
}

void damage_over_samples(damage_fn *damage)
{
	static const struct sample samples[] = {
		{ .seed = 1, .session = 1001, .frames = 6, .steps = 25 },
		{ .seed = 2, .session = UINT64_MAX, .frames = 3, .steps = 10, .unfinished = true },
		{ .seed = 4, .session = 77, .frames = 130, .steps = 3 },
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		random_seed(0x1234567 + i);
		damage_over(base_of_sample(&samples[i]), damage);
	}
}

void damage_over_golden(damage_fn *damage)
{
	glob_t files;

	if (glob("traces/golden/*.vxt", 0, NULL, &files))
		skip();
	/* A third of them will do; FULL=1: all. */
	for (size_t i = getenv("FULL") ? 0 : 2; i < files.gl_pathc; i += getenv("FULL") ? 1 : 3) {
		random_seed(0x7654321 + i);
		damage_over(base_of_file(files.gl_pathv[i]), damage);
	}
	globfree(&files);
}
