/*
 * scan.c: finds the frames of a stream. See scan.h; the rules are FORMAT.md's, "Resynchronisation".
 *
 * In step, each frame begins where the one before it ends, and what stands there is believed if its checksum
 * is right. Out of step, a guest's own bytes may look like anything, so that only what carries a session id
 * that was named counts (guests never see the id), and a header only with the compressed frame that it
 * describes.
 */
#include <stdio.h>
#include <string.h>

#include "recorder/scan.h"
#include "recorder/session.h"
#include "trace/bytes.h"

#define HASH_BUDGET (UINT64_C(1) << 28)
#define WINDOW \
	((2u << 20) + SESSION_MAX) /* bytes kept while searching: more than any frame with its header */

enum probe { PROBE_WHOLE, PROBE_MORE, PROBE_BAD };

static const uint8_t magic_bytes[4] = { 0x5b, 0x2a, 0x4d, 0x18 };

void scan_init(struct scan *s)
{
	memset(s, 0, sizeof(*s));
	s->hash_budget = HASH_BUDGET;
}

bool scan_knows(const struct scan *s, uint64_t id)
{
	for (unsigned i = 0; i < s->id_count; i++)
		if (s->ids[i] == id)
			return true;
	return false;
}

bool scan_learn(struct scan *s, uint64_t id)
{
	if (scan_knows(s, id))
		return true;
	if (s->id_count == SCAN_SESSIONS)
		return false;
	s->ids[s->id_count++] = id;
	return true;
}

bool scan_header_sane(const struct frame_header *h)
{
	return h->raw_size <= FRAME_RAW_MAX && h->packed_size >= 4 && h->packed_size <= PACKED_MAX &&
	       h->steps > 0 && h->exits <= h->steps && h->first_step + h->steps > h->first_step &&
	       h->first_seq + h->exits >= h->first_seq && h->frame != UINT64_MAX;
}

static enum probe bad(struct scan_item *item, const char *text)
{
	snprintf(item->text, sizeof(item->text), "%s", text);
	return PROBE_BAD;
}

static enum probe probe_frame(const uint8_t *p, size_t size, struct scan_item *item)
{
	struct frame_header *h = &item->header;

	if (get_le(p + 4, 4) != HEADER_SIZE - SKIPPABLE_HEAD_SIZE)
		return bad(item, "a header of the wrong size");
	if (size < HEADER_SIZE)
		return PROBE_MORE;
	if (!frame_header_decode(p, h))
		return bad(item, "a header whose checksum is wrong");
	if (!scan_header_sane(h))
		return bad(item, "a header whose numbers can't be");
	item->has_header = true;
	item->kind = SCAN_FRAME;
	item->size = HEADER_SIZE + (uint64_t)h->packed_size;
	if (size < item->size)
		return PROBE_MORE;
	if (get_le(p + HEADER_SIZE, 4) != ZSTD_FRAME_MAGIC)
		return bad(item, "a header that no compressed frame follows");
	if (trace_hash(p + HEADER_SIZE, h->packed_size) != h->packed_hash)
		return bad(item, "a compressed frame whose checksum is wrong");
	return PROBE_WHOLE;
}

static enum probe probe_session(struct scan *s, const uint8_t *p, size_t size, struct scan_item *item)
{
	const char *error;

	item->kind = SCAN_SESSION;
	item->size = SKIPPABLE_HEAD_SIZE + get_le(p + 4, 4);
	if (item->size > SESSION_MAX)
		return bad(item, "a session frame that is too large");
	if (size < item->size)
		return PROBE_MORE;
	error = session_read(p, item->size, &s->session);
	return error ? bad(item, error) : PROBE_WHOLE;
}

static enum probe probe_closing(struct scan *s, const uint8_t *p, size_t size, struct scan_item *item)
{
	item->kind = SCAN_CLOSING;
	item->size = SKIPPABLE_HEAD_SIZE + get_le(p + 4, 4);
	if (item->size > CLOSING_MAX)
		return bad(item, "a closing frame that is too large");
	if (size < item->size)
		return PROBE_MORE;
	if (!closing_decode(p, item->size, &s->closing))
		return bad(item, "a closing frame whose checksum is wrong");
	return PROBE_WHOLE;
}

