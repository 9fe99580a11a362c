/*
 * plain.c: what SQLite itself does with the rows of an import: the yardstick of `vexit import`.
 *
 *	plain T.db OUT.db
 *
 * Reads every table of T.db in pieces, and times nothing but their prepared INSERTs into OUT.db, the indexes
 * and the commit, with the same settings as the import. Prints {"exits": N, "rows": N, "seconds": S, "cpu": S},
 * wall and processor time. For `make bench`.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PIECE	4096		/* rows read before they are inserted */
#define COLUMNS	64

static sqlite3 *from, *to;
static double seconds, cpu;
static uint64_t rows;
static sqlite3_value *piece[PIECE][COLUMNS];

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start_clock(void)
{
	seconds -= now(CLOCK_MONOTONIC);
	cpu -= now(CLOCK_PROCESS_CPUTIME_ID);
}

static void stop_clock(void)
{
	seconds += now(CLOCK_MONOTONIC);
	cpu += now(CLOCK_PROCESS_CPUTIME_ID);
}

static void check(sqlite3 *db, int code)
{
	if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
		return;
	fprintf(stderr, "plain: %s\n", sqlite3_errmsg(db));
	exit(2);
}

static void timed(const char *sql)
{
	start_clock();
	check(to, sqlite3_exec(to, sql, NULL, NULL, NULL));
	stop_clock();
}

/* Statements of the source's schema: tables and views first, or indexes. */
static void copy_schema(const char *where, int is_timed)
{
	char *sql = sqlite3_mprintf("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND %s", where);
	sqlite3_stmt *s;

	check(from, sqlite3_prepare_v2(from, sql, -1, &s, NULL));
	while (sqlite3_step(s) == SQLITE_ROW) {
		if (is_timed)
			timed((const char *)sqlite3_column_text(s, 0));
		else
			check(to, sqlite3_exec(to, (const char *)sqlite3_column_text(s, 0), NULL, NULL,
					       NULL));
	}
	sqlite3_finalize(s);
	sqlite3_free(sql);
}

static void insert_piece(sqlite3_stmt *insert, int count, int columns)
{
	start_clock();
	for (int row = 0; row < count; row++) {
		for (int i = 0; i < columns; i++) {
			sqlite3_value *v = piece[row][i];

			switch (sqlite3_value_type(v)) {
			case SQLITE_INTEGER: sqlite3_bind_int64(insert, i + 1, sqlite3_value_int64(v)); break;
			case SQLITE_TEXT:
				sqlite3_bind_text(insert, i + 1, (const char *)sqlite3_value_text(v), -1,
						  SQLITE_STATIC);
				break;
			case SQLITE_BLOB:
				sqlite3_bind_blob(insert, i + 1, sqlite3_value_blob(v),
						  sqlite3_value_bytes(v), SQLITE_STATIC);
				break;
			default: sqlite3_bind_null(insert, i + 1);
			}
		}
		sqlite3_step(insert);
		check(to, sqlite3_reset(insert));
	}
	stop_clock();
	rows += (uint64_t)count;
	for (int row = 0; row < count; row++)
		for (int i = 0; i < columns; i++)
			sqlite3_value_free(piece[row][i]);
}

static void copy_table(const char *table)
{
	char *sql = sqlite3_mprintf("SELECT * FROM %s", table);
	sqlite3_stmt *s, *insert;
	sqlite3_str *text = sqlite3_str_new(NULL);
	int columns, count = 0;

	check(from, sqlite3_prepare_v2(from, sql, -1, &s, NULL));
	sqlite3_free(sql);
	columns = sqlite3_column_count(s);
	sqlite3_str_appendf(text, "INSERT INTO %s VALUES(?", table);
	/* Generated columns come out of SELECT *, and don't go in. */
	if (!strcmp(table, "exits") || !strcmp(table, "vmcs_writes"))
		columns--;
	for (int i = 1; i < columns; i++)
		sqlite3_str_appendall(text, ", ?");
	sqlite3_str_appendall(text, ")");
	sql = sqlite3_str_finish(text);
	check(to, sqlite3_prepare_v3(to, sql, -1, SQLITE_PREPARE_PERSISTENT, &insert, NULL));
	sqlite3_free(sql);
	while (sqlite3_step(s) == SQLITE_ROW) {
		for (int i = 0, at = 0; at < columns; i++)
			if (strcmp(sqlite3_column_name(s, i), "reason_name") &&
			    strcmp(sqlite3_column_name(s, i), "field_name"))
				piece[count][at++] = sqlite3_value_dup(sqlite3_column_value(s, i));
		if (++count == PIECE) {
			insert_piece(insert, count, columns);
			count = 0;
		}
	}
	insert_piece(insert, count, columns);
	sqlite3_finalize(s);
	sqlite3_finalize(insert);
}

int main(int argc, char **argv)
{
	static const char *const tables[] = { "exits", "entries", "vmcs_writes", "gpr_writes", "crossings",
					      "frames" };
	sqlite3_stmt *s;

	if (argc != 3)
		return 2;
	remove(argv[2]);
	check(from, sqlite3_open_v2(argv[1], &from, SQLITE_OPEN_READONLY, NULL));
	check(to, sqlite3_open(argv[2], &to));
	timed("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
	      "PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; BEGIN");
	copy_schema("type IN ('table', 'view')", 0);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		copy_table(tables[i]);
	copy_schema("type = 'index'", 1);
	timed("COMMIT");
	check(to, sqlite3_prepare_v2(to, "SELECT count(*) FROM exits", -1, &s, NULL));
	check(to, sqlite3_step(s));
	printf("{\"exits\": %lld, \"rows\": %llu, \"seconds\": %.6f, \"cpu\": %.6f}\n",
	       sqlite3_column_int64(s, 0), (unsigned long long)rows, seconds, cpu);
	sqlite3_finalize(s);
	sqlite3_close(to);
	sqlite3_close(from);
	return 0;
}
