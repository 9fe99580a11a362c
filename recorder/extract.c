/*
 * extract.c: see extract.h. Whole frames are copied as they are; the session frame keeps every byte but the
 * number of the frame that follows and the slice; the closing frame is made anew from what was copied.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/extract.h"
#include "recorder/reader.h"
#include "recorder/session.h"
#include "trace/bytes.h"

/* The session frame's layout, FORMAT.md "Session frame". */
#define SESSION_FRAME_AT	24	/* u64 number of the frame that follows */
#define ENTRY_HEAD		8	/* u16 type, u16 zero, u32 size */
#define ENTRY_SLICE		5

static const uint8_t *session_bytes(const struct trace *t, size_t *size)
{
	const uint8_t *p = t->bytes + t->chosen->offset;

	*size = SKIPPABLE_HEAD_SIZE + get_le(p + 4, 4);
	return p;
}

static uint8_t *put_slice(uint8_t *p, const struct session_slice *s)
{
	p = put_le(p, ENTRY_SLICE, 2);
	p = put_le(p, 0, 2);
	p = put_le(p, 32, 4);
	p = put_le(p, s->first_step, 8);
	p = put_le(p, s->last_step, 8);
	p = put_le(p, s->first_seq, 8);
	return put_le(p, s->last_seq, 8);
}

/* The session frame, its entries uncompressed, with another frame number and, if not NULL, another slice. `out`
 * has room for SESSION_MAX. */
static size_t edit_session(const uint8_t *in, size_t size, uint64_t frame, const struct session_slice *slice,
			   uint8_t *out)
{
	const uint8_t *p = in + SESSION_ENTRIES, *end = in + size - SESSION_TAIL;
	uint8_t *to = out + SESSION_ENTRIES;

	memcpy(out, in, SESSION_ENTRIES);
	put_le(out + SESSION_FRAME_AT, frame, 8);
	if (slice && size + ENTRY_HEAD + 32 <= SESSION_MAX)
		to = put_slice(to, slice);
	while ((size_t)(end - p) >= ENTRY_HEAD) {
		size_t entry = ENTRY_HEAD + get_le(p + 4, 4);

		if (entry > (size_t)(end - p))
			break;
		if (!slice || get_le(p, 2) != ENTRY_SLICE) {
			memcpy(to, p, entry);
			to += entry;
		}
		p += entry;
	}
	return session_finish(out, (size_t)(to - out) - SESSION_ENTRIES, 0);
}

struct position {
	uint64_t step, seq;
};

/* A range that isn't in the copy. When the list is full, its last entry stands for all further ones. */
static void note_missing(struct closing *c, struct position from, uint64_t steps, uint64_t exits)
{
	if (c->missing_count == CLOSING_MISSING) {
		c->missing[CLOSING_MISSING - 1].steps += steps;
		c->missing[CLOSING_MISSING - 1].exits += exits;
		return;
	}
	c->missing[c->missing_count++] = (struct closing_missing){ from.step, steps, from.seq, exits };
}

static bool count_exits(struct extract *x, struct trace_cursor *cursor, size_t i, char *error,
			size_t error_size)
{
	const struct decoder *d = trace_cursor_decoder(cursor);
	int result = trace_cursor_load(cursor, i) ? -1 : 1;

	while (result > 0 && (result = trace_cursor_next(cursor)) > 0)
		if (d->step.kind == STEP_EXIT)
			x->exits[(d->cpu[d->step.vcpu].vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC) %
				 CLOSING_REASONS]++;
	if (result < 0)
		snprintf(error, error_size, "%s", trace_cursor_error(cursor));
	return result == 0;
}

static bool put_session(struct extract *x, struct writer *w, uint64_t frame,
			const struct session_slice *slice)
{
	uint8_t *plain = malloc(SESSION_MAX), *out = malloc(SESSION_MAX);
	const uint8_t *in;
	size_t size;
	bool ok;

	if (!plain || !out)
		abort();
	in = session_bytes(x->trace, &size);
	size = session_unpack(in, size, plain);		/* it was, when it was read */
	ok = size && writer_put(w, out, session_pack(out, edit_session(plain, size, frame, slice, out)), 0);
	free(plain);
	free(out);
	return ok;
}

