/*
 * meta.c: what is known of the whole recording, as rows (key, value). Called by import.c.
 *
 * closing.reason.NAME are the hypervisor's own counters: equal to a count over `exits`, if nothing is lost.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/meta.h"

struct meta {
	sqlite3_stmt *insert;
	int code;
};

static void put(struct meta *m, const char *key)
{
	int code;

	sqlite3_bind_text(m->insert, 2, key, -1, SQLITE_TRANSIENT);
	sqlite3_step(m->insert);
	code = sqlite3_reset(m->insert);
	if (m->code == SQLITE_OK)
		m->code = code;
}

static void put_number(struct meta *m, const char *key, uint64_t value)
{
	sqlite3_bind_int64(m->insert, 3, (sqlite3_int64)value);
	put(m, key);
}

static void put_text(struct meta *m, const char *key, const char *text)
{
	sqlite3_bind_text(m->insert, 3, text, -1, SQLITE_TRANSIENT);
	put(m, key);
}

static const char *stop_name(uint32_t kind)
{
	static const char *const names[] = {
#define X(number, name, text) [number] = text,
		STOP_KINDS(X)
#undef X
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

/* The session frame itself: vmcs() needs its dictionary. */
static void put_frame(struct meta *m, const struct session *s)
{
	uint8_t *bytes = malloc(SESSION_MAX);
	size_t size = bytes ? session_encode(s, bytes, SESSION_MAX) : 0;

	if (size) {
		sqlite3_bind_blob(m->insert, 3, bytes, (int)size, SQLITE_TRANSIENT);
		put(m, "session.frame");
	} else if (m->code == SQLITE_OK) {
		m->code = SQLITE_NOMEM;
	}
	free(bytes);
}

static void put_session(struct meta *m, const struct session *s)
{
	static const char *const levels[] = { "off", "touched", "full" };
	char text[40];

	put_number(m, "session.version", s->version);
	snprintf(text, sizeof(text), "%020lu", (unsigned long)s->id);
	put_text(m, "session.id", text);
	put_text(m, "session.machine", s->machine);
	put_text(m, "session.build", s->build);
	put_text(m, "session.guest", s->guest);
	put_text(m, "session.cmdline", s->cmdline);
	put_text(m, "session.level", s->level < 3 ? levels[s->level] : "unknown");
	put_number(m, "session.vcpus", s->cpu_count);
	put_number(m, "session.tsc_khz", s->config.tsc_khz);
	put_number(m, "session.memory_size", s->config.memory_size);
	for (unsigned i = 0; i < s->cap_count; i++) {
		snprintf(text, sizeof(text), "session.msr.%#x", s->caps[i].msr);
		put_number(m, text, s->caps[i].value);
	}
	if (s->sliced) {
		put_number(m, "session.slice.first_seq", s->slice.first_seq);
		put_number(m, "session.slice.last_seq", s->slice.last_seq);
		put_number(m, "session.slice.first_step", s->slice.first_step);
		put_number(m, "session.slice.last_step", s->slice.last_step);
	}
	put_frame(m, s);
}

static void put_closing(struct meta *m, const struct closing *c)
{
	char key[80];

	put_number(m, "closing.frames", c->frames);
	put_number(m, "closing.steps", c->steps);
	put_number(m, "closing.exits", c->exits);
	put_number(m, "closing.last_tsc", c->last_tsc);
	put_text(m, "closing.stop", stop_name(c->stop.kind));
	put_number(m, "closing.stop_value", c->stop.value);
	put_number(m, "closing.dropped", c->dropped);
	for (unsigned reason = 0; reason < CLOSING_REASONS; reason++) {
		if (!c->reasons[reason])
			continue;
		snprintf(key, sizeof(key), "closing.reason.%s", exit_reason_name(reason));
		put_number(m, key, c->reasons[reason]);
	}
}

int meta_fill(sqlite3 *db, sqlite3_int64 trace_id, const struct trace *t, const struct import_result *result)
{
	struct meta m = { .code = SQLITE_OK };
	char key[40];
	int code = sqlite3_prepare_v2(db, "INSERT INTO meta VALUES(?, ?, ?)", -1, &m.insert, NULL);

	if (code != SQLITE_OK)
		return code;
	sqlite3_bind_int64(m.insert, 1, trace_id);
	put_session(&m, trace_session(t));
	if (trace_closing(t))
		put_closing(&m, trace_closing(t));
	put_number(&m, "import.exits", result->exits);
	put_number(&m, "import.steps", result->steps);
	put_number(&m, "import.whole", trace_whole(t) && !result->damages);
	put_number(&m, "import.damages", trace_damage_count(t) + result->damages);
	for (size_t i = 0; i < trace_damage_count(t); i++) {
		snprintf(key, sizeof(key), "import.damage.%zu", i);
		put_text(&m, key, trace_damage(t, i)->text);
	}
	sqlite3_finalize(m.insert);
	return m.code;
}
