/*
 * Damaged traces: whatever happens to a file's bytes, the reader gives the same steps as before or says what is missing;
 * never other steps, and every frame that wasn't touched is still read.
 *
 * Each variant of a trace is opened from memory. A frame of it is decoded only if its bytes aren't those of the undamaged
 * frame of that number, so that tens of thousands of variants take seconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "recorder/trace.h"
#include "support/sample.h"
#include "trace/bytes.h"

#define PIECES_MAX 4096
#define NAME "damaged.vxt"

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

/* ---- The undamaged trace ---- */

struct base {
	char name[128];
	uint8_t *bytes;
	size_t size;
	struct piece piece[PIECES_MAX];
	size_t pieces;
	uint64_t steps, exits;
	uint64_t digest[PIECES_MAX];		/* by piece; frames only */
	struct session session;
};

/* A variant under test: bytes, and what was done to them. */
struct variant {
	const struct base *base;
	uint8_t *bytes;
	size_t size;
	bool intact[PIECES_MAX];		/* this piece of the base is in it, whole */
	bool alike;				/* it may pass for a whole trace */
	bool trusting;				/* open it by its seek table, so that damage shows when a frame is loaded */
	char what[128];
	unsigned printed;
};

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

static struct base *base_of_sample(const struct sample *o)
{
	struct base *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	snprintf(b->name, sizeof(b->name), "sample %u", (unsigned)o->seed);
	b->bytes = sample_trace(o, &b->size);
	read_base(b);
	return b;
}

static struct base *base_of_file(const char *path)
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

static void free_base(struct base *b)
{
	free(b->bytes);
	free(b);
}

/* ---- What must hold of every variant ---- */

#define EXPECT(condition, ...) \
	do { \
		if (!(condition)) \
			fail_variant(v, #condition, __VA_ARGS__); \
	} while (0)

static void fail_variant(const struct variant *v, const char *condition, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));

