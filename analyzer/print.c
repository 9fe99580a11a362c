/*
 * print.c: the rows of a query as a table, CSV or JSON. Called by query.c and stat.c.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/database.h"
#include "recorder/command.h"

/* ---- Cells as text ---- */

static void print_hex(FILE *to, const uint8_t *bytes, int size)
{
	for (int i = 0; i < size; i++)
		fprintf(to, "%02x", bytes[i]);
}

static bool is_number(sqlite3_stmt *s, int column)
{
	int type = sqlite3_column_type(s, column);

	return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

/* ---- CSV (RFC 4180): NULL is an empty field, an empty text is "" ---- */

static void csv_text(FILE *to, const char *text)
{
	if (*text && !strpbrk(text, ",\"\r\n") && !isspace((unsigned char)*text)) {
		fputs(text, to);
		return;
	}
	putc('"', to);
	for (; *text; text++) {
		if (*text == '"')
			putc('"', to);
		putc(*text, to);
	}
	putc('"', to);
}

static void csv_cell(FILE *to, sqlite3_stmt *s, int column)
{
	switch (sqlite3_column_type(s, column)) {
	case SQLITE_NULL:
		return;
	case SQLITE_BLOB:
		print_hex(to, sqlite3_column_blob(s, column), sqlite3_column_bytes(s, column));
		return;
	case SQLITE_TEXT:
		csv_text(to, (const char *)sqlite3_column_text(s, column));
		return;
	default:
		fputs((const char *)sqlite3_column_text(s, column), to);
	}
}

static int print_csv(FILE *to, sqlite3_stmt *s)
{
	int columns = sqlite3_column_count(s), code;

	for (int i = 0; i < columns; i++) {
		if (i)
			putc(',', to);
		csv_text(to, sqlite3_column_name(s, i));
	}
	putc('\n', to);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		for (int i = 0; i < columns; i++) {
			if (i)
				putc(',', to);
			csv_cell(to, s, i);
		}
		putc('\n', to);
	}
	return code;
}

/* ---- JSON: an array of objects; a blob is a string of hex digits ---- */

static void json_cell(FILE *to, sqlite3_stmt *s, int column)
{
	const char *text;

	switch (sqlite3_column_type(s, column)) {
	case SQLITE_NULL:
		fputs("null", to);
		return;
	case SQLITE_BLOB:
		putc('"', to);
		print_hex(to, sqlite3_column_blob(s, column), sqlite3_column_bytes(s, column));
		putc('"', to);
		return;
	case SQLITE_TEXT:
		json_string(to, (const char *)sqlite3_column_text(s, column));
		return;
	default:
		text = (const char *)sqlite3_column_text(s, column);
		fputs(strstr(text, "Inf") ? "null" : text, to);
	}
}

static int print_json(FILE *to, sqlite3_stmt *s)
{
	int columns = sqlite3_column_count(s), code;
	bool first = true;

	putc('[', to);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		fputs(first ? "\n  {" : ",\n  {", to);
		first = false;
		for (int i = 0; i < columns; i++) {
			if (i)
				fputs(", ", to);
			json_string(to, sqlite3_column_name(s, i));
			fputs(": ", to);
			json_cell(to, s, i);
		}
		putc('}', to);
	}
	fputs(first ? "]\n" : "\n]\n", to);
	return code;
}

/* ---- Table ---- */

struct table {
	int columns;
	size_t rows, capacity;
	char **cells;		/* rows × columns; the text begins with 'r' (right) or 'l' */
	int *width;
	bool *right;		/* the header: every value below is a number */
	bool no_memory;
};

