/*
 * Damaged traces of a guest that prints a trace: what it printed stands in ours as it is, and is data to
 * the reader whatever is broken around it (support/damage.h says what must hold).
 */
#include "support/damage.h"

/* What a guest can know: a whole recording, of another id. `known`: the attacker even knows ours. */
static uint8_t *forgery(uint64_t id, size_t *size)
{
	const struct sample o = { .seed = 7, .session = id, .frames = 1, .steps = 4, .stored = true, .open_end = true };

	return sample_trace(&o, size);
}

static struct base *base_that_prints(const uint8_t *text, size_t size, unsigned frames)
{
	const struct sample o = { .seed = 3, .session = 4711, .frames = frames, .steps = 12, .stored = true, .print = text,
				  .print_size = (uint32_t)size };

	return base_of_sample(&o);
}

/*
 * A header with its compressed frame (of an id that no session frame named) stands in each of our compressed frames, as it
 * is. With every header of ours broken in turn, the reader searches right through it.
 */
static void guest_prints_a_frame(void **state)
{
	size_t size, n;
	struct piece piece[8];
	uint8_t *bytes = forgery(12345, &size);
	struct base *b;
	struct variant *v;

	(void)state;
	n = sample_pieces(bytes, size, piece, 8);
	assert_int_equal(n, 2);
	b = base_that_prints(bytes + piece[1].offset, piece[1].size < 4096 ? piece[1].size : 4096, 70);
	v = variant_new(b);
	for (size_t i = 1; i < b->pieces; i++) {
		for (unsigned flip = 0; flip < HEADER_SIZE; flip += 1 + (unsigned)random_below(6)) {
			size_t at = b->piece[i].offset + flip;

			variant_start(v);
			v->bytes[at] ^= 0x40;
			variant_spoil(v, at, at + 1);
			snprintf(v->what, sizeof(v->what), "printed frames, byte %zu broken", at);
			variant_check(v);
		}
	}
	variant_free(v);
	base_free(b);
	free(bytes);
}

/*
 * The guest prints a session frame. It is data as long as any session frame of ours was read, whatever is broken after that.
 */
static void guest_prints_a_session(void **state)
{
	size_t size;
	struct piece piece[8];
	uint8_t *bytes = forgery(12345, &size);
	struct base *b;
	struct variant *v;

	(void)state;
	sample_pieces(bytes, size, piece, 8);
	b = base_that_prints(bytes, piece[0].size < 4096 ? piece[0].size : 4096, 4);
	v = variant_new(b);
	for (size_t i = 1; i < b->pieces; i++) {
		for (unsigned flip = 0; flip < 16; flip++) {
			variant_start(v);
			v->bytes[b->piece[i].offset + flip] ^= 0x10;
			variant_spoil(v, b->piece[i].offset + flip, b->piece[i].offset + flip + 1);
			snprintf(v->what, sizeof(v->what), "a printed session, byte %u of piece %zu broken", flip, i);
			variant_check(v);
		}
	}
	variant_free(v);
	base_free(b);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_prints_a_frame),
		cmocka_unit_test(guest_prints_a_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
