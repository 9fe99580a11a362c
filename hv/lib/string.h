/*
 * string.h: the mem* functions that the compiler, the core and zstd call, and a few for text.
 *
 * The mem* have libc's meaning, so that the core runs with either.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *a, const void *b, size_t count);

/* Bytes before the terminator, at most `limit`. */
size_t string_length(const char *text, size_t limit);

bool string_equal(const char *a, const char *b);

/* When `text` starts with `prefix`: what follows it; otherwise NULL. */
const char *string_after(const char *text, const char *prefix);

/* Copies as much of `from` as fits and terminates it (size > 0); returns whether all of it fitted. */
bool string_copy(char *to, size_t size, const char *from);

/* A whole decimal number in text[0..length): false if empty, not all digits, or beyond 64 bits. */
bool string_decimal(const char *text, size_t length, uint64_t *value);

#endif
