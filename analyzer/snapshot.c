/*
 * snapshot.c: the SQL function vmcs([trace_id,] seq, 'GUEST_CR3'): any field of any exit's snapshot.
 *
 * Registered by open.c. The database holds the trace's frames; the one that holds the exit is put behind its
 * session frame and read by the trace's own reader. It stays open for the next call, so that a query that
 * goes through the exits in order decodes each step once.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/database.h"

struct snapshot {
	sqlite3 *db;
	sqlite3_stmt *find, *session;
	uint8_t *bytes;			/* session frame, header, compressed frame */
	struct trace *trace;
	struct trace_cursor *cursor;
	sqlite3_int64 trace_id, frame;
	bool at_exit;			/* the cursor stands at an exit */
	uint64_t last_seq;		/* of the frame */
};

static void close_frame(struct snapshot *s)
{
	if (s->cursor)
		trace_cursor_free(s->cursor);
	if (s->trace)
		trace_close(s->trace);
	free(s->bytes);
	s->cursor = NULL;
	s->trace = NULL;
	s->bytes = NULL;
	s->at_exit = false;
}

static void destroy(void *context)
{
	struct snapshot *s = context;

	close_frame(s);
	sqlite3_finalize(s->find);
	sqlite3_finalize(s->session);
	free(s);
}

/* Session frame, header and frame, one behind the other, are a trace. */
static bool join(struct snapshot *s, sqlite3_int64 trace_id, size_t *size)
{
	const void *part[3];
	size_t length[3];

	sqlite3_reset(s->session);
	sqlite3_bind_int64(s->session, 1, trace_id);
	if (sqlite3_step(s->session) != SQLITE_ROW)
		return false;
	part[0] = sqlite3_column_blob(s->session, 0);
	length[0] = (size_t)sqlite3_column_bytes(s->session, 0);
	for (int i = 1; i < 3; i++) {
		part[i] = sqlite3_column_blob(s->find, i + 1);
		length[i] = (size_t)sqlite3_column_bytes(s->find, i + 1);
	}
	*size = length[0] + length[1] + length[2];
	s->bytes = malloc(*size + 1);
	if (!s->bytes || !part[0] || !part[1] || !part[2])
		return false;
	memcpy(s->bytes, part[0], length[0]);
	memcpy(s->bytes + length[0], part[1], length[1]);
	memcpy(s->bytes + length[0] + length[1], part[2], length[2]);
	return true;
}

static bool open_frame(struct snapshot *s, sqlite3_int64 trace_id)
{
	char error[256];
	size_t size;

	if (!join(s, trace_id, &size))
		return false;
	s->trace = trace_open_memory("frames.data", s->bytes, size, NULL, error, sizeof(error));
	if (!s->trace || trace_frame_count(s->trace) != 1)
		return false;
	s->cursor = trace_cursor_new(s->trace);
	return s->cursor && trace_cursor_load(s->cursor, 0) == 0;
}

/* The frame that holds exit `seq` is open. 1; 0: there is none; -1: it is damaged. */
static int find_frame(struct snapshot *s, sqlite3_int64 trace_id, sqlite3_int64 seq)
{
	struct decoder *d = s->cursor ? trace_cursor_decoder(s->cursor) : NULL;
	sqlite3_int64 frame;
	bool same;
	int found = 1;

	if (d && s->at_exit && s->trace_id == trace_id && (uint64_t)seq >= d->step.seq &&
	    (uint64_t)seq <= s->last_seq)
		return 1;
	sqlite3_bind_int64(s->find, 1, trace_id);
	sqlite3_bind_int64(s->find, 2, seq);
	if (sqlite3_step(s->find) != SQLITE_ROW) {
		sqlite3_reset(s->find);
		return 0;
	}
	frame = sqlite3_column_int64(s->find, 0);
	same = d && s->trace_id == trace_id && s->frame == frame;
	if (!same || trace_cursor_load(s->cursor, 0) != 0) {
		close_frame(s);
		if (!open_frame(s, trace_id)) {
			close_frame(s);
			found = -1;
		}
	}
	s->at_exit = false;
	s->trace_id = trace_id;
	s->frame = frame;
	s->last_seq = (uint64_t)sqlite3_column_int64(s->find, 1);
	sqlite3_reset(s->find);
	sqlite3_reset(s->session);
	return found;
}

