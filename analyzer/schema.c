/*
 * schema.c: makes the tables of analyzer/schema.sql, whose text is in the program.
 *
 * Called by import.c. Names of exit reasons, VMCS fields and MSRs come from the .def tables, which are their
 * only source: schema.sql has marks (@NAME@) where they go.
 */
#include <string.h>

#include "analyzer/database.h"

/* The file's text, with a terminating zero. The path is from the top folder, where the compiler runs. */
__asm__(".pushsection .rodata\n"
	"schema_text:\n"
	".incbin \"analyzer/schema.sql\"\n"
	".byte 0\n"
	".popsection\n");
extern const char schema_text[];

#define INDEXES_MARK "-- @INDEXES@"

static const struct {
	unsigned number;
	const char *name;
} exit_reasons[] = {
#define EXIT(number, name, handler, lock) { number, #name },
#include "exits.def"
#undef EXIT
}, msrs[] = {
#define MSR(number, name, read, write, argument) { number, #name },
#include "msrs.def"
#undef MSR
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void add_case(sqlite3_str *to, unsigned number, const char *name)
{
	sqlite3_str_appendf(to, "WHEN %u THEN '%s' ", number, name);
}

/* What stands for the mark of `length` characters at `mark` ("@" to "@"). */
static void add_mark(sqlite3_str *to, const char *mark, size_t length)
{
	if (!strncmp(mark, "@SUM(", 5)) {
		int name = (int)(length - 7);

		sqlite3_str_appendf(to, "sum(exits.%.*s >> 32) * 4294967296 + sum(exits.%.*s & 4294967295)",
				    name, mark + 5, name, mark + 5);
	} else if (!strncmp(mark, "@EXIT_REASONS@", length)) {
		for (size_t i = 0; i < COUNT(exit_reasons); i++)
			add_case(to, exit_reasons[i].number, exit_reasons[i].name);
	} else if (!strncmp(mark, "@VMCS_FIELDS@", length)) {
		for (size_t i = 0; i < VMCS_SLOTS; i++)
			add_case(to, vmcs_fields[i].encoding, vmcs_fields[i].name);
	} else if (!strncmp(mark, "@MSRS@", length)) {
		for (size_t i = 0; i < COUNT(msrs); i++)
			add_case(to, msrs[i].number, msrs[i].name);
	} else {
		sqlite3_str_append(to, mark, (int)length);
	}
}

/*
 * The text from `from` to `to` (NULL: to its end) with the marks outside comments filled in; to be freed by
 * sqlite3_free().
 */
static char *fill_in(const char *from, const char *to)
{
	sqlite3_str *text = sqlite3_str_new(NULL);
	const char *end = to ? to : from + strlen(from);

	while (from < end) {
		const char *next = from + strcspn(from, "@-"), *close;

		if (next > end)
			next = end;
		sqlite3_str_append(text, from, (int)(next - from));
		from = next;
		if (from == end)
			break;
		if (!strncmp(from, "--", 2)) {
			from += strcspn(from, "\n");
		} else if (*from == '@' && (close = strchr(from + 1, '@')) != NULL) {
			add_mark(text, from, (size_t)(close + 1 - from));
			from = close + 1;
		} else {
			sqlite3_str_appendchar(text, 1, *from++);
		}
	}
	return sqlite3_str_finish(text);
}

static int execute(sqlite3 *db, const char *from, const char *to)
{
	char *sql = fill_in(from, to);
	int result = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;

	sqlite3_free(sql);
	return result;
}

static int fill_reasons(sqlite3 *db)
{
	sqlite3_stmt *insert;
	int result = sqlite3_prepare_v2(db, "INSERT INTO exit_reason VALUES(?, ?)", -1, &insert, NULL);

	for (size_t i = 0; result == SQLITE_OK && i < COUNT(exit_reasons); i++) {
		sqlite3_bind_int64(insert, 1, exit_reasons[i].number);
		sqlite3_bind_text(insert, 2, exit_reasons[i].name, -1, SQLITE_STATIC);
		sqlite3_step(insert);
		result = sqlite3_reset(insert);
	}
	sqlite3_finalize(insert);
	return result;
}

static int fill_fields(sqlite3 *db)
{
	static const char *const classes[] = { "control", "info", "guest", "host" };
	static const int widths[] = { 16, 64, 32, 64 };
	sqlite3_stmt *insert;
	int result = sqlite3_prepare_v2(db, "INSERT INTO vmcs_field VALUES(?, ?, ?, ?)", -1, &insert, NULL);

	for (size_t i = 0; result == SQLITE_OK && i < VMCS_SLOTS; i++) {
		uint16_t encoding = vmcs_fields[i].encoding;

		sqlite3_bind_int64(insert, 1, encoding);
		sqlite3_bind_text(insert, 2, vmcs_fields[i].name, -1, SQLITE_STATIC);
		sqlite3_bind_int(insert, 3, widths[vmcs_encoding_width(encoding)]);
		sqlite3_bind_text(insert, 4, classes[vmcs_encoding_class(encoding)], -1, SQLITE_STATIC);
		sqlite3_step(insert);
		result = sqlite3_reset(insert);
	}
	sqlite3_finalize(insert);
	return result;
}

int schema_create(sqlite3 *db)
{
	int result = execute(db, schema_text, strstr(schema_text, INDEXES_MARK));

	if (result == SQLITE_OK)
		result = fill_reasons(db);
	return result == SQLITE_OK ? fill_fields(db) : result;
}

int schema_create_indexes(sqlite3 *db)
{
	return execute(db, strstr(schema_text, INDEXES_MARK), NULL);
}