static enum probe probe_seek_table(const uint8_t *p, size_t size, struct scan_item *item)
{
	uint64_t total = SKIPPABLE_HEAD_SIZE + get_le(p + 4, 4);

	item->kind = SCAN_SEEK_TABLE;
	item->size = total;
	if (total < SKIPPABLE_HEAD_SIZE + SEEK_FOOTER_SIZE)
		return bad(item, "a seek table that is too small");
	if (size < total)
		return PROBE_MORE;
	if (get_le(p + total - 4, 4) != SEEK_FOOTER_MAGIC || p[total - 5] != 0 ||
	    get_le(p + total - SEEK_FOOTER_SIZE, 4) * SEEK_ENTRY_SIZE + SEEK_FOOTER_SIZE !=
		    total - SKIPPABLE_HEAD_SIZE)
		return bad(item, "a seek table that isn't one");
	return PROBE_WHOLE;
}

/* What begins at `p`? PROBE_MORE: the bytes so far fit, but it goes on after them. */
static enum probe probe(struct scan *s, const uint8_t *p, size_t size, struct scan_item *item)
{
	uint32_t magic;

	item->has_header = false;
	item->size = 0;
	item->kind = SCAN_DAMAGE;
	item->text[0] = '\0';
	if (size < SKIPPABLE_HEAD_SIZE + 4)
		return PROBE_MORE;
	magic = (uint32_t)get_le(p, 4);
	if (magic == SEEK_TABLE_MAGIC)
		return probe_seek_table(p, size, item);
	if (magic == ZSTD_FRAME_MAGIC)
		return bad(item, "a compressed frame without its header");
	if (magic != TRACE_MAGIC)
		return bad(item, "expected a frame, found other bytes");
	switch (get_le(p + 8, 4)) {
	case TRACE_TAG_HEADER: return probe_frame(p, size, item);
	case TRACE_TAG_SESSION: return probe_session(s, p, size, item);
	case TRACE_TAG_CLOSING: return probe_closing(s, p, size, item);
	}
	return bad(item, "a frame with an unknown tag");
}

/* The session that the item just probed belongs to. */
static uint64_t item_id(const struct scan *s, const struct scan_item *item)
{
	switch (item->kind) {
	case SCAN_FRAME: return item->header.session;
	case SCAN_SESSION: return s->session.id;
	default: return s->closing.session;
	}
}

/* As probe(), of a place that nothing says is a boundary. */
static enum probe probe_candidate(struct scan *s, const uint8_t *p, size_t size, bool final,
				  struct scan_item *item)
{
	enum probe result;

	/* A hostile file can put a header at every place, each with a megabyte to hash. */
	if (s->hash_budget < PACKED_MAX)
		return PROBE_BAD;
	result = probe(s, p, size, item);
	s->hash_budget -= result == PROBE_BAD ? item->size : 0;
	if (result == PROBE_BAD || item->kind == SCAN_DAMAGE || (result == PROBE_MORE && final))
		return PROBE_BAD;
	if (item->kind == SCAN_SEEK_TABLE) /* it has no checksum: believed only as the file's last bytes */
		return final && result == PROBE_WHOLE && size == item->size ? PROBE_WHOLE : PROBE_BAD;
	if ((result == PROBE_WHOLE || item->has_header) && s->id_count && !scan_knows(s, item_id(s, item)))
		return PROBE_BAD;
	return result;
}

/* The next place at or after `from` where a frame of ours may begin; `size`: none. */
static size_t next_candidate(const uint8_t *p, size_t from, size_t size)
{
	const uint8_t *found = from < size ? memmem(p + from, size - from, magic_bytes, sizeof(magic_bytes))
					   : NULL;

	return found ? (size_t)(found - p) : size;
}

/* Where the seek table begins that ends the file; `size`: there is none. */
static size_t final_seek_table(const uint8_t *p, size_t from, size_t size)
{
	uint64_t total;

	if (size - from < SKIPPABLE_HEAD_SIZE + SEEK_FOOTER_SIZE ||
	    get_le(p + size - 4, 4) != SEEK_FOOTER_MAGIC)
		return size;
	total = get_le(p + size - SEEK_FOOTER_SIZE, 4) * SEEK_ENTRY_SIZE + SEEK_FOOTER_SIZE +
		SKIPPABLE_HEAD_SIZE;
	if (total > size - from || get_le(p + size - total, 4) != SEEK_TABLE_MAGIC)
		return size;
	return size - total;
}

