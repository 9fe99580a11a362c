/*
 * stat.c: `vexit stat`: exits counted and timed, in the manner of `perf kvm stat`. Called by recorder/main.c.
 *
 * Asked of the table `exits`, of a database or of a trace imported that far. The total is the sum of the rows
 * above it.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/database.h"
#include "recorder/command.h"
#include "recorder/options.h"

enum by { BY_REASON, BY_RIP, BY_PORT, BY_MSR, BY_CPUID, BY_GPA, BY_CR, BY_VCPU };
#define BY_WORDS "reason|rip|port|msr|cpuid|gpa|cr|vcpu"

/* Nothing is there. */
#define ABSENT " || CASE max(absent) WHEN 1 THEN ' absent' ELSE '' END"

/* What rows are made of: the exits asked about, what tells them apart, and its text. */
static const struct {
	const char *title, *where, *group, *text;
} views[] = {
	[BY_REASON] = { "reason", "1", "reason", "reason_name" },
	[BY_RIP] = { "rip", "1", "rip", "symbol(rip)" },
	[BY_PORT] = { "port", "reason = 30", "qualification >> 16 & 0xffff, qualification & 8",
		"printf('%#x ', qualification >> 16 & 0xffff) ||"
		" CASE qualification & 8 WHEN 0 THEN 'out' ELSE 'in' END" ABSENT },
	[BY_MSR] = { "msr", "reason IN (31, 32)", "rcx & 0xffffffff, reason",
		"printf('%#x ', rcx & 0xffffffff) || CASE reason WHEN 31 THEN 'read' ELSE 'write' END" },
	[BY_CPUID] = { "cpuid", "reason = 10", "rax & 0xffffffff, rcx & 0xffffffff",
		"printf('%#x.%#x', rax & 0xffffffff, rcx & 0xffffffff)" },
	[BY_GPA] = { "gpa", "reason IN (48, 49)", "gpa", "printf('%#x', gpa)" ABSENT },
	/* SDM, "Exit Qualification for Control-Register Accesses" */
	[BY_CR] = { "cr", "reason = 28", "qualification & 0x3f",
		"CASE qualification >> 4 & 3 WHEN 0 THEN printf('CR%d write', qualification & 15)"
		" WHEN 1 THEN printf('CR%d read', qualification & 15) WHEN 2 THEN 'CLTS' ELSE 'LMSW' END" },
	[BY_VCPU] = { "vcpu", "1", "vcpu", "printf('%d', vcpu)" },
};

static int by = BY_REASON;
static uint64_t session;
static const char *symbols_path;
static bool quiet, json;

static const struct option_row rows[] = {
	{ .name = "by", .type = OPTION_CHOICE, .value = &by, .argument = BY_WORDS,
	  .help = "what a row stands for" },
	{ .name = "symbols", .type = OPTION_TEXT, .value = &symbols_path, .argument = "FILE", .help = SYMBOLS_HELP },
	{ .name = "json", .type = OPTION_FLAG, .value = &json, .help = "as JSON" },
	{ .name = "quiet", .letter = 'q', .type = OPTION_FLAG, .value = &quiet, .help = "no progress" },
	{ .name = "session", .type = OPTION_NUMBER, .value = &session, .argument = "N",
	  .help = "which session of a trace (default: the first)", .min = 1, .max = UINT32_MAX },
};

static const struct command command = {
	.name = "stat",
	.synopsis = "T.vxt|T.db [--by " BY_WORDS "]",
	.help = "Exits counted, with TSC cycles: of the handler (minimum, average, maximum, sum), of the\n"
		"tracer, and of the guest before the exits. All but reason, rip and vcpu look at those exits\n"
		"alone that have a port, an MSR, …; ports and addresses where nothing is are marked `absent`.",
	COMMAND_ROWS(rows),
	.min_arguments = 1,
	.max_arguments = 1,
};

struct line {
	char key[64];
	uint64_t exits, least, most, sum, tracer, guest;	/* cycles, but for exits */
	uint64_t absent;		/* exits of accesses to ports and addresses where nothing is */
	double average;
};

struct lines {
	struct line *list, total;
	size_t count, capacity;
};

static bool add(struct lines *lines, sqlite3_stmt *s)
{
	struct line *l, *t = &lines->total;
	const char *key;

	if (lines->count == lines->capacity) {
		size_t capacity = lines->capacity ? 2 * lines->capacity : 64;

		l = realloc(lines->list, capacity * sizeof(*l));
		if (!l)
			return false;
		lines->list = l;
		lines->capacity = capacity;
	}
	l = &lines->list[lines->count++];
	key = (const char *)sqlite3_column_text(s, 0);
	snprintf(l->key, sizeof(l->key), "%s", key ? key : "unknown");
	l->exits = (uint64_t)sqlite3_column_int64(s, 1);
	l->least = (uint64_t)sqlite3_column_int64(s, 2);
	l->most = (uint64_t)sqlite3_column_int64(s, 3);
	l->average = sqlite3_column_double(s, 4);
	l->sum = (uint64_t)sqlite3_column_int64(s, 5);
	l->tracer = (uint64_t)sqlite3_column_int64(s, 6);
	l->guest = (uint64_t)sqlite3_column_int64(s, 7);
	l->absent = (uint64_t)sqlite3_column_int64(s, 8);
	if (lines->count == 1 || l->least < t->least)
		t->least = l->least;
	if (l->most > t->most)
		t->most = l->most;
	t->exits += l->exits;
	t->sum += l->sum;
	t->tracer += l->tracer;
	t->guest += l->guest;
	t->absent += l->absent;
	return true;
}

