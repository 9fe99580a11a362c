/*
 * encode_crossing.c: what passes through the world in a step, as bytes for its effects section. Called by
 * metal's world while the handler runs, through encode.h. It must not look at the guest's memory itself: it
 * gets the bytes that the handler got.
 */
#include "bytes.h"
#include "encode.h"

/* The frame counts as full, so that metal looks at it after this step. */
static void overflow(struct encoder *e)
{
	e->overflow = true;
	e->full_at = 0;
}

/* Up to 8 bytes, the first one lowest. */
static inline uint64_t value_of(const void *bytes, uint32_t size)
{
	uint64_t eight;
	uint32_t four;

	if (size == 8) {
		__builtin_memcpy(&eight, bytes, 8);
		return eight;
	}
	if (size == 4) {
		__builtin_memcpy(&four, bytes, 4);
		return four;
	}
	return get_le(bytes, size);
}

void encoder_crossing(struct encoder *e, enum crossing_kind kind, uint64_t addr, uint32_t size, uint64_t value,
		      const void *bytes)
{
	uint8_t *p = e->cross + e->cross_size;

	if (e->crossing_count == STEP_CROSSINGS || e->cross_size + size + 24 > sizeof(e->cross)) {
		overflow(e);
		return;
	}
	*p++ = (uint8_t)kind;
	p = put_varint(p, addr);
	p = put_varint(p, size);
	if (size <= 8) {
		p = put_varint(p, bytes ? value_of(bytes, size) : value);
	} else {
		memcpy(p, bytes, size);
		p += size;
	}
	e->cross_size = (uint32_t)(p - e->cross);
	e->crossing_count++;
}

static void remember(struct encoder *e, uint64_t gpa, uint32_t len)
{
	if (e->known_count == STEP_CROSSINGS) {
		overflow(e);
		return;
	}
	e->known[e->known_count].gpa = gpa;
	e->known[e->known_count++].len = len;
}

/* How many of `len` bytes from `gpa` are all known or all unknown; *known says which. */
static inline uint32_t known_run(const struct encoder *e, uint64_t gpa, uint32_t len, bool *known)
{
	*known = false;
	for (uint32_t i = 0; i < e->known_count; i++) {
		uint64_t start = e->known[i].gpa, behind = gpa - start;

		if (behind < e->known[i].len) {
			*known = true;
			return e->known[i].len - behind < len ? (uint32_t)(e->known[i].len - behind) : len;
		}
		if (start - gpa < len)
			len = (uint32_t)(start - gpa);
	}
	return len;
}

void encoder_mem_read(struct encoder *e, uint64_t gpa, const void *bytes, uint32_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		bool known;
		uint32_t run = known_run(e, gpa, len, &known);

		if (!known) {
			encoder_crossing(e, CROSSING_MEM_READ, gpa, run, 0, p);
			remember(e, gpa, run);
		}
		gpa += run;
		p += run;
		len -= run;
	}
}

void encoder_mem_write(struct encoder *e, uint64_t gpa, const void *bytes, uint32_t len)
{
	encoder_crossing(e, CROSSING_MEM_WRITE, gpa, len, 0, bytes);
	remember(e, gpa, len);
}
