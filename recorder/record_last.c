/*
 * record_last.c: what a guest was doing when it had to be stopped, or stopped itself: its last exits in
 * words, and where it was at the exits of its last second. Called by record_report.c, with the trace just
 * written.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/record.h"
#include "recorder/words.h"

#define LAST_EXITS	10
#define PLACES_EXITS	10000	/* exits looked at for the places, at most */
#define PLACES_SHOWN	8
#define FLOOD		4096	/* bytes on the console at these exits that are worth a word */

struct last_exit {
	uint64_t seq, rip;
	uint32_t vcpu;
	char words[160];
};

struct last {
	struct last_exit exit[LAST_EXITS];
	struct {
		uint64_t rip, tsc;
		uint32_t printed;	/* bytes for the console */
	} place[PLACES_EXITS];
	uint64_t count;			/* exits seen; both arrays are rings */
};

static uint32_t printed(const struct step *s)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < s->crossing_count; i++)
		if (s->crossings[i].kind == CROSSING_CONSOLE_OUT)
			bytes += s->crossings[i].size;
	return bytes;
}

static void note_exit(struct last *l, const struct decoder *d)
{
	const struct step *s = &d->step;
	struct last_exit *e = &l->exit[l->count % LAST_EXITS];

	e->seq = s->seq;
	e->vcpu = s->vcpu;
	e->rip = d->cpu[s->vcpu].vmcs[VMCS_GUEST_RIP];
	exit_words(e->words, sizeof(e->words), d);
	l->place[l->count % PLACES_EXITS].rip = e->rip;
	l->place[l->count % PLACES_EXITS].tsc = s->tsc;
	l->place[l->count % PLACES_EXITS].printed = printed(s);
	l->count++;
}

/* The exits of the last frames, as many as are wanted and there are. */
static void collect(const struct trace *t, struct last *l)
{
	size_t count = trace_frame_count(t), i = count;
	struct trace_cursor *c = trace_cursor_new(t);
	const struct decoder *d = trace_cursor_decoder(c);

	for (uint64_t exits = 0; i && exits < PLACES_EXITS; exits += trace_frame(t, i)->header.exits)
		i--;
	for (; i < count; i++)
		if (!trace_cursor_load(c, i))
			while (trace_cursor_next(c) > 0)
				if (d->step.kind == STEP_EXIT)
					note_exit(l, d);
	trace_cursor_free(c);
}

static void print_exits(const struct last *l, const struct symbols *symbols)
{
	uint64_t first = l->count > LAST_EXITS ? l->count - LAST_EXITS : 0;
	char place[SYMBOL_TEXT];

	fprintf(stderr, "vexit: its last exits:\n");
	for (uint64_t i = first; i < l->count; i++) {
		const struct last_exit *e = &l->exit[i % LAST_EXITS];

		symbols_text(symbols, e->rip, place, sizeof(place));
		fprintf(stderr, "  exit %" PRIu64 "  vcpu %" PRIu32 "  %s  at %s\n", e->seq, e->vcpu, e->words, place);
	}
}

struct place {
	uint64_t rip, count;
};

static int compare_rips(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return compare_rips(&x->rip, &y->rip);
}

/*
 * The RIPs of the last second's exits, but of LAST_EXITS at least, sorted, and the bytes that they printed.
 * Gives their number.
 */
static size_t last_places(const struct last *l, uint64_t second, uint64_t rips[PLACES_EXITS], uint64_t *bytes)
{
	uint64_t end = l->place[(l->count - 1) % PLACES_EXITS].tsc, at = l->count;
	size_t n = 0;

	while (at && n < PLACES_EXITS) {
		at--;
		if (n >= LAST_EXITS && end - l->place[at % PLACES_EXITS].tsc > second)
			break;
		*bytes += l->place[at % PLACES_EXITS].printed;
		rips[n++] = l->place[at % PLACES_EXITS].rip;
	}
	qsort(rips, n, sizeof(*rips), compare_rips);
	return n;
}

static void print_places(const struct last *l, uint64_t second, const struct recording *r)
{
	static uint64_t rips[PLACES_EXITS];
	static struct place places[PLACES_EXITS];
	uint64_t bytes = 0;
	size_t exits = last_places(l, second, rips, &bytes), count = 0;
	char text[SYMBOL_TEXT];

	for (size_t i = 0; i < exits; i++) {
		if (!i || rips[i] != rips[i - 1])
			places[count++] = (struct place){ rips[i], 0 };
		places[count - 1].count++;
	}
	qsort(places, count, sizeof(*places), compare_places);
	fprintf(stderr, "vexit: where it was at its last %zu exits:\n", exits);
	for (size_t i = 0; i < count && i < PLACES_SHOWN; i++) {
		symbols_text(r->symbols, places[i].rip, text, sizeof(text));
		fprintf(stderr, "  %8" PRIu64 "  %s\n", places[i].count, text);
	}
	if (count > PLACES_SHOWN)
		fprintf(stderr, "            and %zu more places\n", count - PLACES_SHOWN);
	if (bytes >= FLOOD)
		fprintf(stderr, "vexit: at these it wrote %" PRIu64 " bytes to its console, of %" PRIu64 " in all\n", bytes,
			r->console_bytes);
}

/* The last boot's session, if it got so far. */
static struct trace *open_last_session(const char *path)
{
	struct trace_options options = { 0 };
	char error[512];
	struct trace *t = trace_open(path, &options, error, sizeof(error));

	if (!t || trace_session_count(t) == 1)
		return t;
	options.session = (unsigned)trace_session_count(t);
	trace_close(t);
	return trace_open(path, &options, error, sizeof(error));
}

void record_tell_last(const struct recording *r)
{
	static struct last last;
	struct trace *t;

	/* Without a trace, or with one in a pipe, there is nothing to look at. */
	if (!r->path || !strcmp(r->path, "-") || !writer_state(r->writer)->frames ||
	    !(t = open_last_session(r->path)))
		return;
	collect(t, &last);
	if (last.count) {
		print_exits(&last, r->symbols);
		print_places(&last, trace_session(t)->config.tsc_khz * 1000, r);
	}
	trace_close(t);
}
