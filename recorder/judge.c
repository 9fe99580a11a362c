/*
 * judge.c: from the frames that stand in a file to the frames of one session in order, and what isn't there.
 *
 * Called by reader.c after each look at the file. Frames are put in the order of their numbers: one that is
 * doubled is listed once, one that was moved in its place. What is missing follows from the headers' numbers,
 * and the bytes that are no frame explain it.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/reader.h"

struct position {
	uint64_t frame, step, seq;
};

struct judge {
	struct trace *t;
	struct found_session *s;
	uint64_t id;
	struct position at;		/* what should come next */
	uint64_t end;			/* file offset after the last frame, in order of numbers */
	bool cut;			/* that the file ends inside a frame was said */
};

static struct trace_damage *add(struct trace *t, enum trace_damage_kind kind, uint64_t offset, uint64_t size,
				const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Never NULL: further ones than DAMAGES_MAX overwrite the last. */
static struct trace_damage *add(struct trace *t, enum trace_damage_kind kind, uint64_t offset, uint64_t size,
				const char *format, ...)
{
	struct trace_damage *d;
	va_list args;

	if (t->damage_count < DAMAGES_MAX) {
		t->damage = reader_grow(t->damage, t->damage_count, sizeof(*t->damage));
		t->damage_count++;
	}
	d = &t->damage[t->damage_count - 1];
	memset(d, 0, sizeof(*d));
	d->kind = kind;
	d->offset = offset;
	d->size = size;
	va_start(args, format);
	vsnprintf(d->text, sizeof(d->text), format, args);
	va_end(args);
	return d;
}

static bool knows(const struct trace *t, uint64_t id)
{
	for (size_t i = 0; i < t->count.sessions; i++)
		if (t->session_at[i]->session.id == id)
			return true;
	return false;
}

/* Damage belongs to the session whose frames stand before it; what stands before all, to the first. */
static bool mine(const struct judge *j, const struct found_damage *d)
{
	if (d->orphan || !knows(j->t, d->owner))
		return j->s == j->t->session_at[0];
	return d->owner == j->id;
}

/* Damage not yet accounted for between two offsets, or NULL. */
static struct found_damage *find_damage(struct judge *j, uint64_t from, uint64_t to)
{
	size_t low = 0, high = j->t->count.damages;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (j->t->damage_at[middle].offset < from)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < j->t->count.damages && j->t->damage_at[low].offset < to; low++)
		if (!j->t->damage_at[low].used && mine(j, &j->t->damage_at[low]))
			return &j->t->damage_at[low];
	return NULL;
}

/* Steps from j->at up to `to` aren't in the file. `to_offset`: where they would have to end. */
static void missing(struct judge *j, struct position to, uint64_t to_offset)
{
	bool start = !j->end && !j->s->session.sliced;
	struct found_damage *bytes = find_damage(j, j->end, to_offset);
	struct trace_damage *d;

	if (start && j->s->least_frame) {
		d = add(j->t, DAMAGE_LATE, 0, bytes ? bytes->offset + bytes->size : 0,
			"the capture began late, at frame %" PRIu64, to.frame);
	} else if (bytes) {
		d = add(j->t, bytes->cut ? DAMAGE_TRUNCATED : DAMAGE_CORRUPT, bytes->offset, bytes->size,
			"%.127s", bytes->text);
		j->cut |= bytes->cut;
	} else if (to.frame > j->at.frame + 1) {
		d = add(j->t, DAMAGE_MISSING, to_offset, 0, "frames %" PRIu64 "..%" PRIu64 " are missing",
			j->at.frame, to.frame - 1);
	} else {
		d = add(j->t, DAMAGE_MISSING, to_offset, 0, "frame %" PRIu64 " is missing", j->at.frame);
	}
	if (bytes)
		bytes->used = true;
	d->first_step = j->at.step;
	d->steps = to.step - j->at.step;
	d->first_seq = j->at.seq;
	d->exits = to.seq - j->at.seq;
}

/* Whether `to` can follow j->at, with or without a gap. */
static bool can_follow(const struct judge *j, struct position to)
{
	uint64_t frames = to.frame - j->at.frame, steps = to.step - j->at.step, exits = to.seq - j->at.seq;

	if (to.frame < j->at.frame || to.step < j->at.step || to.seq < j->at.seq || exits > steps)
		return false;
	return frames ? steps > 0 : !steps;
}

