/*
 * symbols_pack.c: symbols as a guest prints them on its console: gzip in base64, between two lines. Called by
 * symbols.c.
 *
 * A console's log has "\r\n" and whatever else was printed meanwhile: a line that isn't base64 from its first
 * byte to its last is passed over, and gzip's checksum tells whether what is left is whole.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "recorder/symbols_table.h"

#define TEXT_MAX (64u << 20)	/* Linux' kallsyms are some 10 MB */

static int digit(uint8_t c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

struct bits {				/* RFC 4648, across lines */
	uint32_t held;
	unsigned count;
};

/* A line's bytes to `out`, which has room. Gives their number; 0: it isn't base64. */
static size_t decode_line(struct bits *b, const uint8_t *line, size_t length, uint8_t *out)
{
	size_t digits = length, n = 0;

	while (digits && length - digits < 2 && line[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++)
		if (digit(line[i]) < 0)
			return 0;
	for (size_t i = 0; i < digits; i++) {
		b->held = b->held << 6 | (uint32_t)digit(line[i]);
		b->count += 6;
		if (b->count >= 8) {
			b->count -= 8;
			out[n++] = (uint8_t)(b->held >> b->count);
		}
	}
	return n;
}

/* The gzip file's bytes. Gives their number; `*used`: to after the line SYMBOLS_END, 0: it is missing. */
static size_t decode(const uint8_t *bytes, size_t size, uint8_t *out, size_t *used)
{
	struct bits b = { 0, 0 };
	size_t at = 0, n = 0;

	*used = 0;
	while (at < size) {
		const uint8_t *line = bytes + at, *newline = memchr(line, '\n', size - at);
		size_t length = newline ? (size_t)(newline - line) : size - at;

		at += length + (newline != NULL);
		if (length >= strlen(SYMBOLS_END) && !memcmp(line, SYMBOLS_END, strlen(SYMBOLS_END))) {
			*used = at;
			return n;
		}
		while (length && line[length - 1] == '\r')
			length--;
		n += decode_line(&b, line, length, out + n);
	}
	return n;
}

static const char *inflate_text(const uint8_t *packed, size_t size, char **text, size_t *text_size)
{
	z_stream z = { .next_in = (uint8_t *)packed, .avail_in = (uInt)size };
	size_t cap = 0;
	int code = inflateInit2(&z, 15 + 16);	/* gzip's header and checksum */

	*text = NULL;
	while (code == Z_OK && cap < TEXT_MAX) {
		size_t more = cap ? cap : 1u << 20;

		*text = realloc(*text, cap + more);
		if (!*text)
			abort();
		z.next_out = (uint8_t *)*text + cap;
		z.avail_out = (uInt)more;
		cap += more;
		code = inflate(&z, Z_NO_FLUSH);
		if (code == Z_OK && z.avail_out)
			break;		/* it wants more input than there is */
	}
	*text_size = z.total_out;
	inflateEnd(&z);
	if (code == Z_STREAM_END)
		return NULL;
	free(*text);
	*text = NULL;
	return cap >= TEXT_MAX ? "packed symbols of more than 64 MiB" : "the packed symbols in it are damaged";
}

const char *symbols_unpack(const uint8_t *bytes, size_t size, char **text, size_t *text_size, size_t *used)
{
	uint8_t *packed = malloc(size + 1);
	const char *error;
	size_t n;

	if (!packed)
		abort();
	n = decode(bytes, size, packed, used);
	if (!*used)
		error = "the packed symbols in it are cut off: no line " SYMBOLS_END;
	else
		error = inflate_text(packed, n, text, text_size);
	free(packed);
	return error;
}
