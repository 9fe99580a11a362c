/*
 * seek.c: the seek table at a trace's end (zstd's seekable format): indexing by it, and checking it.
 *
 * The table has no checksum, so nothing is taken from it that the headers in the file don't confirm.
 */
#include <stdlib.h>

#include "recorder/reader.h"
#include "recorder/session.h"
#include "trace/bytes.h"

struct table {
	const uint8_t *entry;
	uint64_t count, base,
		offset; /* entries; file offsets of the first frame listed and of the table itself */
};

/* The table at `offset`, which ends at `end`. false: its sizes don't lead there. */
static bool table_open(const struct trace *t, uint64_t offset, uint64_t end, struct table *table)
{
	uint64_t sum = 0;

	table->entry = t->bytes + offset + SKIPPABLE_HEAD_SIZE;
	table->count = (end - offset - SKIPPABLE_HEAD_SIZE - SEEK_FOOTER_SIZE) / SEEK_ENTRY_SIZE;
	for (uint64_t i = 0; i < table->count; i++)
		sum += get_le(table->entry + i * SEEK_ENTRY_SIZE, 4);
	if (sum > offset)
		return false;
	table->base = offset - sum;
	table->offset = offset;
	return true;
}

/* The frame at `offset`, as entry i has it: NULL, or what is wrong. A header's frame is entry i + 1. */
static const char *check_entry(const struct trace *t, const struct table *table, uint64_t i, uint64_t offset,
			       struct frame_header *h, bool *header)
{
	const uint8_t *p = t->bytes + offset, *entry = table->entry + i * SEEK_ENTRY_SIZE;
	uint64_t size = get_le(entry, 4);

	*header = false;
	if (size < 12)
		return "the seek table lists a frame that is too small";
	if (get_le(p, 4) != TRACE_MAGIC || get_le(p + 4, 4) != size - SKIPPABLE_HEAD_SIZE ||
	    get_le(entry + 4, 4))
		return "the seek table doesn't agree with the frames";
	if (get_le(p + 8, 4) != TRACE_TAG_HEADER)
		return NULL;
	*header = true;
	if (size != HEADER_SIZE || !frame_header_decode(p, h) || !scan_header_sane(h))
		return "the seek table leads to a header that isn't one";
	if (i + 1 == table->count || get_le(entry + SEEK_ENTRY_SIZE, 4) != h->packed_size ||
	    get_le(entry + SEEK_ENTRY_SIZE + 4, 4) != h->raw_size)
		return "the seek table doesn't agree with a header";
	return NULL;
}

const char *reader_check_seek_table(const struct trace *t)
{
	struct table table;
	struct frame_header h;
	uint64_t offset;
	const char *error;
	bool header;

	if (!table_open(t, t->seek_offset, t->seek_offset + t->seek_size, &table))
		return "the seek table lists more bytes than there are before it";
	offset = table.base;
	for (uint64_t i = 0; i < table.count; i++) {
		error = check_entry(t, &table, i, offset, &h, &header);
		if (error)
			return error;
		offset += get_le(table.entry + i * SEEK_ENTRY_SIZE, 4);
		if (header)
			offset += get_le(table.entry + ++i * SEEK_ENTRY_SIZE, 4);
	}
	return NULL;
}

/* One entry (two with a header's frame) into the index. false: scan instead. */
static bool index_entry(struct trace *t, const struct table *table, uint64_t *i, uint64_t *offset,
			struct frame_header *last)
{
	uint64_t size = get_le(table->entry + *i * SEEK_ENTRY_SIZE, 4);
	const uint8_t *p = t->bytes + *offset;
	struct scan_item item = { .kind = SCAN_FRAME, .offset = *offset, .has_header = true };
	struct frame_header *h = &item.header;
	bool header;

	if (check_entry(t, table, *i, *offset, h, &header))
		return false;
	*i += 1;
	*offset += size;
	if (header) {
		bool first = !last->steps;

		if (!scan_knows(&t->scan, h->session) ||
		    (!first && (h->session != last->session || h->frame != last->frame + 1 ||
				h->first_step != last->first_step + last->steps ||
				h->first_seq != last->first_seq + last->exits)))
			return false;
		*last = *h;
		*i += 1;
		*offset += h->packed_size;
		item.size = HEADER_SIZE + (uint64_t)h->packed_size;
		reader_add_frame(t, &item);
		return true;
	}
	if (get_le(p + 8, 4) == TRACE_TAG_SESSION && !session_read(p, size, &t->scan.session)) {
		reader_add_session(t, &t->scan.session, item.offset);
		return scan_learn(&t->scan, t->scan.session.id);
	}
	if (get_le(p + 8, 4) != TRACE_TAG_CLOSING || !closing_decode(p, size, &t->scan.closing))
		return false;
	reader_add_closing(t, &t->scan.closing, item.offset, size);
	return true;
}

/* Room for `size` bytes at the end of the file that are a seek table; gives its offset, or 0. */
static uint64_t find_table(const struct trace *t)
{
	const uint8_t *end = t->bytes + t->size;
	uint64_t total;

	if (t->size < SKIPPABLE_HEAD_SIZE + SEEK_FOOTER_SIZE || get_le(end - 4, 4) != SEEK_FOOTER_MAGIC ||
	    end[-5])
		return 0;
	total = get_le(end - SEEK_FOOTER_SIZE, 4) * SEEK_ENTRY_SIZE + SEEK_FOOTER_SIZE;
	if (total + SKIPPABLE_HEAD_SIZE >= t->size)
		return 0;
	end -= total + SKIPPABLE_HEAD_SIZE;
	return get_le(end, 4) == SEEK_TABLE_MAGIC && get_le(end + 4, 4) == total ? (uint64_t)(end - t->bytes)
										 : 0;
}

bool reader_index_by_seek_table(struct trace *t)
{
	struct frame_header last = { 0 };
	struct table table;
	uint64_t offset = 0, i = 0;
	uint64_t at = find_table(t);

	if (!at || !table_open(t, at, t->size, &table) || table.base)
		return false;
	while (i < table.count && index_entry(t, &table, &i, &offset, &last))
		;
	if (i < table.count) {
		t->count.frames = 0;
		while (t->count.sessions)
			free(t->session_at[--t->count.sessions]);
		t->owned_by_session = false;
		scan_init(&t->scan);
		return false;
	}
	t->seek_offset = at;
	t->seek_size = t->size - at;
	t->scan.offset = t->size;
	t->settled = t->count;
	return true;
}