static void fail_variant(const struct variant *v, const char *condition, const char *format, ...)
{
	char text[300];
	va_list args;
	FILE *f;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	f = fopen("/tmp/damage_test.vxt", "wb");
	if (f) {
		fwrite(v->bytes, 1, v->size, f);
		fclose(f);
	}
	fail_msg("%s, %s: %s: not %s (/tmp/damage_test.vxt)", v->base->name, v->what, text, condition);
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

static void check_variant(struct variant *v)
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

/* ---- Making variants ---- */

static struct variant *variant_new(const struct base *b)
{
	struct variant *v = calloc(1, sizeof(*v));

	assert_non_null(v);
	v->base = b;
	v->bytes = malloc(2 * b->size + (4u << 20));
	assert_non_null(v->bytes);
	return v;
}

static void variant_free(struct variant *v)
{
	free(v->bytes);
	free(v);
}

static void start(struct variant *v)
{
	memcpy(v->bytes, v->base->bytes, v->base->size);
	v->size = v->base->size;
	for (size_t i = 0; i < v->base->pieces; i++)
		v->intact[i] = true;
	v->alike = false;
}

/* Bytes [from, to) of the base are no longer what they were; an insertion has from == to. */
static void spoil(struct variant *v, size_t from, size_t to)
{
	for (size_t i = 0; i < v->base->pieces; i++) {
		const struct piece *p = &v->base->piece[i];

		if (from == to ? p->offset < from && from < p->offset + p->size : p->offset < to && from < p->offset + p->size)
			v->intact[i] = false;
	}
}

/* What stands behind the closing frame (the session frame once more, the seek table) may be missing. */
static bool whole_until(const struct base *b, size_t at)
{
	bool closed = false;

	for (size_t i = 0; i < b->pieces; i++) {
		if (closed && b->piece[i].offset == at)
			return true;
		closed |= b->piece[i].kind == PIECE_CLOSING;
	}
	return false;
}

static void cut_at(struct variant *v, size_t at)
{
	start(v);
	spoil(v, at, v->size);
	v->size = at;
	v->alike = whole_until(v->base, at);
	snprintf(v->what, sizeof(v->what), "cut at %zu", at);
}

static void insert(struct variant *v, size_t at, const uint8_t *bytes, size_t size)
{
	start(v);
	spoil(v, at, at);
	memmove(v->bytes + at + size, v->bytes + at, v->size - at);
	memcpy(v->bytes + at, bytes, size);
	v->size += size;
}

static void append_piece(struct variant *v, size_t i)
{
	const struct piece *p = &v->base->piece[i];

	memcpy(v->bytes + v->size, v->base->bytes + p->offset, p->size);
	v->size += p->size;
	v->intact[i] = true;
}

static void empty(struct variant *v)
{
	memset(v->intact, 0, sizeof(v->intact));
	v->size = 0;
	v->alike = false;
}

/* ---- The tests, over each of the traces ---- */

typedef void damage_fn(struct variant *v);

/* Every byte of a small trace, 5000 spread over a large one, a quarter of them in frames of our own. */
static void flip_bytes(struct variant *v)
{
	size_t every = v->base->size < 20000 ? 1 : v->base->size / 5000;

	start(v);
	for (size_t at = 0; at < v->base->size; at += every) {
		size_t target = every > 1 && random_below(4) == 0 ?
			v->base->piece[random_below(v->base->pieces)].offset + random_below(HEADER_SIZE) : at;

		if (target >= v->base->size)
			target = at;
		v->bytes[target] ^= random_below(4) ? 1 << random_below(8) : 0xff;
		memset(v->intact, true, v->base->pieces);
		spoil(v, target, target + 1);
		snprintf(v->what, sizeof(v->what), "byte %zu is %#x", target, v->bytes[target]);
		check_variant(v);
		v->bytes[target] = v->base->bytes[target];
	}
}

/* A file opened by its seek table has looked at headers alone: what is damaged shows when it is read. */
static void flip_bytes_unseen(struct variant *v)
{
	v->trusting = true;
	start(v);
	for (size_t at = 0; at < v->base->size; at += 1 + v->base->size / 500) {
		v->bytes[at] ^= 1 << random_below(8);
		memset(v->intact, true, v->base->pieces);
		spoil(v, at, at + 1);
		snprintf(v->what, sizeof(v->what), "byte %zu is %#x, unseen", at, v->bytes[at]);
		check_variant(v);
		v->bytes[at] = v->base->bytes[at];
	}
}

/* Two to nine bytes at once, anywhere. */
static void flip_several(struct variant *v)
{
	for (unsigned round = 0; round < 1500; round++) {
		unsigned n = 2 + (unsigned)random_below(8);

		start(v);
		for (unsigned i = 0; i < n; i++) {
			size_t at = random_below(v->size);

			v->bytes[at] ^= 1 << random_below(8);
			spoil(v, at, at + 1);
		}
		if (!memcmp(v->bytes, v->base->bytes, v->size))
			continue;
		snprintf(v->what, sizeof(v->what), "%u bytes flipped, round %u", n, round);
		check_variant(v);
	}
}

static void cut(struct variant *v)
{
	for (size_t i = 0; i < v->base->pieces; i++) {
		for (size_t d = 0; d < 3; d++) {
			size_t at = v->base->piece[i].offset + d - 1;

			if (at >= v->base->size)
				continue;
			cut_at(v, at);
			check_variant(v);
		}
	}
	for (unsigned i = 0; i < 1000; i++) {
		cut_at(v, v->base->size * i / 1000);
		check_variant(v);
	}
}

/* A hole of any size anywhere. */
static void holes(struct variant *v)
{
	for (unsigned round = 0; round < 1000; round++) {
		size_t from, to;

		start(v);
		from = random_below(v->size);
		to = from + 1 + random_below(random_below(2) ? 16 : v->size - from);
		if (to > v->size)
			to = v->size;
		v->alike = to == v->size && whole_until(v->base, from);
		spoil(v, from, to);
		memmove(v->bytes + from, v->bytes + to, v->size - to);
		v->size -= to - from;
		snprintf(v->what, sizeof(v->what), "without bytes %zu to %zu", from, to);
		check_variant(v);
	}
}

/* Each piece left out, or twice. */
static void pieces_lost_and_doubled(struct variant *v)
{
	size_t n = v->base->pieces;

	for (size_t target = 0; target < n; target += n > 300 ? 1 + random_below(n / 150) : 1) {
		enum piece_kind kind = v->base->piece[target].kind;

		empty(v);
		for (size_t i = 0; i < n; i++)
			if (i != target)
				append_piece(v, i);
		v->alike = kind == PIECE_SEEK_TABLE;
		snprintf(v->what, sizeof(v->what), "without piece %zu", target);
		check_variant(v);

		empty(v);
		for (size_t i = 0; i < n; i++) {
			append_piece(v, i);
			if (i == target)
				append_piece(v, i);
		}
		v->alike = kind == PIECE_SEEK_TABLE || !target;	/* as a file after one that has nothing but the start */
		snprintf(v->what, sizeof(v->what), "with piece %zu twice", target);
		check_variant(v);
	}
}

/* Each piece moved to another place; the first session frame stays, for nothing can be read before it. */
static void pieces_moved(struct variant *v)
{
	size_t n = v->base->pieces;

	for (unsigned round = 0; n > 2 && round < 500; round++) {
		size_t from = 1 + random_below(n - 1), to = 1 + random_below(n - 1);

		if (from == to)
			continue;
		empty(v);
		for (size_t i = 0; i < n; i++) {
			if (i == from)
				continue;
			if (i == to && to < from)
				append_piece(v, from);
			append_piece(v, i);
			if (i == to && to > from)
				append_piece(v, from);
		}
		snprintf(v->what, sizeof(v->what), "piece %zu stands at piece %zu", from, to);
		check_variant(v);
	}
}

/* Bytes that are no frame, in the middle of pieces and between them: noise, zeros, and parts of the trace itself. */
static void garbage(struct variant *v)
{
	static uint8_t bytes[70000];

	for (unsigned round = 0; round < 1000; round++) {
		size_t size = 1 + random_below(random_below(8) ? 200 : sizeof(bytes)), at, from;

		at = random_below(2) ? v->base->piece[random_below(v->base->pieces)].offset : random_below(v->base->size);
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)random_below(256);
		switch (random_below(4)) {
		case 0:
			memset(bytes, 0, size);
			break;
		case 1:		/* a frame of ours that ends too early: by enough that what follows can't be its end */
			from = v->base->piece[random_below(v->base->pieces)].offset;
			size = size < v->base->size - from ? size : v->base->size - from;
			for (size_t i = 0; i < v->base->pieces; i++)
				if (v->base->piece[i].offset == from && size > v->base->piece[i].size - 4)
					size = v->base->piece[i].size - 4;
			memcpy(bytes, v->base->bytes + from, size);
			break;
		case 2:		/* the magic number, and a size */
			put_le(bytes, TRACE_MAGIC, 4);
			put_le(bytes + 4, random_below(300), 4);
			put_le(bytes + 8, TRACE_TAG_HEADER, 4);
			size = size < 12 ? 12 : size;
			break;
		}
		insert(v, at, bytes, size);
		snprintf(v->what, sizeof(v->what), "%zu strange bytes at %zu, round %u", size, at, round);
		check_variant(v);
	}
}

