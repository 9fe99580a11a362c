/*
 * query.c: `vexit query`: SQL over a database or a trace. Called by recorder/main.c.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/database.h"
#include "recorder/command.h"
#include "recorder/options.h"

static int format = PRINT_TABLE;
static uint64_t session;
static const char *symbols_path;
static bool quiet, json;

static const struct option_row rows[] = {
	{ .name = "format", .type = OPTION_CHOICE, .value = &format, .argument = "table|csv|json",
	  .help = "how rows are printed" },
	{ .name = "symbols", .type = OPTION_TEXT, .value = &symbols_path, .argument = "FILE", .help = SYMBOLS_HELP },
	{ .name = "json", .type = OPTION_FLAG, .value = &json, .help = "the same as --format json" },
	{ .name = "quiet", .letter = 'q', .type = OPTION_FLAG, .value = &quiet, .help = "no progress" },
	{ .name = "session", .type = OPTION_NUMBER, .value = &session, .argument = "N",
	  .help = "which session of a trace (default: the first)", .min = 1, .max = UINT32_MAX },
};

static const struct command command = {
	.name = "query",
	.synopsis = "T.db|T.vxt \"SQL\" [--format table|csv|json]",
	.help = "Run SQL over a database, or over a trace by way of a temporary one. SQL \"-\" is read from stdin.\n"
		"Tables: exits, entries, vmcs_writes, gpr_writes, crossings, frames, meta, exit_reason,\n"
		"vmcs_field; views: exit_stats, io_stats, msr_stats, cpuid_stats, mmio_stats, hot_rips (docs/sql.md).\n"
		"vmcs(seq, 'GUEST_CR3') gives any field of any exit's VMCS, symbol(rip) an address's name.",
	COMMAND_ROWS(rows),
	.min_arguments = 2,
	.max_arguments = 2,
};

static int fail(sqlite3 *db, sqlite3_stmt *statement)
{
	sqlite3_finalize(statement);
	return command_fail(EXIT_CANNOT, "query: %s", sqlite3_errmsg(db));
}

static int run(sqlite3 *db, const char *sql)
{
	while (*sql) {
		sqlite3_stmt *statement;

		if (sqlite3_prepare_v2(db, sql, -1, &statement, &sql) != SQLITE_OK)
			return fail(db, NULL);
		if (!statement)
			continue;	/* a comment, or space */
		if (print_rows(stdout, statement, (enum print_format)format) != SQLITE_DONE)
			return fail(db, statement);
		sqlite3_finalize(statement);
	}
	return EXIT_OK;
}

static char *read_all(FILE *from)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	int c;

	while (to && (c = getc(from)) != EOF)
		putc(c, to);
	if (!to || fclose(to))
		return NULL;
	return text;
}

int cmd_query(int argc, char **argv)
{
	int count = options_parse(&command, argc, argv), status;
	struct symbols *symbols = NULL;
	struct database d;
	char error[512], *sql;

	if (count < 0)
		return OPTIONS_STATUS(count);
	if (!strcmp(argv[1], "-") && !strcmp(argv[2], "-"))
		return command_usage("query", "the trace and the SQL can't both be stdin");
	if (json)
		format = PRINT_JSON;
	if (symbols_path && !(symbols = symbols_load(symbols_path, error, sizeof(error))))
		return command_fail(EXIT_CANNOT, "%s", error);
	sql = strcmp(argv[2], "-") ? strdup(argv[2]) : read_all(stdin);
	if (!sql)
		return command_fail(EXIT_CANNOT, "query: not enough memory");
	status = database_open(&d, argv[1], (unsigned)session, IMPORT_ALL, quiet);
	if (status == EXIT_OK) {
		status = symbol_register(d.db, symbols) == SQLITE_OK ? run(d.db, sql) : fail(d.db, NULL);
		if (status == EXIT_OK && d.damaged)
			status = EXIT_NO;
		database_close(&d);
	}
	free(sql);
	symbols_free(symbols);
	return status;
}
