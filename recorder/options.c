/*
 * options.c: parses a subcommand's options by its rows, and prints its --help from them.
 *
 * Called first by every cmd_NAME(). It prints and gives a status; it never exits.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/command.h"
#include "recorder/options.h"
#include "recorder/trace.h"

#define ROWS_MAX	48
#define CODE_HELP	256			/* long options without a letter: CODE_HELP + 1 + row */
#define DONE(status)	(-1 - (status))
#define HELP_COLUMN	28

static void help_wrapped(const char *text, int column)
{
	const char *line;

	while ((line = strchr(text, '\n'))) {
		printf("%.*s\n%*s", (int)(line - text), text, column, "");
		text = line + 1;
	}
	printf("%s\n", text);
}

static void print_help(const struct command *c)
{
	printf("usage: vexit %s %s\n\n%s\n\n", c->name, c->synopsis, c->help);
	for (unsigned i = 0; i < c->row_count; i++) {
		const struct option_row *r = &c->rows[i];
		char left[80], letter[8] = "    ";
		int n;

		if (r->letter)
			snprintf(letter, sizeof(letter), "-%c, ", r->letter);
		n = snprintf(left, sizeof(left), "  %s--%s%s%s", letter, r->name,
			     r->type == OPTION_FLAG ? "" : " ", r->type == OPTION_FLAG ? "" : r->argument);
		printf("%s%s%*s", left, n < HELP_COLUMN ? "" : "\n",
		       n < HELP_COLUMN ? HELP_COLUMN - n : HELP_COLUMN, "");
		help_wrapped(r->help, HELP_COLUMN);
	}
	printf("%-*sthis text\n", HELP_COLUMN, "      --help");
}

static bool parse_number(const char *text, uint64_t *value, const char **end)
{
	char *stop;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &stop, 0);
	*end = stop;
	return !errno;
}

bool options_size(const char *text, uint64_t *bytes)
{
	const char *end;
	uint64_t value;
	unsigned shift = 20;

	if (!parse_number(text, &value, &end))
		return false;
	switch (toupper((unsigned char)*end)) {
	case 'K': shift = 10; end++; break;
	case 'M': end++; break;
	case 'G': shift = 30; end++; break;
	}
	if (*end == 'i' || *end == 'I')
		end++;
	if (*end == 'B' || *end == 'b')
		end++;
	*bytes = value << shift;
	return !*end && *bytes >> shift == value;
}

static bool parse_seconds(const char *text, uint64_t *ms)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value > 0) || value > 1e9)
		return false;
	*ms = (uint64_t)(value * 1000 + 0.5);
	return true;
}

static bool parse_choice(const char *words, const char *text, int *choice)
{
	size_t length = strlen(text);

	for (int i = 0; words; i++) {
		const char *end = strchr(words, '|');
		size_t n = end ? (size_t)(end - words) : strlen(words);

		if (n == length && !strncasecmp(words, text, n)) {
			*choice = i;
			return true;
		}
		words = end ? end + 1 : NULL;
	}
	return false;
}

/* NULL, or what was expected. */
static const char *parse_value(const struct option_row *r, const char *text)
{
	static char expected[128];
	uint64_t *number = r->value;
	const char *end;

	switch (r->type) {
	case OPTION_FLAG:
		*(bool *)r->value = true;
		return NULL;
	case OPTION_TEXT:
		*(const char **)r->value = text;
		return NULL;
	case OPTION_NUMBER:
		if (parse_number(text, number, &end) && !*end && *number >= r->min &&
		    (!r->max || *number <= r->max))
			return NULL;
		if (!r->max)
			return "a number";
		snprintf(expected, sizeof(expected), "a number from %llu to %llu", (unsigned long long)r->min,
			 (unsigned long long)r->max);
		return expected;
	case OPTION_SIZE:
		return options_size(text, number) ? NULL : "a size like 256M or 1G";
	case OPTION_SECONDS:
		return parse_seconds(text, number) ? NULL : "seconds";
	case OPTION_RANGE:
		return trace_parse_range(text, &number[0], &number[1]) ? NULL : "A..B, A.., ..B or A";
	case OPTION_REASON:
		*(int *)r->value = trace_parse_reason(text);
		return *(int *)r->value >= 0
			       ? NULL
			       : "an exit reason's name, as in hv/include/exits.def, or its number";
	case OPTION_CHOICE:
		return parse_choice(r->argument, text, r->value) ? NULL : r->argument;
	}
	return "another value";
}

static void build_tables(const struct command *c, struct option *longs, char *shorts)
{
	*shorts++ = ':';
	for (unsigned i = 0; i < c->row_count; i++) {
		const struct option_row *r = &c->rows[i];
		bool argument = r->type != OPTION_FLAG;

		longs[i] = (struct option){ r->name, argument ? required_argument : no_argument, NULL,
					    CODE_HELP + 1 + (int)i };
		if (r->letter) {
			*shorts++ = r->letter;
			if (argument)
				*shorts++ = ':';
		}
	}
	longs[c->row_count] = (struct option){ "help", no_argument, NULL, CODE_HELP };
	longs[c->row_count + 1] = (struct option){ 0 };
	*shorts = '\0';
}

static const struct option_row *find_row(const struct command *c, int code)
{
	if (code > CODE_HELP)
		return &c->rows[code - CODE_HELP - 1];
	for (unsigned i = 0; i < c->row_count; i++)
		if (c->rows[i].letter == code)
			return &c->rows[i];
	return NULL;
}

int options_parse(const struct command *c, int argc, char **argv)
{
	struct option longs[ROWS_MAX + 2];
	char shorts[2 * ROWS_MAX + 2];
	int code, count;

	if (c->row_count > ROWS_MAX)
		abort();
	build_tables(c, longs, shorts);
	optind = 0;	/* glibc: start anew */
	opterr = 0;
	while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const char *word = argv[optind - 1], *expected;
		const struct option_row *r;

		if (code == CODE_HELP) {
			print_help(c);
			return DONE(EXIT_OK);
		}
		if (code == ':')
			return DONE(command_usage(c->name, "%s needs a value", word));
		if (code == '?' || !(r = find_row(c, code)))
			return DONE(optopt && optopt < CODE_HELP
					    ? command_usage(c->name, "unknown option '-%c'", optopt)
					    : command_usage(c->name, "unknown option '%s'", word));
		expected = parse_value(r, optarg);
		if (expected)
			return DONE(
				command_usage(c->name, "--%s %s: expected %s", r->name, optarg, expected));
	}
	count = argc - optind;
	memmove(argv + 1, argv + optind, (size_t)count * sizeof(*argv));
	argv[1 + count] = NULL;
	if ((unsigned)count < c->min_arguments)
		return DONE(command_usage(c->name, "usage: vexit %s %s", c->name, c->synopsis));
	if ((unsigned)count > c->max_arguments)
		return DONE(
			command_usage(c->name, "one argument too many: '%s'", argv[1 + c->max_arguments]));
	return count;
}
