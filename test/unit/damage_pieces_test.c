/*
 * Damaged traces: pieces lost, doubled and moved, garbage between them and in them, and pieces of another
 * recording (support/damage.h says what must hold; traces/FORMAT.md, what the pieces are).
 */
#include "support/damage.h"
#include "trace/bytes.h"

/* Each piece left out, or twice. */
static void pieces_lost_and_doubled(struct variant *v)
{
	size_t n = v->base->pieces;

	for (size_t target = 0; target < n; target += n > 300 ? 1 + random_below(n / 150) : 1) {
		enum piece_kind kind = v->base->piece[target].kind;

		variant_empty(v);
		for (size_t i = 0; i < n; i++)
			if (i != target)
				variant_append(v, i);
		v->alike = kind == PIECE_SEEK_TABLE;
		snprintf(v->what, sizeof(v->what), "without piece %zu", target);
		variant_check(v);

		variant_empty(v);
		for (size_t i = 0; i < n; i++) {
			variant_append(v, i);
			if (i == target)
				variant_append(v, i);
		}
		v->alike = kind == PIECE_SEEK_TABLE || !target;	/* as a file after one that has nothing but the start */
		snprintf(v->what, sizeof(v->what), "with piece %zu twice", target);
		variant_check(v);
	}
}

/* Each piece moved to another place; the first session frame stays, for nothing can be read before it. */
static void pieces_moved(struct variant *v)
{
	size_t n = v->base->pieces;

	for (unsigned round = 0; n > 2 && round < 500; round++) {
		size_t from = 1 + random_below(n - 1), to = 1 + random_below(n - 1);

		if (from == to)
			continue;
		variant_empty(v);
		for (size_t i = 0; i < n; i++) {
			if (i == from)
				continue;
			if (i == to && to < from)
				variant_append(v, from);
			variant_append(v, i);
			if (i == to && to > from)
				variant_append(v, from);
		}
		snprintf(v->what, sizeof(v->what), "piece %zu stands at piece %zu", from, to);
		variant_check(v);
	}
}

/* Bytes that are no frame, in the middle of pieces and between them: noise, zeros, and parts of the trace itself. */
static void garbage(struct variant *v)
{
	static uint8_t bytes[70000];

	for (unsigned round = 0; round < 1000; round++) {
		size_t size = 1 + random_below(random_below(8) ? 200 : sizeof(bytes)), at, from;

		at = random_below(2) ? v->base->piece[random_below(v->base->pieces)].offset : random_below(v->base->size);
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)random_below(256);
		switch (random_below(4)) {
		case 0:
			memset(bytes, 0, size);
			break;
		case 1:		/* a frame of ours that ends too early: by enough that what follows can't be its end */
			from = v->base->piece[random_below(v->base->pieces)].offset;
			size = size < v->base->size - from ? size : v->base->size - from;
			for (size_t i = 0; i < v->base->pieces; i++)
				if (v->base->piece[i].offset == from && size > v->base->piece[i].size - 4)
					size = v->base->piece[i].size - 4;
			memcpy(bytes, v->base->bytes + from, size);
			break;
		case 2:		/* the magic number, and a size */
			put_le(bytes, TRACE_MAGIC, 4);
			put_le(bytes + 4, random_below(300), 4);
			put_le(bytes + 8, TRACE_TAG_HEADER, 4);
			size = size < 12 ? 12 : size;
			break;
		}
		variant_insert(v, at, bytes, size);
		snprintf(v->what, sizeof(v->what), "%zu strange bytes at %zu, round %u", size, at, round);
		variant_check(v);
	}
}

/* Frames of another recording between ours, with and without their session frame. */
static void transplants(struct variant *v)
{
	const struct sample other = { .seed = 99, .session = v->base->session.id + 1, .frames = 3, .steps = 30 };
	static struct piece piece[64];
	size_t size, n;
	uint8_t *bytes = sample_trace(&other, &size);

	n = sample_pieces(bytes, size, piece, 64);
	for (size_t target = 1; target <= v->base->pieces; target += v->base->pieces > 60 ? v->base->pieces / 60 : 1) {
		size_t at = target < v->base->pieces ? v->base->piece[target].offset : v->base->size;

		for (size_t i = 1; i < n; i++) {
			variant_insert(v, at, bytes + piece[i].offset, piece[i].size);
			/* The table of a file that goes on, or a later one's: nothing of this session. */
			v->alike = piece[i].kind != PIECE_FRAME;
			snprintf(v->what, sizeof(v->what), "another session's piece %zu at %zu", i, at);
			variant_check(v);
		}
		variant_insert(v, at, bytes, size);
		v->alike = true;		/* a second session in the file is no damage to the first */
		snprintf(v->what, sizeof(v->what), "another session at %zu", at);
		variant_check(v);
	}
	free(bytes);
}

DAMAGE(pieces_lost_and_doubled)
DAMAGE(pieces_moved)
DAMAGE(garbage)
DAMAGE(transplants)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAMAGE_TESTS(pieces_lost_and_doubled),
		DAMAGE_TESTS(pieces_moved),
		DAMAGE_TESTS(garbage),
		DAMAGE_TESTS(transplants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
