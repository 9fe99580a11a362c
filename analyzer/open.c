/*
 * open.c: a database, or a trace as one. Called by query.c and stat.c.
 *
 * A trace is imported into SQLite's own kind of temporary database (no name, gone when closed, in memory as
 * long as it is small).
 */
#include <string.h>

#include "analyzer/database.h"
#include "recorder/command.h"

static bool is_database(const char *path)
{
	static const char magic[16] = "SQLite format 3";
	char head[16];
	FILE *file = strcmp(path, "-") ? fopen(path, "rb") : NULL;
	bool same;

	if (!file)
		return false;
	same = fread(head, 1, sizeof(head), file) == sizeof(head) && !memcmp(head, magic, sizeof(head));
	fclose(file);
	return same;
}

static int open_database(struct database *d, const char *path)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READONLY, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(d->db, "SELECT 1 FROM exits, frames, meta", -1, &statement, NULL);
	sqlite3_finalize(statement);
	if (code == SQLITE_OK)
		return EXIT_OK;
	command_fail(EXIT_CANNOT, "%s: not a database of vexit import: %s", path, sqlite3_errmsg(d->db));
	sqlite3_close(d->db);
	d->db = NULL;
	return EXIT_CANNOT;
}

static int import(struct database *d, const struct trace *t, enum import_what what, bool quiet)
{
	struct import_result result;
	char error[256];
	int code = sqlite3_open_v2("", &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

	if (code != SQLITE_OK)
		snprintf(error, sizeof(error), "%s", sqlite3_errstr(code));
	if (code == SQLITE_OK && import_trace(d->db, t, what, quiet, &result, error, sizeof(error)) == 0) {
		d->damaged = trace_report_damage(t, stderr) || result.damages || !trace_whole(t);
		sqlite3_exec(d->db, "PRAGMA query_only = ON", NULL, NULL, NULL);
		return EXIT_OK;
	}
	sqlite3_close(d->db);
	d->db = NULL;
	return command_fail(EXIT_CANNOT, "%s: import: %s", trace_path(t), error);
}

int database_open(struct database *d, const char *path, unsigned session, enum import_what what, bool quiet)
{
	struct trace_options options = { .session = session };
	struct trace *t;
	char error[512];
	int status;

	memset(d, 0, sizeof(*d));
	if (is_database(path)) {
		status = open_database(d, path);
	} else {
		t = trace_open(path, &options, error, sizeof(error));
		if (!t)
			return command_fail(EXIT_CANNOT, "%s", error);
		status = import(d, t, what, quiet);
		trace_close(t);
	}
	if (status != EXIT_OK || what != IMPORT_ALL || snapshot_register(d->db) == SQLITE_OK)
		return status;
	command_fail(EXIT_CANNOT, "%s: %s", path, sqlite3_errmsg(d->db));
	sqlite3_close(d->db);
	return EXIT_CANNOT;
}

void database_close(struct database *d)
{
	snapshot_unregister(d->db);
	sqlite3_close(d->db);
}
