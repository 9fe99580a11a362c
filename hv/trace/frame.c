/*
 * frame.c: header and closing frames ⇄ bytes. Called by metal, the recorder, slice and repair.
 */
#include "bytes.h"
#include "frame.h"

#define SKIPPABLE_HEAD 8	/* magic and size */
#define HASH_SIZE 8

static uint8_t *begin_frame(uint8_t *out, uint32_t tag)
{
	uint8_t *p = put_le(out, TRACE_MAGIC, 4);

	p = put_le(p, 0, 4);
	return put_le(p, tag, 4);
}

/* Fill in the size, append the hash; gives the bytes of the whole frame. */
static size_t end_frame(uint8_t *out, uint8_t *p)
{
	put_le(out + 4, (uint64_t)(p - out) + HASH_SIZE - SKIPPABLE_HEAD, 4);
	p = put_le(p, trace_hash(out, (size_t)(p - out)), HASH_SIZE);
	return (size_t)(p - out);
}

static bool frame_is(const uint8_t *in, size_t size, uint32_t tag)
{
	return size >= SKIPPABLE_HEAD + 4 + HASH_SIZE && get_le(in, 4) == TRACE_MAGIC &&
	       get_le(in + 4, 4) == size - SKIPPABLE_HEAD && get_le(in + 8, 4) == tag &&
	       get_le(in + size - HASH_SIZE, 8) == trace_hash(in, size - HASH_SIZE);
}

void frame_header_encode(const struct frame_header *h, uint8_t out[HEADER_SIZE])
{
	uint8_t *p = begin_frame(out, TRACE_TAG_HEADER);

	p = put_le(p, h->flags, 4);
	p = put_le(p, h->session, 8);
	p = put_le(p, h->frame, 8);
	p = put_le(p, h->first_step, 8);
	p = put_le(p, h->first_seq, 8);
	p = put_le(p, h->steps, 4);
	p = put_le(p, h->exits, 4);
	p = put_le(p, h->vcpus, 4);
	p = put_le(p, 0, 4);
	p = put_le(p, h->reasons[0], 8);
	p = put_le(p, h->reasons[1], 8);
	p = put_le(p, h->first_tsc, 8);
	p = put_le(p, h->last_tsc, 8);
	p = put_le(p, h->raw_size, 4);
	p = put_le(p, h->packed_size, 4);
	p = put_le(p, h->packed_hash, 8);
	end_frame(out, p);
}

bool frame_header_decode(const uint8_t in[HEADER_SIZE], struct frame_header *h)
{
	struct reader r = { in + 12, in + HEADER_SIZE - HASH_SIZE, false };

	if (!frame_is(in, HEADER_SIZE, TRACE_TAG_HEADER))
		return false;
	h->flags = (uint32_t)read_le(&r, 4);
	h->session = read_le(&r, 8);
	h->frame = read_le(&r, 8);
	h->first_step = read_le(&r, 8);
	h->first_seq = read_le(&r, 8);
	h->steps = (uint32_t)read_le(&r, 4);
	h->exits = (uint32_t)read_le(&r, 4);
	h->vcpus = (uint32_t)read_le(&r, 4);
	read_le(&r, 4);
	h->reasons[0] = read_le(&r, 8);
	h->reasons[1] = read_le(&r, 8);
	h->first_tsc = read_le(&r, 8);
	h->last_tsc = read_le(&r, 8);
	h->raw_size = (uint32_t)read_le(&r, 4);
	h->packed_size = (uint32_t)read_le(&r, 4);
	h->packed_hash = read_le(&r, 8);
	return h->raw_size <= FRAME_RAW_MAX && h->steps > 0 && h->exits <= h->steps;
}

size_t closing_encode(const struct closing *c, uint8_t *out)
{
	uint8_t *p = begin_frame(out, TRACE_TAG_CLOSING);
	uint32_t reasons = 0;

	for (unsigned i = 0; i < CLOSING_REASONS; i++)
		reasons += c->reasons[i] != 0;
	p = put_le(p, 0, 4);
	p = put_le(p, c->session, 8);
	p = put_le(p, c->frames, 8);
	p = put_le(p, c->steps, 8);
	p = put_le(p, c->exits, 8);
	p = put_le(p, c->last_tsc, 8);
	p = put_le(p, c->stop.kind, 4);
	p = put_le(p, c->missing_count, 4);
	p = put_le(p, c->stop.value, 8);
	p = put_le(p, c->dropped, 8);
	p = put_le(p, reasons, 8);
	for (unsigned i = 0; i < CLOSING_REASONS; i++) {
		if (c->reasons[i] == 0)
			continue;
		p = put_le(p, i, 8);
		p = put_le(p, c->reasons[i], 8);
	}
	for (unsigned i = 0; i < c->missing_count && i < CLOSING_MISSING; i++) {
		p = put_le(p, c->missing[i].first_step, 8);
		p = put_le(p, c->missing[i].steps, 8);
		p = put_le(p, c->missing[i].first_seq, 8);
		p = put_le(p, c->missing[i].exits, 8);
	}
	return end_frame(out, p);
}

bool closing_decode(const uint8_t *in, size_t size, struct closing *c)
{
	struct reader r;
	uint64_t reasons;

	if (!frame_is(in, size, TRACE_TAG_CLOSING))
		return false;
	r = (struct reader){ in + 12, in + size - HASH_SIZE, false };
	read_le(&r, 4);
	memset(c, 0, sizeof(*c));
	c->session = read_le(&r, 8);
	c->frames = read_le(&r, 8);
	c->steps = read_le(&r, 8);
	c->exits = read_le(&r, 8);
	c->last_tsc = read_le(&r, 8);
	c->stop.kind = (uint32_t)read_le(&r, 4);
	c->missing_count = (uint32_t)read_le(&r, 4);
	c->stop.value = read_le(&r, 8);
	c->dropped = read_le(&r, 8);
	reasons = read_le(&r, 8);
	if (reasons > CLOSING_REASONS || c->missing_count > CLOSING_MISSING)
		return false;
	for (uint64_t i = 0; i < reasons; i++) {
		uint64_t reason = read_le(&r, 8);

		c->reasons[reason % CLOSING_REASONS] = read_le(&r, 8);
	}
	for (unsigned i = 0; i < c->missing_count; i++) {
		c->missing[i].first_step = read_le(&r, 8);
		c->missing[i].steps = read_le(&r, 8);
		c->missing[i].first_seq = read_le(&r, 8);
		c->missing[i].exits = read_le(&r, 8);
	}
	return !r.bad && r.p == r.end;
}
