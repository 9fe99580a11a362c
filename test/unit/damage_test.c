/*
 * Damaged traces: bytes that flip, files that are cut, and holes (support/damage.h says what must hold).
 *
 * `damage_test T.vxt CUTS FLIPS`: so many of each, anywhere in a trace that was recorded just now.
 */
#include "support/damage.h"

/* Every byte of a small trace, 5000 spread over a large one, a quarter of them in frames of our own. */
static void flip_bytes(struct variant *v)
{
	size_t every = v->base->size < 20000 ? 1 : v->base->size / 5000;

	variant_start(v);
	for (size_t at = 0; at < v->base->size; at += every) {
		size_t target = every > 1 && random_below(4) == 0 ?
			v->base->piece[random_below(v->base->pieces)].offset + random_below(HEADER_SIZE) : at;

		if (target >= v->base->size)
			target = at;
		v->bytes[target] ^= random_below(4) ? 1 << random_below(8) : 0xff;
		memset(v->intact, true, v->base->pieces);
		variant_spoil(v, target, target + 1);
		snprintf(v->what, sizeof(v->what), "byte %zu is %#x", target, v->bytes[target]);
		variant_check(v);
		v->bytes[target] = v->base->bytes[target];
	}
}

/* A file opened by its seek table has looked at headers alone: what is damaged shows when it is read. */
static void flip_bytes_unseen(struct variant *v)
{
	v->trusting = true;
	variant_start(v);
	for (size_t at = 0; at < v->base->size; at += 1 + v->base->size / 500) {
		v->bytes[at] ^= 1 << random_below(8);
		memset(v->intact, true, v->base->pieces);
		variant_spoil(v, at, at + 1);
		snprintf(v->what, sizeof(v->what), "byte %zu is %#x, unseen", at, v->bytes[at]);
		variant_check(v);
		v->bytes[at] = v->base->bytes[at];
	}
}

/* Two to nine bytes at once, anywhere. */
static void flip_several(struct variant *v)
{
	for (unsigned round = 0; round < 1500; round++) {
		unsigned n = 2 + (unsigned)random_below(8);

		variant_start(v);
		for (unsigned i = 0; i < n; i++) {
			size_t at = random_below(v->size);

			v->bytes[at] ^= 1 << random_below(8);
			variant_spoil(v, at, at + 1);
		}
		if (!memcmp(v->bytes, v->base->bytes, v->size))
			continue;
		snprintf(v->what, sizeof(v->what), "%u bytes flipped, round %u", n, round);
		variant_check(v);
	}
}

static void cut(struct variant *v)
{
	for (size_t i = 0; i < v->base->pieces; i++) {
		for (size_t d = 0; d < 3; d++) {
			size_t at = v->base->piece[i].offset + d - 1;

			if (at >= v->base->size)
				continue;
			variant_cut_at(v, at);
			variant_check(v);
		}
	}
	for (unsigned i = 0; i < 1000; i++) {
		variant_cut_at(v, v->base->size * i / 1000);
		variant_check(v);
	}
}

/*
 * Bytes [from, to) are left out. Where the bytes on one side of a hole are those at its other end, it might as well be a
 * little further on, or back: a piece is spoilt that no such hole leaves whole.
 */
static void leave_out(struct variant *v, size_t from, size_t to)
{
	const uint8_t *b = v->base->bytes;
	size_t back = 0, on = 0;

	while (back < from && b[from - 1 - back] == b[to - 1 - back])
		back++;
	while (to + on < v->base->size && b[from + on] == b[to + on])
		on++;
	variant_start(v);
	v->alike = to == v->size && base_whole_until(v->base, from);
	variant_spoil(v, from + on, to - back);
	memmove(v->bytes + from, v->bytes + to, v->size - to);
	v->size -= to - from;
	snprintf(v->what, sizeof(v->what), "without bytes %zu to %zu", from, to);
}

/* A hole of any size anywhere. */
static void holes(struct variant *v)
{
	for (unsigned round = 0; round < 1000; round++) {
		size_t size = v->base->size, from = random_below(size);
		size_t to = from + 1 + random_below(random_below(2) ? 16 : size - from);

		leave_out(v, from, to < size ? to : size);
		variant_check(v);
	}
}

DAMAGE(flip_bytes)
DAMAGE(flip_bytes_unseen)
DAMAGE(flip_several)
DAMAGE(cut)
DAMAGE(holes)

/* ---- A trace given by name ---- */

static struct {
	const char *path;
	unsigned long cuts, flips;
} given;

static void given_cuts(struct variant *v)
{
	for (unsigned long i = 0; i < given.cuts; i++) {
		variant_cut_at(v, random_below(v->base->size));
		variant_check(v);
	}
}

static void given_flips(struct variant *v)
{
	for (unsigned long i = 0; i < given.flips; i++) {
		size_t at = random_below(v->base->size);

		variant_start(v);
		v->bytes[at] ^= 1 << random_below(8);
		variant_spoil(v, at, at + 1);
		snprintf(v->what, sizeof(v->what), "byte %zu is %#x", at, v->bytes[at]);
		variant_check(v);
	}
}

static void file_cuts(void **state) { (void)state; damage_over(base_of_file(given.path), given_cuts); }
static void file_flips(void **state) { (void)state; damage_over(base_of_file(given.path), given_flips); }

int main(int argc, char **argv)
{
	const struct CMUnitTest of_a_file[] = { cmocka_unit_test(file_cuts), cmocka_unit_test(file_flips) };
	const struct CMUnitTest tests[] = {
		DAMAGE_TESTS(flip_bytes),
		DAMAGE_TESTS(flip_bytes_unseen),
		DAMAGE_TESTS(flip_several),
		DAMAGE_TESTS(cut),
		DAMAGE_TESTS(holes),
	};

	if (argc == 4) {
		given.path = argv[1];
		given.cuts = strtoul(argv[2], NULL, 10);
		given.flips = strtoul(argv[3], NULL, 10);
		return cmocka_run_group_tests(of_a_file, NULL, NULL);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
