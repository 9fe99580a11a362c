/*
 * string.c: the mem and str functions that guests use, and those that the compiler calls of its own accord.
 */
#include "guest.h"

/* Or the compiler sees that the loop in strlen() is strlen(), and calls it. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; a++, b++, n--) {
		if (*a != *b || !*a)
			return (uint8_t)*a - (uint8_t)*b;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *result = to;

	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return result;
}

void *memset(void *to, int byte, size_t n)
{
	void *result = to;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(byte) : "memory");
	return result;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if (t <= f || t >= f + n)
		return memcpy(to, from, n);
	while (n--)
		((volatile uint8_t *)t)[n] = f[n];
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; x++, y++, n--) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}
