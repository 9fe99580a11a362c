/*
 * main.c: the program `vexit`: finds the subcommand and calls it.
 *
 * What a subcommand does, and all it prints, is its own file's; this one must know nothing but their names.
 */
#include <stdlib.h>
#include <string.h>

#include "recorder/command.h"

#ifndef VEXIT_VERSION
#define VEXIT_VERSION "0.1"
#endif

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "record", cmd_record, "run a guest under the hypervisor in Bochs or QEMU and record its VM exits" },
	{ "capture", cmd_capture,
	  "record a stream from elsewhere: a real machine's serial line, a socket, a file" },
	{ "verify", cmd_verify, "check every byte of a trace; say what is damaged, missing, doubled, moved" },
	{ "info", cmd_info, "what a trace holds: machine, guest, vCPUs, exits by reason" },
	{ "dump", cmd_dump, "print exits and entry steps, readable or as JSON" },
	{ "slice", cmd_slice, "cut a range of exits out of a trace" },
	{ "replay", cmd_replay, "run the handlers on the recorded exits and compare every effect" },
	{ "import", cmd_import, "make an SQLite database of a trace" },
	{ "query", cmd_query, "SQL over a database or a trace" },
	{ "stat", cmd_stat, "statistics by reason, RIP, port, MSR, …" },
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static int print_help(void)
{
	printf("usage: vexit COMMAND …\n\n"
	       "Records every VM exit of a guest, replays the recorded exits against the same handlers,\n"
	       "and answers questions about them in SQL.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-9s %s\n", commands[i].name, commands[i].help);
	printf("\n'vexit COMMAND --help' has the options; 'vexit --version' the version.\n"
	       "Exit status: 0 fine, 1 the answer is no, 2 it could not be done, 130 ^C.\n");
	return EXIT_OK;
}

/* Levenshtein's distance, for words shorter than 16. */
static size_t distance(const char *a, const char *b)
{
	size_t row[17], length = strlen(b);

	if (length > 16)
		return SIZE_MAX;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t best = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			if (diagonal + 1 < best)
				best = diagonal + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[length];
}

static int unknown_command(const char *word)
{
	const char *nearest = NULL;
	size_t least = 3;

	for (size_t i = 0; i < COMMANDS; i++) {
		size_t d = distance(commands[i].name, word);

		if (d < least) {
			least = d;
			nearest = commands[i].name;
		}
	}
	if (nearest)
		fprintf(stderr, "vexit: no command '%s'; did you mean '%s'?\n", word, nearest);
	else
		fprintf(stderr, "vexit: no command '%s'\nTry 'vexit --help'.\n", word);
	return EXIT_CANNOT;
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2) {
		print_help();
		return EXIT_CANNOT;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return print_help();
	if (!strcmp(argv[1], "--version")) {
		printf("vexit %s\n", VEXIT_VERSION);
		return EXIT_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		status = commands[i].run(argc - 1, argv + 1);
		/* A full disk behind stdout must not look like success. */
		if (fflush(stdout) || ferror(stdout))
			return status ? status : command_fail(EXIT_CANNOT, "standard output: write failed");
		return status;
	}
	return unknown_command(argv[1]);
}
