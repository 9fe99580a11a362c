/*
 * import.c: a trace's steps as rows, in one transaction.
 *
 * Called by import_command.c and open.c. Inserts are prepared once; nothing is allocated per row. Indexes
 * come after the rows: sorting once is cheaper than keeping trees.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/meta.h"
#include "analyzer/rows.h"
#include "recorder/command.h"

#define TRACE_ID 1		/* an import makes a new database: its only trace */

enum insert { INSERT_EXIT, INSERT_ENTRY, INSERT_VMCS, INSERT_GPR, INSERT_CROSSING, INSERT_FRAME,
	      INSERT_COUNT };

static const char *const insert_sql[INSERT_COUNT] = {
#define X(name) #name ", "
	[INSERT_EXIT] = "INSERT INTO exits(" EXIT_COLUMNS(X) "rowid) VALUES("
#undef X
#define X(name) "?, "
			EXIT_COLUMNS(X) "?)",
#undef X
	[INSERT_ENTRY] = "INSERT INTO entries VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[INSERT_VMCS] = "INSERT INTO vmcs_writes VALUES(?, ?, ?, ?, ?)",
	[INSERT_GPR] = "INSERT INTO gpr_writes VALUES(?, ?, ?, ?, ?)",
	[INSERT_CROSSING] = "INSERT INTO crossings VALUES(?, ?, ?, ?, ?, ?, ?)",
	[INSERT_FRAME] = "INSERT INTO frames VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
};

struct importer {
	sqlite3 *db;
	const struct trace *trace;
	enum import_what what;
	struct trace_cursor *cursor;
	struct decoder *decoder;
	sqlite3_stmt *insert[INSERT_COUNT];
	struct exit_row pending[VM_MAX_CPUS];	/* each vCPU's last exit: see rows.h */
	struct exit_row bound;			/* what INSERT_EXIT has bound */
	uint64_t last_seq[VM_MAX_CPUS];
	uint64_t next_step;			/* that would follow without a gap */
	struct import_result *result;
	int code;				/* SQLite's first failure */
	char kinds[CROSSING_KIND_COUNT][16];	/* "mem_read" */
};

static void run(struct importer *im, enum insert which)
{
	int code;

	sqlite3_step(im->insert[which]);
	code = sqlite3_reset(im->insert[which]);
	if (code != SQLITE_OK && im->code == SQLITE_OK)
		im->code = code;
	im->result->rows++;
}

static void bind(struct importer *im, enum insert which, int column, uint64_t value)
{
	sqlite3_bind_int64(im->insert[which], column, (sqlite3_int64)value);
}

static void bind_or_null(struct importer *im, enum insert which, int column, bool known, uint64_t value)
{
	if (known)
		bind(im, which, column, value);
	else
		sqlite3_bind_null(im->insert[which], column);
}

/* ---- Exits ---- */

static void flush_pending(struct importer *im, unsigned vcpu)
{
	struct exit_row *row = &im->pending[vcpu];
	int code;

	if (!row->filled)
		return;
	row->filled = false;
	code = exit_row_insert(row, im->insert[INSERT_EXIT], &im->bound);
	if (code != SQLITE_OK && im->code == SQLITE_OK)
		im->code = code;
	im->result->rows++;
}

/* Before steps that are missing, and at the end: what the vCPUs did next isn't known. */
static void flush_all(struct importer *im)
{
	for (unsigned i = 0; i < VM_MAX_CPUS; i++) {
		flush_pending(im, i);
		im->last_seq[i] = SEQ_NONE;
	}
}

static void add_exit(struct importer *im, const struct step *s)
{
	struct exit_row *row = &im->pending[s->vcpu];

	if (row->filled)
		exit_row_complete(row, s);
	flush_pending(im, s->vcpu);
	exit_row_fill(row, im->decoder, TRACE_ID);
	im->last_seq[s->vcpu] = s->seq;
	im->result->exits++;
}

/* ---- Entry steps ---- */

static void bind_slot(struct importer *im, int column, bool known, enum vmcs_slot slot)
{
	const struct decoder *d = im->decoder;

	known = known && slot_test(d->cpu[d->step.vcpu].loaded, slot);
	bind_or_null(im, INSERT_ENTRY, column, known, known ? decoder_expected(d, slot) : 0);
}