/* Columns of a terminal that a UTF-8 text takes, if each character takes one. */
static int text_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static char *cell_text(sqlite3_stmt *s, int column)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	putc(is_number(s, column) ? 'r' : 'l', to);
	switch (sqlite3_column_type(s, column)) {
	case SQLITE_NULL:
		fputs("NULL", to);
		break;
	case SQLITE_BLOB:
		print_hex(to, sqlite3_column_blob(s, column), sqlite3_column_bytes(s, column));
		break;
	default:
		for (const char *c = (const char *)sqlite3_column_text(s, column); *c; c++)
			if (*c == '\n')
				fputs("\\n", to);
			else
				putc(*c, to);
	}
	return fclose(to) ? NULL : text;
}

static bool table_add(struct table *t, sqlite3_stmt *s)
{
	if (t->rows == t->capacity) {
		size_t capacity = t->capacity ? 2 * t->capacity : 64;
		char **cells = realloc(t->cells, capacity * (size_t)t->columns * sizeof(*cells));

		if (!cells)
			return false;
		t->cells = cells;
		t->capacity = capacity;
	}
	for (int i = 0; i < t->columns; i++) {
		char *text = cell_text(s, i);

		t->cells[t->rows * (size_t)t->columns + (size_t)i] = text;
		if (!text) {
			t->no_memory = true;
			continue;
		}
		if (text_width(text + 1) > t->width[i])
			t->width[i] = text_width(text + 1);
		if (text[0] == 'l' && sqlite3_column_type(s, i) != SQLITE_NULL)
			t->right[i] = false;
	}
	t->rows++;
	return !t->no_memory;
}

static void print_cell(FILE *to, const struct table *t, int column, const char *text, bool right)
{
	int fill = t->width[column] - text_width(text);

	if (column)
		fputs("  ", to);
	if (right)
		fprintf(to, "%*s", fill, "");
	fputs(text, to);
	if (!right && column + 1 < t->columns)
		fprintf(to, "%*s", fill, "");
}

static void table_print(FILE *to, const struct table *t, sqlite3_stmt *s)
{
	for (int i = 0; i < t->columns; i++)
		print_cell(to, t, i, sqlite3_column_name(s, i), t->right[i] && t->rows);
	putc('\n', to);
	for (int i = 0; i < t->columns; i++) {
		if (i)
			fputs("  ", to);
		for (int n = 0; n < t->width[i]; n++)
			putc('-', to);
	}
	putc('\n', to);
	for (size_t row = 0; row < t->rows; row++) {
		for (int i = 0; i < t->columns; i++) {
			const char *text = t->cells[row * (size_t)t->columns + (size_t)i];

			print_cell(to, t, i, text + 1, text[0] == 'r' || (t->right[i] && t->rows));
		}
		putc('\n', to);
	}
}

static int print_table(FILE *to, sqlite3_stmt *s)
{
	struct table t = { .columns = sqlite3_column_count(s) };
	int code = SQLITE_NOMEM;

	t.width = calloc((size_t)t.columns, sizeof(*t.width));
	t.right = calloc((size_t)t.columns, sizeof(*t.right));
	if (t.width && t.right) {
		for (int i = 0; i < t.columns; i++) {
			t.width[i] = text_width(sqlite3_column_name(s, i));
			t.right[i] = true;
		}
		while ((code = sqlite3_step(s)) == SQLITE_ROW)
			if (!table_add(&t, s)) {
				code = SQLITE_NOMEM;
				break;
			}
		if (code == SQLITE_DONE)
			table_print(to, &t, s);
	}
	for (size_t i = 0; i < t.rows * (size_t)t.columns; i++)
		free(t.cells[i]);
	free(t.cells);
	free(t.width);
	free(t.right);
	return code;
}

int print_rows(FILE *to, sqlite3_stmt *statement, enum print_format format)
{
	if (sqlite3_column_count(statement) == 0)
		return sqlite3_step(statement);	/* no query: a PRAGMA, say */
	switch (format) {
	case PRINT_CSV:
		return print_csv(to, statement);
	case PRINT_JSON:
		return print_json(to, statement);
	default:
		return print_table(to, statement);
	}
}
