/*
 * string.c: mem* and text helpers.
 *
 * Linked with everything, zstd included. The compiler must not turn these loops into calls of themselves,
 * hence REP instructions and plain byte loops with the pattern recognition switched off.
 */
#include "lib/string.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
	void *d = to;

	/*
	 * Qwords, then the rest by bytes: a REP iteration costs an instruction in Bochs, where the TSC counts
	 * them, and short copies are most of what the tracer makes.
	 */
	size_t words = count >> 3, rest = count & 7;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(rest) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t count)
{
	uint8_t *d = to;
	const uint8_t *s = from;

	if ((uintptr_t)d - (uintptr_t)s >= count) {	/* also true when d < s: the difference wraps */
		void *forward = d;

		__asm__ volatile("rep movsb" : "+D"(forward), "+S"(from), "+c"(count) : : "memory");
		return to;
	}
	while (count--)
		d[count] = s[count];
	return to;
}

void *memset(void *to, int byte, size_t count)
{
	void *d = to;
	size_t words = count >> 3, rest = count & 7;
	uint64_t pattern = 0x0101010101010101ull * (uint8_t)byte;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(pattern) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t count)
{
	size_t words = count >> 3, rest = count & 7;
	const uint8_t *p, *q;
	bool same;

	/* The codec compares some words at each step. The first compare is for no word. */
	__asm__ volatile("cmp %2, %2\n\trepe cmpsq" : "+S"(a), "+D"(b), "+c"(words), "=@cce"(same) : : "memory");
	p = a, q = b;
	if (!same) {	/* in the word before */
		p -= 8, q -= 8;
		rest = 8;
	}
	for (size_t i = 0; i < rest; i++)
		if (p[i] != q[i])
			return p[i] - q[i];
	return 0;
}

size_t string_length(const char *text, size_t limit)
{
	size_t n = 0;

	while (n < limit && text[n])
		n++;
	return n;
}

bool string_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const char *string_after(const char *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != *prefix++)
			return NULL;
	return text;
}

bool string_copy(char *to, size_t size, const char *from)
{
	size_t n = string_length(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
	return !from[n];
}

bool string_decimal(const char *text, size_t length, uint64_t *value)
{
	uint64_t v = 0;

	if (!length)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(text[i] - '0'), &v))
			return false;
	}
	*value = v;
	return true;
}
