/*
 * option.c: the command line that the boot loader handed over.
 */
#include "guest.h"

#define LINE_SIZE 1024

static char line[LINE_SIZE]; /* words, each ended by NUL; an empty one ends them */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

void option_init(const char *from)
{
	char *to = line;

	while (*from && !is_space(*from)) /* the first word is the file's name */
		from++;
	while (*from) {
		while (is_space(*from))
			from++;
		while (*from && !is_space(*from) && to < line + LINE_SIZE - 2)
			*to++ = *from++;
		if (to > line && to[-1])
			*to++ = '\0';
		if (to >= line + LINE_SIZE - 2)
			break;
	}
	*to = '\0';
}

const char *option_string(const char *name)
{
	size_t length = strlen(name);

	for (const char *word = line; *word; word += strlen(word) + 1) {
		if (strncmp(word, name, length) != 0)
			continue;
		if (word[length] == '=')
			return word + length + 1;
		if (!word[length])
			return word + length;
	}
	return NULL;
}

bool option_given(const char *name)
{
	return option_string(name) != NULL;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

uint64_t option_number(const char *name, uint64_t fallback)
{
	const char *text = option_string(name), *p = text;
	uint64_t base = 10, value = 0;

	if (!text)
		return fallback;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	do {
		int digit = digit_value(*p);

		if (digit < 0 || (uint64_t)digit >= base) {
			printf("option %s: not a number: \"%s\"\n", name, text);
			verdict(VERDICT_ERROR);
		}
		value = value * base + (uint64_t)digit;
	} while (*++p);
	return value;
}
