/*
 * crossings.c: what the handler sent out against what the record has, one by one, in order; and at the step's
 * end, what was recorded and didn't happen. Called by world.c and compare.c.
 */
#include <string.h>

#include "replay/replay.h"

static bool is_out(unsigned kind)
{
	switch (kind) {
	case CROSSING_MEM_WRITE:
	case CROSSING_MEM_CMPXCHG:
	case CROSSING_CONSOLE_OUT:
	case CROSSING_MSR_WRITE:
	case CROSSING_XCR_WRITE:
	case CROSSING_DR_WRITE:
	case CROSSING_INVVPID:
	case CROSSING_KICK:
		return true;
	default:
		return false;
	}
}

static bool same(const struct crossing *a, const struct crossing *b)
{
	if (a->kind != b->kind || a->addr != b->addr || a->size != b->size)
		return false;
	return a->size > 8 ? memcmp(a->bytes, b->bytes, a->size) == 0 : a->value == b->value;
}

uint32_t crossing_next_out(const struct step *s, uint32_t from)
{
	while (from < s->crossing_count && !is_out(s->crossings[from].kind))
		from++;
	return from;
}

static void out_diverged(struct replay_world *w, const struct crossing *expected, const struct crossing *got)
{
	struct divergence *d = diverge(w->run, DIVERGE_CROSSING);
	const struct crossing *named = expected ? expected : got;
	uint32_t at = 0;

	if (!d)
		return;
	snprintf(d->name, sizeof(d->name), "%s", explain_crossing_kind(named->kind));
	snprintf(d->expected, sizeof(d->expected), "nothing");
	snprintf(d->got, sizeof(d->got), "nothing");
	if (expected)
		explain_crossing(d->expected, sizeof(d->expected), expected);
	if (got)
		explain_crossing(d->got, sizeof(d->got), got);
	if (!expected || !got || expected->kind != got->kind || expected->size != got->size || got->size <= 8)
		return;
	while (at < got->size && expected->bytes[at] == got->bytes[at])
		at++;
	if (at < got->size)
		snprintf(d->name + strlen(d->name), sizeof(d->name) - strlen(d->name), ", from byte %u", at);
}

/*
 * Compare one value that went out with the next recorded one. If a later one is equal, those between are
 * missing; if the kinds are equal, the values differ; else it is one too many.
 */
void crossing_compare(struct replay_world *w, const struct crossing *got)
{
	const struct step *s = w->step;
	uint32_t next = crossing_next_out(s, w->out_next), match = next;

	if (next < s->crossing_count && same(&s->crossings[next], got)) {
		w->out_next = next + 1;
		return;
	}
	while (match < s->crossing_count && !same(&s->crossings[match], got))
		match = crossing_next_out(s, match + 1);
	if (match < s->crossing_count) {
		for (; next < match; next = crossing_next_out(s, next + 1))
			out_diverged(w, &s->crossings[next], NULL);
		w->out_next = match + 1;
	} else if (next < s->crossing_count && s->crossings[next].kind == got->kind) {
		out_diverged(w, &s->crossings[next], got);
		w->out_next = next + 1;
	} else {
		out_diverged(w, NULL, got);
	}
}

/* A recorded question that wasn't asked: the handler went another way. */
static void not_asked(struct replay_world *w, const struct crossing *c)
{
	struct divergence *d = diverge(w->run, DIVERGE_QUESTION);

	if (!d)
		return;
	snprintf(d->name, sizeof(d->name), "question");
	explain_crossing(d->expected, sizeof(d->expected), c);
	snprintf(d->got, sizeof(d->got), "never asked for");
}

static void memory_not_asked(struct replay_world *w, const struct crossing *c, const uint8_t *asked)
{
	for (uint32_t i = 0; i < c->size; i++) {
		struct crossing rest = { .kind = c->kind, .addr = c->addr + i, .bytes = c->bytes + i };

		while (i + rest.size < c->size && !asked[i + rest.size])
			rest.size++;
		if (!rest.size)
			continue;
		memcpy(&rest.value, rest.bytes, rest.size < 8 ? rest.size : 8);
		not_asked(w, &rest);
		i += rest.size;
	}
}

void replay_world_end(struct replay_world *w)
{
	const struct step *s = w->step;

	for (uint32_t i = 0; i < s->crossing_count; i++) {
		const struct crossing *c = &s->crossings[i];

		if (c->kind == CROSSING_MEM_READ)
			memory_not_asked(w, c, w->asked + w->asked_at[i]);
		else if (is_out(c->kind) ? i >= w->out_next : i >= w->in_next[c->kind])
			is_out(c->kind) ? out_diverged(w, c, NULL) : not_asked(w, c);
	}
}