/* The decoder stands at exit `seq`, its snapshot in place. As find_frame(). */
static int find_exit(struct snapshot *s, sqlite3_int64 trace_id, sqlite3_int64 seq)
{
	int found = find_frame(s, trace_id, seq), more;
	struct decoder *d;

	if (found <= 0)
		return found;
	d = trace_cursor_decoder(s->cursor);
	if (s->at_exit && d->step.seq == (uint64_t)seq)
		return 1;
	while ((more = trace_cursor_next(s->cursor)) > 0) {
		if (d->step.kind != STEP_EXIT)
			continue;
		s->at_exit = true;
		if (d->step.seq >= (uint64_t)seq)
			return d->step.seq == (uint64_t)seq;
	}
	close_frame(s);
	return more;
}

/* The slot of a field's name; VMCS_SLOTS: none. Remembered with the argument when that is a constant. */
static unsigned find_slot(sqlite3_context *context, int argument, const char *name)
{
	const struct vmcs_field *known = sqlite3_get_auxdata(context, argument);

	if (known)
		return (unsigned)(known - vmcs_fields);
	for (unsigned slot = 0; name && slot < VMCS_SLOTS; slot++)
		if (!sqlite3_stricmp(vmcs_fields[slot].name, name)) {
			sqlite3_set_auxdata(context, argument, (void *)&vmcs_fields[slot], NULL);
			return slot;
		}
	return VMCS_SLOTS;
}

static void vmcs_function(sqlite3_context *context, int count, sqlite3_value **argument)
{
	struct snapshot *s = sqlite3_user_data(context);
	sqlite3_int64 trace_id = count == 3 ? sqlite3_value_int64(argument[0]) : 1;
	const char *name = (const char *)sqlite3_value_text(argument[count - 1]);
	unsigned slot = find_slot(context, count - 1, name);
	const struct decoder *d;
	int found;

	if (slot == VMCS_SLOTS) {
		char *message = sqlite3_mprintf("vmcs: no VMCS field '%s' (see the table vmcs_field)",
						name ? name : "NULL");

		sqlite3_result_error(context, message, -1);
		sqlite3_free(message);
		return;
	}
	if (sqlite3_value_type(argument[count - 2]) == SQLITE_NULL)
		return;
	found = find_exit(s, trace_id, sqlite3_value_int64(argument[count - 2]));
	if (found < 0)
		sqlite3_result_error(context, "vmcs: the frame of this exit is damaged", -1);
	if (found <= 0)
		return;
	d = trace_cursor_decoder(s->cursor);
	if (slot_test(d->cpu[d->step.vcpu].loaded, slot))
		sqlite3_result_int64(context, (sqlite3_int64)d->cpu[d->step.vcpu].vmcs[slot]);
}

int snapshot_register(sqlite3 *db)
{
	static const char find[] = "SELECT frame, first_seq + exits - 1, header, data FROM frames"
				   " WHERE trace_id = ? AND first_seq <= ?"
				   " ORDER BY first_seq DESC, frame DESC LIMIT 1";
	static const char session[] = "SELECT value FROM meta WHERE trace_id = ? AND key = 'session.frame'";
	struct snapshot *s = calloc(1, sizeof(*s));
	int code;

	if (!s)
		return SQLITE_NOMEM;
	s->db = db;
	code = sqlite3_prepare_v3(db, find, -1, SQLITE_PREPARE_PERSISTENT, &s->find, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v3(db, session, -1, SQLITE_PREPARE_PERSISTENT, &s->session, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_create_function_v2(db, "vmcs", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, s,
						  vmcs_function, NULL, NULL, NULL);
	if (code != SQLITE_OK) {
		destroy(s);
		return code;
	}
	return sqlite3_create_function_v2(db, "vmcs", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC, s,
					  vmcs_function, NULL, NULL, destroy);
}

/* Before the database is closed: the function's statements must go first. */
void snapshot_unregister(sqlite3 *db)
{
	sqlite3_create_function_v2(db, "vmcs", 2, SQLITE_UTF8, NULL, NULL, NULL, NULL, NULL);
	sqlite3_create_function_v2(db, "vmcs", 3, SQLITE_UTF8, NULL, NULL, NULL, NULL, NULL);
}