static void add_entry(struct importer *im, const struct step *s)
{
	static const char *const results[] = { "enter", "wait", "stop" };
	uint64_t event = decoder_expected(im->decoder, VMCS_ENTRY_INTR_INFO);
	bool enters = !s->unfinished && s->entry == ENTRY_ENTER, delivers = enters && event & INTR_INFO_VALID;
	bool waits = !s->unfinished && s->entry == ENTRY_WAIT;
	uint64_t seq = im->last_seq[s->vcpu];

	bind(im, INSERT_ENTRY, 2, s->number);
	bind_or_null(im, INSERT_ENTRY, 3, seq != SEQ_NONE, seq);
	bind(im, INSERT_ENTRY, 4, s->vcpu);
	bind(im, INSERT_ENTRY, 5, s->tsc);
	sqlite3_bind_text(im->insert[INSERT_ENTRY], 6, s->unfinished ? NULL : results[s->entry], -1,
			  SQLITE_STATIC);
	bind_slot(im, 7, delivers, VMCS_ENTRY_INTR_INFO);
	bind_slot(im, 8, delivers && event & INTR_INFO_ERROR_CODE, VMCS_ENTRY_EXCEPTION_ERROR_CODE);
	bind_or_null(im, INSERT_ENTRY, 9, waits && s->wake_at != TIME_NONE, s->wake_at);
	bind_or_null(im, INSERT_ENTRY, 10, enters && s->deadline != TIME_NONE, s->deadline);
	bind_slot(im, 11, enters, VMCS_PREEMPTION_TIMER_VALUE);
	bind_slot(im, 12, !s->unfinished, VMCS_TSC_OFFSET);
	bind_slot(im, 13, true, VMCS_GUEST_RIP);
	bind_slot(im, 14, !s->unfinished, VMCS_GUEST_INTERRUPTIBILITY);
	bind_slot(im, 15, !s->unfinished, VMCS_GUEST_ACTIVITY_STATE);
	run(im, INSERT_ENTRY);
}

/* ---- What a step did ---- */

static const char *gpr_name(unsigned reg)
{
	static const char *const names[GPR_COUNT] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cr2",
	};

	return names[reg];
}

static void add_effects(struct importer *im, const struct step *s)
{
	for (unsigned i = 0; i < s->effect_count; i++) {
		const struct effect *e = &s->effects[i];
		enum insert which = e->code < ITEM_GPR ? INSERT_VMCS : INSERT_GPR;

		bind(im, which, 2, s->number);
		if (which == INSERT_VMCS)
			bind(im, which, 3, vmcs_fields[e->code].encoding);
		else
			sqlite3_bind_text(im->insert[which], 3, gpr_name(e->code - ITEM_GPR), -1,
					  SQLITE_STATIC);
		bind(im, which, 4, e->before);
		bind(im, which, 5, e->after);
		run(im, which);
	}
}

static void add_crossings(struct importer *im, const struct step *s)
{
	for (unsigned i = 0; i < s->crossing_count; i++) {
		const struct crossing *c = &s->crossings[i];

		bind(im, INSERT_CROSSING, 2, s->number);
		bind(im, INSERT_CROSSING, 3, i);
		sqlite3_bind_text(im->insert[INSERT_CROSSING], 4, im->kinds[c->kind], -1, SQLITE_STATIC);
		bind(im, INSERT_CROSSING, 5, c->addr);
		bind(im, INSERT_CROSSING, 6, c->size);
		if (c->size <= 8)
			bind(im, INSERT_CROSSING, 7, c->value);
		else
			sqlite3_bind_blob(im->insert[INSERT_CROSSING], 7, c->bytes, (int)c->size,
					  SQLITE_STATIC);
		run(im, INSERT_CROSSING);
	}
}

static void add_step(struct importer *im)
{
	const struct step *s = &im->decoder->step;

	if (s->kind == STEP_EXIT)
		add_exit(im, s);
	else if (im->what == IMPORT_ALL)
		add_entry(im, s);
	im->result->steps++;
	if (im->what != IMPORT_ALL)
		return;
	add_effects(im, s);
	add_crossings(im, s);
}

/* ---- Frames ---- */

