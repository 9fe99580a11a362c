/*
 * damage.h: a trace, variants of it that have been damaged, and what must hold of each: whatever happens
 * to a file's bytes, the reader gives the same steps as before or says what is missing; never other steps,
 * and every frame that wasn't touched is still read.
 *
 * Each variant is opened from memory. A frame of it is decoded only if its bytes aren't those of the
 * undamaged frame of that number, so that tens of thousands of variants take seconds.
 */
#ifndef VEXIT_DAMAGE_H
#define VEXIT_DAMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/trace.h"
#include "support/random.h"
#include "support/sample.h"

#define PIECES_MAX 4096

/* The undamaged trace. */
struct base {
	char name[128];
	uint8_t *bytes;
	size_t size;
	struct piece piece[PIECES_MAX];
	size_t pieces;
	uint64_t steps, exits;
	uint64_t digest[PIECES_MAX];		/* by piece; frames only */
	struct session session;
};

/* A variant under test: bytes, and what was done to them. */
struct variant {
	const struct base *base;
	uint8_t *bytes;
	size_t size;
	bool intact[PIECES_MAX];		/* this piece of the base is in it, whole */
	bool alike;				/* it may pass for a whole trace */
	bool trusting;				/* open it by its seek table, so that damage shows when a frame is loaded */
	char what[128];
	unsigned printed;
};

struct base *base_of_sample(const struct sample *o);
struct base *base_of_file(const char *path);
void base_free(struct base *b);

/* What stands behind the closing frame (the session frame once more, the seek table) may be missing. */
bool base_whole_until(const struct base *b, size_t at);

struct variant *variant_new(const struct base *b);
void variant_free(struct variant *v);

/* The base as it is; nothing. */
void variant_start(struct variant *v);
void variant_empty(struct variant *v);

/* Bytes [from, to) of the base are no longer what they were; an insertion has from == to. */
void variant_spoil(struct variant *v, size_t from, size_t to);

/* The base cut at a byte; with bytes inserted; a piece of the base added to what is there. */
void variant_cut_at(struct variant *v, size_t at);
void variant_insert(struct variant *v, size_t at, const uint8_t *bytes, size_t size);
void variant_append(struct variant *v, size_t piece);

/* What must hold. A variant of which it doesn't is written to $TMPDIR, and the test fails by that file's name. */
void variant_check(struct variant *v);

/* One kind of damage, done to a variant again and again. */
typedef void damage_fn(struct variant *v);

/* Over a trace, which is freed; over three samples; over a third of the golden traces (FULL=1: all of them). */
void damage_over(struct base *b, damage_fn *damage);
void damage_over_samples(damage_fn *damage);
void damage_over_golden(damage_fn *damage);

/* The two cases of a damage_fn: DAMAGE(name) defines them, DAMAGE_TESTS(name) names them to cmocka. */
#define DAMAGE(name) \
	static void sample_##name(void **state) { (void)state; damage_over_samples(name); } \
	static void golden_##name(void **state) { (void)state; damage_over_golden(name); }
#define DAMAGE_TESTS(name) cmocka_unit_test(sample_##name), cmocka_unit_test(golden_##name)

#endif