/* Frames of another recording between ours, with and without their session frame. */
static void transplants(struct variant *v)
{
	const struct sample other = { .seed = 99, .session = v->base->session.id + 1, .frames = 3, .steps = 30 };
	static struct piece piece[64];
	size_t size, n;
	uint8_t *bytes = sample_trace(&other, &size);

	n = sample_pieces(bytes, size, piece, 64);
	for (size_t target = 1; target <= v->base->pieces; target += v->base->pieces > 60 ? v->base->pieces / 60 : 1) {
		size_t at = target < v->base->pieces ? v->base->piece[target].offset : v->base->size;

		for (size_t i = 1; i < n; i++) {
			insert(v, at, bytes + piece[i].offset, piece[i].size);
			/* The table of a file that goes on, or a later one's: nothing of this session. */
			v->alike = piece[i].kind != PIECE_FRAME;
			snprintf(v->what, sizeof(v->what), "another session's piece %zu at %zu", i, at);
			check_variant(v);
		}
		insert(v, at, bytes, size);
		v->alike = true;		/* a second session in the file is no damage to the first */
		snprintf(v->what, sizeof(v->what), "another session at %zu", at);
		check_variant(v);
	}
	free(bytes);
}

/* ---- A guest that prints a trace ---- */

/* What a guest can know: a whole recording, of another id. `known`: the attacker even knows ours. */
static uint8_t *forgery(uint64_t id, size_t *size)
{
	const struct sample o = { .seed = 7, .session = id, .frames = 1, .steps = 4, .stored = true, .open_end = true };

	return sample_trace(&o, size);
}

static struct base *base_that_prints(const uint8_t *text, size_t size, unsigned frames)
{
	const struct sample o = { .seed = 3, .session = 4711, .frames = frames, .steps = 12, .stored = true, .print = text,
				  .print_size = (uint32_t)size };

	return base_of_sample(&o);
}

/*
 * A header with its compressed frame (of an id that no session frame named) stands in each of our compressed frames, as it
 * is. With every header of ours broken in turn, the reader searches right through it.
 */
static void guest_prints_a_frame(void **state)
{
	size_t size, n;
	struct piece piece[8];
	uint8_t *bytes = forgery(12345, &size);
	struct base *b;
	struct variant *v;

	(void)state;
	n = sample_pieces(bytes, size, piece, 8);
	assert_int_equal(n, 2);
	b = base_that_prints(bytes + piece[1].offset, piece[1].size < 4096 ? piece[1].size : 4096, 70);
	v = variant_new(b);
	for (size_t i = 1; i < b->pieces; i++) {
		for (unsigned flip = 0; flip < HEADER_SIZE; flip += 1 + (unsigned)random_below(6)) {
			size_t at = b->piece[i].offset + flip;

			start(v);
			v->bytes[at] ^= 0x40;
			spoil(v, at, at + 1);
			snprintf(v->what, sizeof(v->what), "printed frames, byte %zu broken", at);
			check_variant(v);
		}
	}
	variant_free(v);
	free_base(b);
	free(bytes);
}