static void list_frame(struct judge *j, const struct found_frame *f)
{
	struct trace *t = j->t;

	t->frame = reader_grow(t->frame, t->frame_count, sizeof(*t->frame));
	t->frame[t->frame_count++] = f->info;
	t->exits += f->info.header.exits;
	t->steps += f->info.header.steps;
}

/* The next frame by number, readable or not. */
static void judge_frame(struct judge *j, const struct found_frame *f)
{
	const struct frame_header *h = &f->info.header;
	struct position to = { h->frame, h->first_step, h->first_seq };
	struct trace_damage *d;

	if (!can_follow(j, to)) {
		add(j->t, DAMAGE_CORRUPT, f->info.offset, f->end - f->info.offset,
		    "frame %" PRIu64 " begins with step %" PRIu64 ", expected step %" PRIu64
		    " in frame %" PRIu64 ": not read",
		    h->frame, h->first_step, j->at.step, j->at.frame);
		return;
	}
	if (to.frame != j->at.frame)
		missing(j, to, f->info.offset);
	if (f->readable) {
		list_frame(j, f);
	} else {
		d = add(j->t, f->cut ? DAMAGE_TRUNCATED : DAMAGE_CORRUPT, f->info.offset,
			f->end - f->info.offset, "frame %" PRIu64 ": %.63s", h->frame, f->text);
		d->first_step = h->first_step;
		d->steps = h->steps;
		d->first_seq = h->first_seq;
		d->exits = h->exits;
		j->cut |= f->cut;
	}
	j->at = (struct position){ h->frame + 1, h->first_step + h->steps, h->first_seq + h->exits };
	j->end = f->end;
}

/* By number; of the same number the readable first, then as they stand in the file. */
static int compare_frames(const void *a, const void *b)
{
	const struct found_frame *x = *(const struct found_frame *const *)a,
				 *y = *(const struct found_frame *const *)b;

	if (x->info.header.frame != y->info.header.frame)
		return x->info.header.frame < y->info.header.frame ? -1 : 1;
	if (x->readable != y->readable)
		return x->readable ? -1 : 1;
	return x->info.offset < y->info.offset ? -1 : x->info.offset > y->info.offset;
}

static void judge_copy(struct judge *j, const struct found_frame *f, const struct found_frame *first)
{
	uint64_t offset = f->info.offset, size = f->end - offset;
	uint8_t a[HEADER_SIZE], b[HEADER_SIZE];

	frame_header_encode(&f->info.header, a);
	frame_header_encode(&first->info.header, b);
	if (!f->readable)
		add(j->t, DAMAGE_CORRUPT, offset, size, "frame %" PRIu64 " once more: %.63s",
		    f->info.header.frame, f->text);
	else if (memcmp(a, b, HEADER_SIZE))
		add(j->t, DAMAGE_CORRUPT, offset, size,
		    "frame %" PRIu64 " differs from the one at %" PRIu64 ": not read", f->info.header.frame,
		    first->info.offset);
	else
		add(j->t, DAMAGE_DUPLICATE, offset, size,
		    "frame %" PRIu64 " stands at %" PRIu64 " already: read once", f->info.header.frame,
		    first->info.offset);
}

static void judge_frames(struct judge *j)
{
	struct trace *t = j->t;
	struct found_frame **member = calloc(t->count.frames + 1, sizeof(*member));
	uint64_t highest = 0;
	size_t count = 0;

	if (!member)
		abort();
	for (size_t i = 0; i < t->count.frames; i++) {
		struct found_frame *f = &t->frame_at[i];
		uint64_t number = f->info.header.frame;

		if (f->info.header.session == j->id) {
			if (count && number < highest)
				add(t, DAMAGE_MOVED, f->info.offset, f->end - f->info.offset,
				    "frame %" PRIu64 " stands after frame %" PRIu64 ": read in its place",
				    number, highest);
			highest = number > highest ? number : highest;
			member[count++] = f;
		} else if (j->s == t->session_at[0] && !knows(t, f->info.header.session)) {
			add(t, DAMAGE_FOREIGN, f->info.offset, f->end - f->info.offset,
			    "frame %" PRIu64 " of session %" PRIu64 ", which the file doesn't have", number,
			    f->info.header.session);
		}
	}
	qsort(member, count, sizeof(*member), compare_frames);
	for (size_t i = 0, first = 0; i < count; i++) {
		if (i && member[i]->info.header.frame == member[first]->info.header.frame) {
			judge_copy(j, member[i], member[first]);
			continue;
		}
		first = i;
		judge_frame(j, member[i]);
	}
	free(member);
}

