/*
 * options.h: the command line, the same for every subcommand.
 *
 * A subcommand describes itself once, in a struct command and its rows; --help is printed from these, so that
 * it can't promise what isn't parsed. `--opt value`, `--opt=value`, short options, any order, `--` ends
 * options.
 */
#ifndef VEXIT_OPTIONS_H
#define VEXIT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum option_type {
	OPTION_FLAG,		/* bool: becomes true */
	OPTION_TEXT,		/* const char * */
	OPTION_NUMBER,		/* uint64_t, decimal or 0x…; `min`..`max` */
	OPTION_SIZE,		/* uint64_t bytes: a number with K, M or G; plain numbers are MiB */
	OPTION_SECONDS,		/* uint64_t milliseconds: "10", "0.5" */
	OPTION_RANGE,		/* uint64_t[2]: A..B, A.., ..B, A (trace_parse_range) */
	OPTION_REASON,		/* int: basic exit reason by name or number */
	OPTION_CHOICE,		/* int: index of the word in `choices`, separated by '|' */
};

struct option_row {
	const char *name;	/* long option, without "--" */
	char letter;		/* short option, or 0 */
	enum option_type type;
	void *value;		/* set only when the option is given: initialise it */
	const char *argument;	/* its name in --help; OPTION_CHOICE: the words */
	const char *help;
	uint64_t min, max;	/* OPTION_NUMBER; max 0: no bound */
};

struct command {
	const char *name;	/* "record" */
	const char *synopsis;	/* what follows the name: "T.vxt [--exits A..B]" */
	const char *help;	/* a paragraph, '\n' between its lines */
	const struct option_row *rows;
	unsigned row_count;
	unsigned min_arguments, max_arguments;	/* positional ones */
};

#define COMMAND_ROWS(array) .rows = (array), .row_count = sizeof(array) / sizeof(*(array))

/*
 * Parse. The positional arguments are left in argv[1] … in their order; gives their number. A negative
 * result ends the command: return OPTIONS_STATUS(result) (--help was printed, or what is wrong).
 */
int options_parse(const struct command *c, int argc, char **argv);
#define OPTIONS_STATUS(result) (-1 - (result))

/* "512M" → bytes; false: not a size. */
bool options_size(const char *text, uint64_t *bytes);

#endif