/*
 * The guest prints a session frame. It is data as long as any session frame of ours was read, whatever is broken after that.
 */
static void guest_prints_a_session(void **state)
{
	size_t size;
	struct piece piece[8];
	uint8_t *bytes = forgery(12345, &size);
	struct base *b;
	struct variant *v;

	(void)state;
	sample_pieces(bytes, size, piece, 8);
	b = base_that_prints(bytes, piece[0].size < 4096 ? piece[0].size : 4096, 4);
	v = variant_new(b);
	for (size_t i = 1; i < b->pieces; i++) {
		for (unsigned flip = 0; flip < 16; flip++) {
			start(v);
			v->bytes[b->piece[i].offset + flip] ^= 0x10;
			spoil(v, b->piece[i].offset + flip, b->piece[i].offset + flip + 1);
			snprintf(v->what, sizeof(v->what), "a printed session, byte %u of piece %zu broken", flip, i);
			check_variant(v);
		}
	}
	variant_free(v);
	free_base(b);
	free(bytes);
}

/* ---- Running ---- */

static void over_samples(damage_fn *damage)
{
	static const struct sample samples[] = {
		{ .seed = 1, .session = 1001, .frames = 6, .steps = 25 },
		{ .seed = 2, .session = UINT64_MAX, .frames = 3, .steps = 10, .unfinished = true },
		{ .seed = 4, .session = 77, .frames = 130, .steps = 3 },
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct base *b = base_of_sample(&samples[i]);
		struct variant *v = variant_new(b);

		random_state = 0x1234567 + i;
		damage(v);
		variant_free(v);
		free_base(b);
	}
}

static void over_golden(damage_fn *damage)
{
	glob_t files;

	if (glob("traces/golden/*.vxt", 0, NULL, &files))
		skip();
	/* A third of them will do; FULL=1: all. */
	for (size_t i = getenv("FULL") ? 0 : 2; i < files.gl_pathc; i += getenv("FULL") ? 1 : 3) {
		struct base *b = base_of_file(files.gl_pathv[i]);
		struct variant *v = variant_new(b);

		random_state = 0x7654321 + i;
		damage(v);
		variant_free(v);
		free_base(b);
	}
	globfree(&files);
}

#define DAMAGE(name) \
	static void sample_##name(void **state) { (void)state; over_samples(name); } \
	static void golden_##name(void **state) { (void)state; over_golden(name); }

DAMAGE(flip_bytes)
DAMAGE(flip_bytes_unseen)
DAMAGE(flip_several)
DAMAGE(cut)
DAMAGE(holes)
DAMAGE(pieces_lost_and_doubled)
DAMAGE(pieces_moved)
DAMAGE(garbage)
DAMAGE(transplants)

#define TESTS(name) cmocka_unit_test(sample_##name), cmocka_unit_test(golden_##name)

/* `damage_test T.vxt CUTS FLIPS`: so many of each, anywhere in a trace that was recorded just now. */
static struct {
	const char *path;
	unsigned long cuts, flips;
} given;

static void given_cuts(struct variant *v)
{
	for (unsigned long i = 0; i < given.cuts; i++) {
		cut_at(v, random_below(v->base->size));
		check_variant(v);
	}
}

static void given_flips(struct variant *v)
{
	for (unsigned long i = 0; i < given.flips; i++) {
		size_t at = random_below(v->base->size);

		start(v);
		v->bytes[at] ^= 1 << random_below(8);
		spoil(v, at, at + 1);
		snprintf(v->what, sizeof(v->what), "byte %zu is %#x", at, v->bytes[at]);
		check_variant(v);
	}
}

static void over_given(damage_fn *damage)
{
	struct base *b = base_of_file(given.path);
	struct variant *v = variant_new(b);

	damage(v);
	variant_free(v);
	free_base(b);
}

static void file_cuts(void **state) { (void)state; over_given(given_cuts); }
static void file_flips(void **state) { (void)state; over_given(given_flips); }

int main(int argc, char **argv)
{
	const struct CMUnitTest of_a_file[] = { cmocka_unit_test(file_cuts), cmocka_unit_test(file_flips) };
	const struct CMUnitTest tests[] = {
		TESTS(flip_bytes),
		TESTS(flip_bytes_unseen),
		TESTS(flip_several),
		TESTS(cut),
		TESTS(holes),
		TESTS(pieces_lost_and_doubled),
		TESTS(pieces_moved),
		TESTS(garbage),
		TESTS(transplants),
		cmocka_unit_test(guest_prints_a_frame),
		cmocka_unit_test(guest_prints_a_session),
	};

	if (argc == 4) {
		given.path = argv[1];
		given.cuts = strtoul(argv[2], NULL, 10);
		given.flips = strtoul(argv[3], NULL, 10);
		return cmocka_run_group_tests(of_a_file, NULL, NULL);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
