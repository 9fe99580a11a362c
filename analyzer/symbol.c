/*
 * symbol.c: the SQL function symbol(address), by the names of --symbols. Called by query.c and stat.c.
 */
#include "analyzer/database.h"

static void symbol_function(sqlite3_context *context, int count, sqlite3_value **argument)
{
	char text[SYMBOL_TEXT];

	(void)count;
	if (sqlite3_value_type(argument[0]) == SQLITE_NULL)
		return;
	symbols_text(sqlite3_user_data(context), (uint64_t)sqlite3_value_int64(argument[0]), text, sizeof(text));
	sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

int symbol_register(sqlite3 *db, const struct symbols *symbols)
{
	return sqlite3_create_function_v2(db, "symbol", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, (void *)symbols,
					  symbol_function, NULL, NULL, NULL);
}
