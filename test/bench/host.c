/*
 * host.c: rates of the host side on one core, for `make bench`: decoding a trace, and what plain SQLite does with the rows
 * that `vexit import` made of it (the same tables, rows and indexes, prepared INSERTs, journal and synchronous off).
 *
 * Usage: bench-host T.vxt T.db SCRATCH.db      prints NAME VALUE lines, in exits a second
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "recorder/trace.h"

#define BATCH 4096
#define COLUMNS_MAX 128

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-host: %s: %s\n", what, why);
	exit(2);
}

static uint64_t decode(const char *path)
{
	char error[256];
	struct trace *t = trace_open(path, &(struct trace_options){ 0 }, error, sizeof(error));
	struct trace_cursor *c;
	uint64_t exits = 0;
	double start, spent;

	if (t == NULL)
		die(path, error);
	c = trace_cursor_new(t);
	start = now();
	for (size_t i = 0; i < trace_frame_count(t); i++) {
		int more;

		if (trace_cursor_load(c, i) < 0)
			die(path, trace_cursor_error(c));
		while ((more = trace_cursor_next(c)) == 1)
			exits += trace_cursor_decoder(c)->step.kind == STEP_EXIT;
		if (more < 0)
			die(path, trace_cursor_error(c));
	}
	spent = now() - start;
	printf("host.decode %.0f\n", (double)exits / spent);
	trace_cursor_free(c);
	trace_close(t);
	return exits;
}

static void execute(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		die(sql, error);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		die(sql, sqlite3_errmsg(db));
	return s;
}

/* Insert a batch of copied rows; gives the seconds it took. */
static double insert_batch(sqlite3_stmt *insert, sqlite3_value **values, int rows, int columns)
{
	double start = now();

	for (int row = 0; row < rows; row++) {
		for (int i = 0; i < columns; i++)
			sqlite3_bind_value(insert, i + 1, values[row * columns + i]);
		if (sqlite3_step(insert) != SQLITE_DONE)
			die("insert", "failed");
		sqlite3_reset(insert);
	}
	return now() - start;
}

/* Columns that can be inserted: generated ones are left out by PRAGMA table_info. */
static void column_list(sqlite3 *from, const char *table, char *names, size_t size, char *marks)
{
	char *sql = sqlite3_mprintf("SELECT name FROM pragma_table_info(%Q)", table);
	sqlite3_stmt *s = prepare(from, sql);

	names[0] = marks[0] = 0;
	while (sqlite3_step(s) == SQLITE_ROW) {
		snprintf(names + strlen(names), size - strlen(names), "%s\"%s\"", names[0] ? "," : "",
			 (const char *)sqlite3_column_text(s, 0));
		strcat(marks, marks[0] ? ",?" : "?");
	}
	sqlite3_finalize(s);
	sqlite3_free(sql);
}

static double copy_table(sqlite3 *from, sqlite3 *to, const char *table)
{
	char names[4096], marks[COLUMNS_MAX * 2 + 2];
	sqlite3_stmt *select, *insert;
	sqlite3_value **values;
	double spent = 0;
	char *sql;
	int columns, rows = 0;

	column_list(from, table, names, sizeof(names), marks);
	sql = sqlite3_mprintf("SELECT %s FROM %Q", names, table);
	select = prepare(from, sql);
	sqlite3_free(sql);
	sql = sqlite3_mprintf("INSERT INTO %Q (%s) VALUES (%s)", table, names, marks);
	insert = prepare(to, sql);
	sqlite3_free(sql);
	columns = sqlite3_column_count(select);
	values = calloc((size_t)BATCH * (size_t)columns, sizeof(*values));
	for (;;) {
		int more = sqlite3_step(select) == SQLITE_ROW;

		for (int i = 0; more && i < columns; i++)
			values[rows * columns + i] = sqlite3_value_dup(sqlite3_column_value(select, i));
		rows += more;
		if (rows < BATCH && more)
			continue;
		spent += insert_batch(insert, values, rows, columns);
		for (int i = 0; i < rows * columns; i++)
			sqlite3_value_free(values[i]);
		rows = 0;
		if (!more)
			break;
	}
	free(values);
	sqlite3_finalize(select);
	sqlite3_finalize(insert);
	return spent;
}

/* Make the same tables, or the same indexes, in `to`. */
static void copy_schema(sqlite3 *from, sqlite3 *to, const char *type)
{
	char *sql = sqlite3_mprintf("SELECT sql FROM sqlite_master WHERE type = %Q AND sql IS NOT NULL "
				    "AND name NOT LIKE 'sqlite_%%'", type);
	sqlite3_stmt *s = prepare(from, sql);

	while (sqlite3_step(s) == SQLITE_ROW)
		execute(to, (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	sqlite3_free(sql);
}

static double plain_sqlite(const char *db, const char *scratch)
{
	sqlite3 *from, *to;
	sqlite3_stmt *tables;
	double spent = 0, start;

	remove(scratch);
	if (sqlite3_open_v2(db, &from, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK || sqlite3_open(scratch, &to) != SQLITE_OK)
		die(db, "cannot open");
	execute(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN");
	copy_schema(from, to, "table");
	tables = prepare(from, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
	while (sqlite3_step(tables) == SQLITE_ROW)
		spent += copy_table(from, to, (const char *)sqlite3_column_text(tables, 0));
	sqlite3_finalize(tables);
	start = now();
	copy_schema(from, to, "index");
	execute(to, "COMMIT");
	spent += now() - start;
	sqlite3_close(from);
	sqlite3_close(to);
	remove(scratch);
	return spent;
}

int main(int argc, char **argv)
{
	uint64_t exits;

	if (argc != 4)
		die("usage", "bench-host T.vxt T.db SCRATCH.db");
	exits = decode(argv[1]);
	printf("host.sqlite %.0f\n", (double)exits / plain_sqlite(argv[2], argv[3]));
	return 0;
}