static bool put_frame(struct trace_cursor *cursor, const struct frame_header *h, struct writer *w)
{
	uint8_t header[HEADER_SIZE];
	size_t size;
	const uint8_t *packed = trace_cursor_packed(cursor, &size);

	frame_header_encode(h, header);
	return writer_put(w, header, HEADER_SIZE, 0) && writer_put(w, packed, size, h->raw_size);
}

/* What the slice holds, by the numbers of its first and last frame. */
static struct session_slice slice_of(const struct extract *x)
{
	const struct frame_header *a, *b;

	if (x->first == x->end)
		return (struct session_slice){ 1, 0, 1, 0 };
	a = &x->trace->frame[x->first].header;
	b = &x->trace->frame[x->end - 1].header;
	return (struct session_slice){ a->first_step, b->first_step + b->steps - 1, a->first_seq,
				       b->first_seq + b->exits - 1 };
}

static void put_closing(struct extract *x, struct writer *w, struct closing *c, struct position at,
			bool to_the_end)
{
	const struct closing *old = trace_closing(x->trace);
	const struct session_slice *whole = &trace_session(x->trace)->slice;
	bool sliced = trace_session(x->trace)->sliced;
	uint8_t *out = malloc(CLOSING_MAX);
	struct position end;

	if (!out)
		abort();
	if (to_the_end && old) {
		c->stop = old->stop;
		c->dropped = old->dropped;
		end = (struct position){ old->steps + (sliced ? whole->first_step : 0),
					 old->exits + (sliced ? whole->first_seq : 0) };
		for (unsigned i = 0; i < old->missing_count; i++) {
			end.step += old->missing[i].steps;
			end.seq += old->missing[i].exits;
			if (!old->missing[i].steps)
				note_missing(c, at, 0, 0);
		}
		if (end.step > at.step && end.seq >= at.seq)
			note_missing(c, at, end.step - at.step, end.seq - at.seq);
	} else if (to_the_end) {
		note_missing(c, at, 0, 0);
	}
	memcpy(c->reasons, x->exits, sizeof(c->reasons));
	writer_put(w, out, closing_encode(c, out), 0);
	free(out);
}

bool extract_write(struct extract *x, struct writer *w, char *error, size_t error_size)
{
	const struct trace *t = x->trace;
	const struct session *s = trace_session(t);
	struct session_slice slice = slice_of(x), *cut = x->slice ? &slice : NULL;
	struct closing *c = calloc(1, sizeof(*c));
	struct trace_cursor *cursor = trace_cursor_new(t);
	struct position at = { 0, 0 };
	unsigned sessions = 1;
	uint64_t frame;
	bool ok;

	if (!c)
		abort();
	*error = '\0';
	if (x->slice)
		at = (struct position){ slice.first_step, slice.first_seq };
	else if (s->sliced)
		at = (struct position){ s->slice.first_step, s->slice.first_seq };
	c->session = s->id;
	frame = x->slice && x->first < x->end ? t->frame[x->first].header.frame : t->chosen->least_frame;
	ok = put_session(x, w, frame, cut);
	for (size_t i = x->first; ok && i < x->end; i++) {
		const struct frame_header *h = &t->frame[i].header;

		if (x->unreadable && x->unreadable[i])
			continue;
		if (h->first_step > at.step)
			note_missing(c, at, h->first_step - at.step, h->first_seq - at.seq);
		if (i > x->first && h->frame % SESSION_EVERY == 0) {
			ok = put_session(x, w, h->frame, cut);
			sessions++;
		}
		ok = ok && count_exits(x, cursor, i, error, error_size) && put_frame(cursor, h, w);
		at = (struct position){ h->first_step + h->steps, h->first_seq + h->exits };
		c->frames++;
		c->steps += h->steps;
		c->exits += h->exits;
		c->last_tsc = h->last_tsc;
	}
	if (ok)
		put_closing(x, w, c, at, x->end == t->frame_count);
	if (ok && sessions == 1)
		put_session(x, w, frame, cut);	/* as writer.h's own copy, against damage to the first */
	trace_cursor_free(cursor);
	free(c);
	return ok;
}