static void add_frame(struct importer *im, const struct frame_header *h)
{
	uint8_t header[HEADER_SIZE];
	const uint8_t *packed;
	size_t size;

	frame_header_encode(h, header);
	packed = trace_cursor_packed(im->cursor, &size);
	bind(im, INSERT_FRAME, 2, h->frame);
	bind(im, INSERT_FRAME, 3, h->first_step);
	bind(im, INSERT_FRAME, 4, h->first_seq);
	bind(im, INSERT_FRAME, 5, h->steps);
	bind(im, INSERT_FRAME, 6, h->exits);
	sqlite3_bind_blob(im->insert[INSERT_FRAME], 7, header, sizeof(header), SQLITE_TRANSIENT);
	sqlite3_bind_blob(im->insert[INSERT_FRAME], 8, packed, (int)size, SQLITE_STATIC);
	run(im, INSERT_FRAME);
}

static void import_frame(struct importer *im, size_t index)
{
	const struct frame_header *h = &trace_frame(im->trace, index)->header;
	int more = -1;

	if (h->first_step != im->next_step)
		flush_all(im);
	if (trace_cursor_load(im->cursor, index) == 0) {
		if (im->what == IMPORT_ALL)
			add_frame(im, h);
		while ((more = trace_cursor_next(im->cursor)) > 0)
			add_step(im);
	}
	im->next_step = h->first_step + h->steps;
	if (more == 0)
		return;
	fprintf(stderr, "vexit: %s\n", trace_cursor_error(im->cursor));
	im->result->damages++;
	im->next_step = UINT64_MAX;
}

/* ---- The whole ---- */

static int prepare(struct importer *im)
{
	static const char settings[] = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
				       "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -65536;"
				       "PRAGMA temp_store = MEMORY; BEGIN";
	int code = sqlite3_exec(im->db, settings, NULL, NULL, NULL);

	if (code == SQLITE_OK)
		code = schema_create(im->db);
	for (int i = 0; i < INSERT_COUNT && code == SQLITE_OK; i++)
		code = sqlite3_prepare_v3(im->db, insert_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					  &im->insert[i], NULL);
	for (int i = INSERT_ENTRY; i < INSERT_COUNT && code == SQLITE_OK; i++)
		sqlite3_bind_int64(im->insert[i], 1, TRACE_ID);	/* stays bound */
	for (unsigned kind = 0; kind < CROSSING_KIND_COUNT; kind++) {
		static const char *const names[CROSSING_KIND_COUNT] = {
#define X(number, name) [number] = #name,
			CROSSING_KINDS(X)
#undef X
		};

		for (size_t i = 0; i < sizeof(im->kinds[0]) - 1 && names[kind][i]; i++)
			im->kinds[kind][i] = names[kind][i] == '_' ? '_' : (char)(names[kind][i] | 0x20);
	}
	return code;
}

static int finish(struct importer *im)
{
	flush_all(im);
	for (int i = 0; i < INSERT_COUNT; i++)
		sqlite3_finalize(im->insert[i]);
	if (im->code == SQLITE_OK && im->what == IMPORT_ALL)
		im->code = meta_fill(im->db, TRACE_ID, im->trace, im->result);
	if (im->code == SQLITE_OK && im->what == IMPORT_ALL)
		im->code = schema_create_indexes(im->db);
	if (im->code == SQLITE_OK)
		im->code = sqlite3_exec(im->db, "COMMIT", NULL, NULL, NULL);
	return im->code;
}

int import_trace(sqlite3 *db, const struct trace *t, enum import_what what, bool quiet,
		 struct import_result *result, char *error, size_t error_size)
{
	struct importer *im = calloc(1, sizeof(*im));
	int code;

	memset(result, 0, sizeof(*result));
	if (im)
		im->cursor = trace_cursor_new(t);
	if (!im || !im->cursor) {
		free(im);
		snprintf(error, error_size, "not enough memory");
		return -1;
	}
	im->db = db;
	im->trace = t;
	im->what = what;
	im->result = result;
	im->decoder = trace_cursor_decoder(im->cursor);
	im->bound.nulls = UINT64_MAX;
	for (unsigned i = 0; i < VM_MAX_CPUS; i++)
		im->last_seq[i] = SEQ_NONE;
	im->code = prepare(im);
	for (size_t i = 0; i < trace_frame_count(t) && im->code == SQLITE_OK; i++) {
		import_frame(im, i);
		progress_update(quiet, "import: %lu of %lu exits", (unsigned long)result->exits,
				(unsigned long)trace_exit_count(t));
	}
	progress_end(quiet);
	code = finish(im);
	if (code != SQLITE_OK)
		snprintf(error, error_size, "%s", sqlite3_errmsg(db));
	trace_cursor_free(im->cursor);
	free(im);
	return code == SQLITE_OK ? 0 : -1;
}
