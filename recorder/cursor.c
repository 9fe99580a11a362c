/*
 * cursor.c: a frame by its number: its bytes, checked and decompressed, and a decoder that stands before its
 * first step.
 *
 * Behind trace.h; one cursor a thread. Nothing here changes the trace.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "recorder/reader.h"

struct trace_cursor {
	const struct trace *trace;
	const struct trace_frame_info *info;	/* of the frame loaded, or NULL */
	ZSTD_DCtx *zstd;
	size_t raw_size;
	char error[256];
	struct decoder decoder;
	uint8_t raw[FRAME_RAW_MAX];
};

struct trace_cursor *trace_cursor_new(const struct trace *t)
{
	struct trace_cursor *c = calloc(1, sizeof(*c));

	if (!c || !(c->zstd = ZSTD_createDCtx()))
		abort();
	c->trace = t;
	return c;
}

void trace_cursor_free(struct trace_cursor *c)
{
	if (!c)
		return;
	ZSTD_freeDCtx(c->zstd);
	free(c);
}

static int fail(struct trace_cursor *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct trace_cursor *c, const char *format, ...)
{
	const struct trace_frame_info *f = c->info;
	va_list args;
	int n;

	n = snprintf(c->error, sizeof(c->error),
		     "%s:%" PRIu64 ": frame %" PRIu64 " (steps %" PRIu64 "..%" PRIu64 "): ", c->trace->path,
		     f->packed_offset, f->header.frame, f->header.first_step,
		     f->header.first_step + f->header.steps - 1);
	va_start(args, format);
	if (n > 0 && (size_t)n < sizeof(c->error))
		vsnprintf(c->error + n, sizeof(c->error) - (size_t)n, format, args);
	va_end(args);
	return -1;
}

int trace_cursor_load(struct trace_cursor *c, size_t i)
{
	const struct trace *t = c->trace;
	const struct frame_header *h;
	const uint8_t *packed;
	size_t n;

	c->info = &t->frame[i];
	h = &c->info->header;
	if (c->info->packed_offset > t->size || h->packed_size > t->size - c->info->packed_offset)
		return fail(c, "%" PRIu32 " bytes expected, the file ends before", h->packed_size);
	packed = t->bytes + c->info->packed_offset;
	if (trace_hash(packed, h->packed_size) != h->packed_hash)
		return fail(c, "checksum %016" PRIx64 " expected, found %016" PRIx64, h->packed_hash,
			    trace_hash(packed, h->packed_size));
	if (ZSTD_getFrameContentSize(packed, h->packed_size) != h->raw_size)
		return fail(c, "a compressed frame of %" PRIu32 " bytes expected, found another size",
			    h->raw_size);
	n = ZSTD_decompressDCtx(c->zstd, c->raw, sizeof(c->raw), packed, h->packed_size);
	if (ZSTD_isError(n))
		return fail(c, "zstd: %s", ZSTD_getErrorName(n));
	if (n != h->raw_size)
		return fail(c, "%" PRIu32 " raw bytes expected, found %zu", h->raw_size, n);
	c->raw_size = n;
	if (decoder_open(&c->decoder, &t->chosen->session, h, c->raw, n))
		return fail(c, "raw byte %" PRIu32 ": %s", c->decoder.error_at, c->decoder.error);
	return 0;
}

struct decoder *trace_cursor_decoder(struct trace_cursor *c)
{
	return &c->decoder;
}

int trace_cursor_next(struct trace_cursor *c)
{
	int result = decoder_next(&c->decoder);

	if (result < 0)
		fail(c, "step %" PRIu64 ", raw byte %" PRIu32 ": %s", c->decoder.next_step,
		     c->decoder.error_at, c->decoder.error);
	return result;
}

const char *trace_cursor_error(const struct trace_cursor *c)
{
	return c->error;
}

const uint8_t *trace_cursor_raw(const struct trace_cursor *c, size_t *size)
{
	*size = c->raw_size;
	return c->raw;
}

const uint8_t *trace_cursor_packed(const struct trace_cursor *c, size_t *size)
{
	*size = c->info->header.packed_size;
	return c->trace->bytes + c->info->packed_offset;
}
