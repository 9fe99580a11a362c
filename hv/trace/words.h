/*
 * words.h: whether two arrays of words are the same; compared at each step.
 *
 * One instruction and one for each word, where a loop takes five: worth the only assembly in the core, which
 * does what memcmp() would.
 */
#ifndef VEXIT_TRACE_WORDS_H
#define VEXIT_TRACE_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool same_words(const uint64_t *a, const uint64_t *b, uint64_t count)
{
#ifdef __x86_64__
	bool same;

	/* The first compare is for a count of 0. */
	__asm__("cmp %2, %2\n\trepe cmpsq"
		: "+S"(a), "+D"(b), "+c"(count), "=@cce"(same)
		: "m"(*(const uint64_t (*)[])a), "m"(*(const uint64_t (*)[])b));
	return same;
#else
	return memcmp(a, b, 8 * count) == 0;
#endif
}

#endif
