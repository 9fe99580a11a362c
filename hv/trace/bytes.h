/*
 * bytes.h: little-endian integers and varints, for the codec alone.
 *
 * A varint is LEB128: seven bits a byte, lowest first, bit 7 set on all but the last; at most ten bytes.
 * A signed difference is zigzag-coded first, so that small steps down are short, too.
 */
#ifndef VEXIT_BYTES_H
#define VEXIT_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define VARINT_MAX 10

static inline uint64_t zigzag(uint64_t delta)
{
	return delta << 1 ^ (uint64_t)((int64_t)delta >> 63);
}

static inline uint64_t unzigzag(uint64_t z)
{
	return z >> 1 ^ -(z & 1);
}

static inline uint8_t *put_varint(uint8_t *p, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*p++ = (uint8_t)(value | 0x80);
	*p++ = (uint8_t)value;
	return p;
}

static inline uint8_t *put_signed(uint8_t *p, uint64_t delta)
{
	return put_varint(p, zigzag(delta));
}

static inline uint8_t *put_le(uint8_t *p, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		*p++ = (uint8_t)(value >> 8 * i);
	return p;
}

static inline uint64_t get_le(const uint8_t *p, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)p[i] << 8 * i;
	return value;
}

/* A bounded reader. After an overrun or a varint of more than 64 bits, `bad` is set and all reads give 0. */
struct reader {
	const uint8_t *p, *end;
	bool bad;
};

static inline uint64_t read_varint_slow(struct reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; r->p < r->end; shift += 7) {
		uint8_t byte = *r->p++;

		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	r->bad = true;
	r->p = r->end;
	return 0;
}

static inline uint64_t read_varint(struct reader *r)
{
	if (r->p < r->end && *r->p < 0x80)
		return *r->p++;
	return read_varint_slow(r);
}

static inline uint64_t read_signed(struct reader *r)
{
	return unzigzag(read_varint(r));
}

/* `size` bytes in place, or NULL. */
static inline const uint8_t *read_bytes(struct reader *r, uint64_t size)
{
	const uint8_t *bytes = r->p;

	if (size > (uint64_t)(r->end - r->p)) {
		r->bad = true;
		r->p = r->end;
		return NULL;
	}
	r->p += size;
	return bytes;
}

static inline uint64_t read_le(struct reader *r, unsigned size)
{
	const uint8_t *bytes = read_bytes(r, size);

	return bytes ? get_le(bytes, size) : 0;
}

#endif
