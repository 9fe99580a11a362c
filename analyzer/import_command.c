/*
 * import_command.c: `vexit import`: a trace as an SQLite database. Called by recorder/main.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <string.h>
#include <time.h>

#include "analyzer/database.h"
#include "recorder/command.h"
#include "recorder/options.h"

static const char *output_path;
static uint64_t session;
static bool force, quiet, json;

static const struct option_row rows[] = {
	{ .name = "output", .letter = 'o', .type = OPTION_TEXT, .value = &output_path, .argument = "T.db",
	  .help = "the database to write" },
	{ .name = "force", .letter = 'f', .type = OPTION_FLAG, .value = &force, .help = "overwrite it" },
	{ .name = "json", .type = OPTION_FLAG, .value = &json, .help = "the counts as JSON" },
	{ .name = "quiet", .letter = 'q', .type = OPTION_FLAG, .value = &quiet,
	  .help = "no progress, no counts" },
	{ .name = "session", .type = OPTION_NUMBER, .value = &session, .argument = "N",
	  .help = "which session of the file (default: the first)", .min = 1, .max = UINT32_MAX },
};

static const struct command command = {
	.name = "import",
	.synopsis = "T.vxt -o T.db",
	.help = "Make an SQLite database of a trace: a row per exit, entry step, VMCS write, register write and\n"
		"crossing. It stands alone: the compressed frames are in it. docs/sql.md describes tables and views.\n"
		"Status 1: the trace is damaged or truncated; what is readable was imported.",
	COMMAND_ROWS(rows),
	.min_arguments = 1,
	.max_arguments = 1,
};

static int import_to(const char *path, const struct trace *t, struct import_result *result)
{
	char error[256];
	sqlite3 *db;
	int failed;

	if (sqlite3_open(path, &db) != SQLITE_OK) {
		command_fail(EXIT_CANNOT, "%s: %s", path, sqlite3_errmsg(db));
		sqlite3_close(db);
		return EXIT_CANNOT;
	}
	failed = import_trace(db, t, IMPORT_ALL, quiet, result, error, sizeof(error));
	sqlite3_close(db);
	return failed ? command_fail(EXIT_CANNOT, "%s: %s", path, error) : EXIT_OK;
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* `cpu`: processor time, which a loaded machine doesn't stretch. */
static void print_counts(const struct import_result *r, double seconds, double cpu)
{
	if (json) {
		printf("{\"exits\": %lu, \"steps\": %lu, \"rows\": %lu, \"seconds\": %.6f, \"cpu\": %.6f}\n",
		       (unsigned long)r->exits, (unsigned long)r->steps, (unsigned long)r->rows, seconds, cpu);
		return;
	}
	if (!quiet)
		fprintf(stderr, "vexit: imported %lu exits, %lu rows in %.3f s, %.0f exits/s\n",
			(unsigned long)r->exits,
			(unsigned long)r->rows, seconds, seconds > 0 ? (double)r->exits / seconds : 0.0);
}

static int import(const struct trace *t)
{
	struct output *output = output_open(output_path, force);
	struct import_result result;
	double seconds, cpu;
	int status;

	if (!output)
		return EXIT_CANNOT;
	if (!output_temporary(output)) {
		output_abandon(output);
		return command_usage("import", "a database can't be written to stdout");
	}
	seconds = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	status = import_to(output_temporary(output), t, &result);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	seconds = now(CLOCK_MONOTONIC) - seconds;
	if (status != EXIT_OK) {
		output_abandon(output);
		return status;
	}
	status = output_commit(output);
	if (status != EXIT_OK)
		return status;
	print_counts(&result, seconds, cpu);
	return trace_report_damage(t, stderr) || result.damages || !trace_whole(t) ? EXIT_NO : EXIT_OK;
}

int cmd_import(int argc, char **argv)
{
	int count = options_parse(&command, argc, argv), status;
	struct trace_options options = { 0 };
	struct trace *t;
	char error[512];

	if (count < 0)
		return OPTIONS_STATUS(count);
	if (!output_path)
		return command_usage("import", "-o T.db is missing");
	options.session = (unsigned)session;
	t = trace_open(argv[1], &options, error, sizeof(error));
	if (!t)
		return command_fail(EXIT_CANNOT, "%s", error);
	status = import(t);
	trace_close(t);
	return status;
}