/* What the closing frame says there should be, against what is there. */
static void judge_closing(struct judge *j)
{
	const struct closing *c = &j->s->closing;
	const struct session_slice *slice = &j->s->session.slice;
	bool sliced = j->s->session.sliced;
	struct position to = { j->at.frame, (sliced ? slice->first_step : 0) + c->steps,
			       (sliced ? slice->first_seq : 0) + c->exits };

	for (unsigned i = 0; i < c->missing_count; i++) {
		to.step += c->missing[i].steps;
		to.seq += c->missing[i].exits;
		if (c->missing[i].steps)
			continue;
		add(j->t, DAMAGE_TRUNCATED, j->s->closing_offset, 0,
		    "repaired from a trace without a closing frame: what came after step %" PRIu64
		    " is unknown",
		    c->missing[i].first_step);
		j->cut = true;
	}
	if (to.step == j->at.step && to.seq == j->at.seq)
		return;
	if (to.step <= j->at.step || to.seq < j->at.seq) {
		add(j->t, DAMAGE_CORRUPT, j->s->closing_offset, j->s->closing_size,
		    "the closing frame ends with step %" PRIu64 ", exit %" PRIu64 "; the file has more",
		    to.step, to.seq);
		return;
	}
	if (!sliced && !c->missing_count && c->frames > to.frame)
		to.frame = c->frames;
	missing(j, to, j->s->closing_offset);
}

static int compare_damages(const void *a, const void *b)
{
	const struct trace_damage *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->first_step < y->first_step ? -1 : x->first_step > y->first_step;
}

void reader_judge(struct trace *t)
{
	struct found_session *s = t->session_at[t->wanted_session - 1];
	struct judge j = { .t = t, .s = s, .id = s->session.id };
	const char *error;

	t->chosen = s;
	t->frame_count = t->damage_count = 0;
	t->exits = t->steps = 0;
	for (size_t i = 0; i < t->count.damages; i++)
		t->damage_at[i].used = false;
	if (s->session.sliced)
		j.at = (struct position){ s->least_frame, s->session.slice.first_step,
					  s->session.slice.first_seq };
	judge_frames(&j);
	if (s->closed)
		judge_closing(&j);
	for (size_t i = 0; i < t->count.damages; i++) {
		struct found_damage *d = &t->damage_at[i];

		if (d->used || !mine(&j, d))
			continue;
		add(t, d->cut ? DAMAGE_TRUNCATED : DAMAGE_CORRUPT, d->offset, d->size, "%.127s", d->text);
		j.cut |= d->cut;
	}
	if (!s->closed && !j.cut)
		add(t, DAMAGE_TRUNCATED, t->size, 0,
		    "no closing frame: the recording was cut off after step %" PRIu64, j.at.step);
	if (!t->damage_count && t->seek_size && (error = reader_check_seek_table(t)))
		add(t, DAMAGE_CORRUPT, t->seek_offset, t->seek_size, "%s", error);
	if (t->damage_count)
		qsort(t->damage, t->damage_count, sizeof(*t->damage), compare_damages);
}

size_t trace_report_damage(const struct trace *t, FILE *to)
{
	for (size_t i = 0; i < t->damage_count; i++) {
		const struct trace_damage *d = &t->damage[i];

		fprintf(to, "vexit: %s:%" PRIu64 ": %s", t->path, d->offset, d->text);
		if (d->steps)
			fprintf(to, "; lost: steps %" PRIu64 "..%" PRIu64, d->first_step,
				d->first_step + d->steps - 1);
		if (d->exits)
			fprintf(to, ", exits %" PRIu64 "..%" PRIu64, d->first_seq,
				d->first_seq + d->exits - 1);
		else if (d->steps)
			fprintf(to, ", no exits");
		fputc('\n', to);
	}
	return t->damage_count;
}