/*
 * The first byte at or after `from` where the stream is in step again. `size`: none in these bytes. *wait:
 * what begins there may be a frame, but needs more bytes.
 */
static size_t search(struct scan *s, const uint8_t *p, size_t from, size_t size, bool final, bool *wait)
{
	struct scan_item item;

	*wait = false;
	for (size_t at = from; (at = next_candidate(p, at, size)) < size; at++) {
		enum probe result = probe_candidate(s, p + at, size - at, final, &item);

		if (result == PROBE_BAD)
			continue;
		*wait = result == PROBE_MORE;
		return at;
	}
	return final ? final_seek_table(p, from, size) : size;
}

/* What a damaged frame says about its own size leads to the next boundary, if one is there. */
static bool chained(struct scan *s, const uint8_t *p, size_t size, uint64_t skip, bool final)
{
	struct scan_item item;
	enum probe result;

	if (skip < SKIPPABLE_HEAD_SIZE || skip > size)
		return false;
	if (skip == size)
		return final;
	result = probe(s, p + skip, size - skip, &item);
	return result == PROBE_WHOLE ||
	       (item.has_header && (!s->id_count || scan_knows(s, item.header.session)));
}

/* Bytes at `p` that are no frame make an item of those up to where the stream is in step again. */
static bool damaged(struct scan *s, const uint8_t *p, size_t size, bool final, struct scan_item *item)
{
	uint64_t skip = item->size;
	bool wait = false;
	size_t end;

	if (!s->lost && chained(s, p, size, skip, final))
		end = skip;
	else
		end = search(s, p, s->lost ? 0 : 1, size, final, &wait);
	if (wait)
		return false;
	if (end == size && !final && size < WINDOW)
		return false;
	s->lost = end == size && !final;
	if (s->lost)
		end -= sizeof(magic_bytes) - 1;		/* these may begin a magic number */
	item->kind = SCAN_DAMAGE;
	item->size = end;
	s->offset += end;
	return true;
}

/* The stream ends in what begins at `p`; or is it damage that only looks longer than the file? */
static bool cut(struct scan *s, const uint8_t *p, size_t size, struct scan_item *item)
{
	struct scan_item found = *item;
	bool wait;
	size_t end = search(s, p, 1, size, true, &wait);

	if (end < size) {
		found.kind = SCAN_DAMAGE;
		found.size = end;
		bad(&found, "a frame whose size is wrong");
	} else {
		found.kind = SCAN_CUT;
		found.size = size;
		bad(&found, found.has_header ? "the file ends inside a compressed frame"
					     : "the file ends inside a frame");
	}
	*item = found;
	s->offset += found.size;
	return true;
}

bool scan_next(struct scan *s, const uint8_t *bytes, uint64_t base, size_t size, bool final,
	       struct scan_item *item)
{
	const uint8_t *p = bytes + (s->offset - base);
	size_t left = size - (size_t)(s->offset - base);
	enum probe found;

	if (!left)
		return false;
	item->offset = s->offset;
	if (s->lost) {
		memset(item, 0, sizeof(*item));
		item->offset = s->offset;
		found = probe_candidate(s, p, left, final, item);
		if (found != PROBE_WHOLE) {
			bad(item, "expected a frame, found other bytes");
			item->has_header = false;
			item->size = 0;
			return found == PROBE_MORE ? false : damaged(s, p, left, final, item);
		}
	}
	found = probe(s, p, left, item);
	if (found == PROBE_MORE)
		return final ? cut(s, p, left, item) : false;
	if (found == PROBE_BAD)
		return damaged(s, p, left, final, item);
	s->lost = false;
	if (item->kind == SCAN_SESSION && !scan_learn(s, s->session.id)) {
		bad(item, "too many sessions");
		item->kind = SCAN_DAMAGE;
	}
	s->hash_budget += s->hash_budget < HASH_BUDGET ? 8 * item->size : 0;
	s->offset += item->size;
	return true;
}
