/*
 * meta.h: the table `meta`. import.c only.
 */
#ifndef VEXIT_META_H
#define VEXIT_META_H

#include "analyzer/database.h"

/* What session frame, closing frame and import say of the trace. SQLite's result code. */
int meta_fill(sqlite3 *db, sqlite3_int64 trace_id, const struct trace *t, const struct import_result *result);

#endif
