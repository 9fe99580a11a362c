/*
 * session.c: see session.h. Called by the scanner, the seek table's index and slice. The one place on the host
 * where a session frame meets zstd; its fields are none of its business.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "recorder/session.h"

/* Small, and seldom written: worth a thorough look. */
#define PACK_LEVEL 9

size_t session_unpack(const uint8_t *in, size_t size, uint8_t *out)
{
	const uint8_t *entries = in + SESSION_ENTRIES;
	size_t packed = size - SESSION_ENTRIES - SESSION_TAIL, unpacked = session_unpacked_size(in);

	if (!unpacked) {
		memcpy(out, in, size);
		return size;
	}
	/*
	 * The size is said twice, and bounded before a byte is decompressed; nothing may stand behind the
	 * one frame.
	 */
	if (unpacked > SESSION_ENTRIES_MAX || ZSTD_getFrameContentSize(entries, packed) != unpacked ||
	    ZSTD_findFrameCompressedSize(entries, packed) != packed)
		return 0;
	memcpy(out, in, SESSION_ENTRIES);
	if (ZSTD_decompress(out + SESSION_ENTRIES, unpacked, entries, packed) != unpacked)
		return 0;
	return session_finish(out, unpacked, 0);
}

const char *session_read(const uint8_t *in, size_t size, struct session *s)
{
	const char *error = session_check(in, size);
	uint8_t *plain;
	size_t n;

	if (error || !session_unpacked_size(in))
		return error ? error : session_decode(in, size, s);
	plain = malloc(SESSION_MAX);
	if (!plain)
		abort();
	n = session_unpack(in, size, plain);
	error = n ? session_decode(plain, n, s) : "a session frame whose entries can't be decompressed";
	free(plain);
	return error;
}

size_t session_pack(uint8_t *frame, size_t size)
{
	size_t plain = size - SESSION_ENTRIES - SESSION_TAIL, n;
	uint8_t *packed = malloc(plain + 1);

	if (!packed)
		abort();
	n = ZSTD_compress(packed, plain, frame + SESSION_ENTRIES, plain, PACK_LEVEL);
	if (!ZSTD_isError(n)) {
		memcpy(frame + SESSION_ENTRIES, packed, n);
		size = session_finish(frame, n, (uint32_t)plain);
	}
	free(packed);
	return size;
}