static int collect(sqlite3 *db, struct lines *lines)
{
	/* Sums in two halves are exact, and never an error: see schema.sql. */
	char *sql = sqlite3_mprintf(
		"SELECT %s, count(*), min(handler_cycles), max(handler_cycles), avg(handler_cycles),"
		" sum(handler_cycles >> 32) * 4294967296 + sum(handler_cycles & 4294967295),"
		" sum(tracer_cycles >> 32) * 4294967296 + sum(tracer_cycles & 4294967295),"
		" sum(guest_cycles >> 32) * 4294967296 + sum(guest_cycles & 4294967295),"
		" ifnull(sum(absent), 0)"
		" FROM exits WHERE %s GROUP BY %s ORDER BY 2 DESC, 1",
		views[by].text, views[by].where, views[by].group);
	sqlite3_stmt *statement;
	int code = sql ? sqlite3_prepare_v2(db, sql, -1, &statement, NULL) : SQLITE_NOMEM;

	sqlite3_free(sql);
	if (code != SQLITE_OK)
		return code;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		if (!add(lines, statement)) {
			code = SQLITE_NOMEM;
			break;
		}
	sqlite3_finalize(statement);
	if (lines->total.exits)
		lines->total.average = (double)lines->total.sum / (double)lines->total.exits;
	snprintf(lines->total.key, sizeof(lines->total.key), "total");
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void print_line(const struct line *l, const struct line *total)
{
	printf("%-24s %9lu %6.2f%% %6.2f%%", l->key, (unsigned long)l->exits, percent(l->exits, total->exits),
	       percent(l->sum, total->sum));
	printf(" %9lu %11.1f %9lu %13lu", (unsigned long)l->least, l->average, (unsigned long)l->most,
	       (unsigned long)l->sum);
	printf(" %13lu %15lu\n", (unsigned long)l->tracer, (unsigned long)l->guest);
}

static void print_table(const struct lines *lines)
{
	printf("%-24s %9s %7s %7s %9s %11s %9s %13s %13s %15s\n", views[by].title, "exits", "exits%", "time%",
	       "min", "avg", "max", "handler", "tracer", "guest");
	for (size_t i = 0; i < lines->count; i++)
		print_line(&lines->list[i], &lines->total);
	print_line(&lines->total, &lines->total);
	if (lines->total.absent)
		printf("absent: %lu exits reached for ports or addresses where nothing is"
		       " (--by port, --by gpa)\n", (unsigned long)lines->total.absent);
}

static void print_json_line(const struct line *l, const struct line *total)
{
	printf("{\"key\": ");
	json_string(stdout, l->key);
	printf(", \"exits\": %lu, \"percent\": %.4f, ", (unsigned long)l->exits,
	       percent(l->exits, total->exits));
	printf("\"handler_min\": %lu, \"handler_avg\": %.2f, \"handler_max\": %lu, ", (unsigned long)l->least,
	       l->average, (unsigned long)l->most);
	printf("\"handler_cycles\": %lu, \"tracer_cycles\": %lu, \"guest_cycles\": %lu, \"absent\": %lu}",
	       (unsigned long)l->sum, (unsigned long)l->tracer, (unsigned long)l->guest,
	       (unsigned long)l->absent);
}

static void print_json(const struct lines *lines)
{
	printf("{\n  \"by\": \"%s\",\n  \"rows\": [", views[by].title);
	for (size_t i = 0; i < lines->count; i++) {
		printf(i ? ",\n    " : "\n    ");
		print_json_line(&lines->list[i], &lines->total);
	}
	printf("%s],\n  \"total\": ", lines->count ? "\n  " : "");
	print_json_line(&lines->total, &lines->total);
	printf("\n}\n");
}

int cmd_stat(int argc, char **argv)
{
	int count = options_parse(&command, argc, argv), status;
	struct lines lines = { 0 };
	struct symbols *symbols = NULL;
	struct database d;
	char error[512];

	if (count < 0)
		return OPTIONS_STATUS(count);
	if (symbols_path && !(symbols = symbols_load(symbols_path, error, sizeof(error))))
		return command_fail(EXIT_CANNOT, "%s", error);
	status = database_open(&d, argv[1], (unsigned)session, IMPORT_EXITS, quiet);
	if (status != EXIT_OK) {
		symbols_free(symbols);
		return status;
	}
	if (symbol_register(d.db, symbols) != SQLITE_OK || collect(d.db, &lines) != SQLITE_OK)
		status = command_fail(EXIT_CANNOT, "stat: %s", sqlite3_errmsg(d.db));
	else if (json)
		print_json(&lines);
	else
		print_table(&lines);
	if (status == EXIT_OK && d.damaged)
		status = EXIT_NO;
	free(lines.list);
	database_close(&d);
	symbols_free(symbols);
	return status;
}
