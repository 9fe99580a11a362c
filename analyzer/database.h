/*
 * database.h: what the analyzer's parts share. The trace comes through recorder/trace.h alone.
 *
 * schema.c makes the tables, import.c fills them from a trace, open.c opens a database or a trace as one,
 * snapshot.c is the SQL function vmcs(), symbol.c symbol(), print.c shows results. import_command.c, query.c and stat.c are the
 * subcommands.
 */
#ifndef VEXIT_DATABASE_H
#define VEXIT_DATABASE_H

#include <sqlite3.h>
#include <stdio.h>

#include "recorder/symbols.h"
#include "recorder/trace.h"

/* ---- Schema ---- */

/* Tables, dictionaries and views; then, after the rows, indexes. SQLite's result code. */
int schema_create(sqlite3 *db);
int schema_create_indexes(sqlite3 *db);

/* ---- Import ---- */

enum import_what { IMPORT_EXITS, IMPORT_ALL };	/* the table `exits` alone, without indexes; or everything */

struct import_result {
	uint64_t exits, steps, rows;
	size_t damages;		/* frames that couldn't be read to their end */
};

/*
 * Fill an empty database from a trace, in one transaction: trace_id is 1. Damaged frames are said on stderr
 * and left out. 0, or -1 with `error` filled.
 */
int import_trace(sqlite3 *db, const struct trace *t, enum import_what what, bool quiet,
		 struct import_result *result, char *error, size_t error_size);

/* ---- Opening ---- */

struct database {
	sqlite3 *db;
	bool damaged;		/* it was a trace, and not whole */
};

/*
 * A database by import, or a trace through a temporary one that goes away when closed. Read-only. `what`:
 * what is needed of a trace. EXIT_OK, or EXIT_CANNOT after saying why.
 */
int database_open(struct database *d, const char *path, unsigned session, enum import_what what, bool quiet);
void database_close(struct database *d);

/* Register vmcs([trace_id,] seq, name). SQLite's result code. */
int snapshot_register(sqlite3 *db);
void snapshot_unregister(sqlite3 *db);

/*
 * Register symbol(address): "name+0x12", or the address in hex where no name is known. `symbols` may be NULL, and
 * must outlive the database. SQLite's result code. symbol.c
 */
int symbol_register(sqlite3 *db, const struct symbols *symbols);

/* ---- Printing ---- */

enum print_format { PRINT_TABLE, PRINT_CSV, PRINT_JSON };

/* Run a prepared statement and print its rows. SQLite's result code: SQLITE_DONE is fine. */
int print_rows(FILE *to, sqlite3_stmt *statement, enum print_format format);

#endif
