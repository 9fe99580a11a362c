/*
 * cmd_verify.c: `vexit verify`: every byte of a trace looked at, every record decoded, every total compared.
 *
 * What zstd -t can't see: frames that are missing, doubled, moved, of another session; and records that are
 * no records.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/command.h"
#include "recorder/extract.h"
#include "recorder/options.h"
#include "recorder/trace.h"

static struct {
	uint64_t session;
	const char *repair;
	bool force, quiet, json;
} option;

static const struct option_row rows[] = {
	{ "session", 0, OPTION_NUMBER, &option.session, "N", "only this session of the file (all)", 1,
	  1 << 16 },
	{ "repair", 0, OPTION_TEXT, &option.repair, "OUT",
	  "write what can be read as a trace that lists what is missing", 0, 0 },
	{ "force", 'f', OPTION_FLAG, &option.force, NULL, "overwrite an existing OUT", 0, 0 },
	{ "quiet", 'q', OPTION_FLAG, &option.quiet, NULL, "only what is wrong", 0, 0 },
	{ "json", 0, OPTION_FLAG, &option.json, NULL, "the result as JSON on stdout", 0, 0 },
};

static const struct command command = {
	.name = "verify",
	.synopsis = "T.vxt [--repair OUT]",
	.help = "Checks every byte of a trace: frames against their headers, headers against each\n"
		"other, records against their format, totals against the closing frame. Status: 0\n"
		"whole, 1 damaged or truncated, 2 no trace.",
	COMMAND_ROWS(rows),
	.min_arguments = 1,
	.max_arguments = 1,
};

struct check {
	const struct trace *trace;
	struct trace_cursor *cursor;
	bool *unreadable;		/* by frame */
	uint64_t errors;		/* beyond trace_damage() */
	uint64_t exits[CLOSING_REASONS];
};

/* What the records of a frame add up to, for comparison with its header. */
struct sums {
	uint64_t steps, exits, reasons[2], first_tsc, last_tsc;
	uint32_t vcpus;
};

static void add_step(struct check *c, struct sums *s, const struct decoder *d)
{
	const struct step *step = &d->step;
	unsigned reason;

	if (!s->steps++)
		s->first_tsc = step->tsc;
	s->last_tsc = step->tsc;
	s->vcpus |= 1u << step->vcpu;
	if (step->kind != STEP_EXIT)
		return;
	s->exits++;
	reason = (d->cpu[step->vcpu].vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC) % CLOSING_REASONS;
	s->reasons[reason / 64] |= UINT64_C(1) << reason % 64;
	c->exits[reason]++;
}

static void error_at(struct check *c, const char *text)
{
	c->errors++;
	command_fail(0, "%s", text);
}

static void check_frame(struct check *c, size_t i)
{
	const struct trace_frame_info *f = trace_frame(c->trace, i);
	const struct frame_header *h = &f->header;
	const struct decoder *d = trace_cursor_decoder(c->cursor);
	struct sums s = { 0 };
	char text[256];
	int result = trace_cursor_load(c->cursor, i) ? -1 : 1;

	while (result > 0 && (result = trace_cursor_next(c->cursor)) > 0)
		add_step(c, &s, d);
	if (result < 0) {
		c->unreadable[i] = true;
		error_at(c, trace_cursor_error(c->cursor));
		return;
	}
	if (s.steps == h->steps && s.exits == h->exits && s.vcpus == h->vcpus &&
	    s.reasons[0] == h->reasons[0] && s.reasons[1] == h->reasons[1] && s.first_tsc == h->first_tsc &&
	    s.last_tsc == h->last_tsc)
		return;
	snprintf(text, sizeof(text),
		 "%s:%" PRIu64 ": frame %" PRIu64
		 ": the header says other steps, exits, vCPUs, reasons or times "
		 "than the records",
		 trace_path(c->trace), f->offset, h->frame);
	error_at(c, text);
}

static void check_totals(struct check *c)
{
	const struct closing *closing = trace_closing(c->trace);
	char text[256];

	if (!closing || c->errors || trace_damage_count(c->trace))
		return;
	if (closing->frames != trace_frame_count(c->trace)) {
		snprintf(text, sizeof(text),
			 "%s: the closing frame counts %" PRIu64 " frames, the file has %zu",
			 trace_path(c->trace), closing->frames, trace_frame_count(c->trace));
		error_at(c, text);
	}
	for (unsigned i = 0; i < CLOSING_REASONS; i++) {
		if (closing->reasons[i] == c->exits[i])
			continue;
		snprintf(text, sizeof(text),
			 "%s: the closing frame counts %" PRIu64 " exits for %s, the records are %" PRIu64,
			 trace_path(c->trace), closing->reasons[i], exit_reason_name(i), c->exits[i]);
		error_at(c, text);
	}
}

static const char *kind_name(enum trace_damage_kind kind)
{
	static const char *const names[] = { "corrupt", "missing",   "duplicate", "moved",
					     "foreign", "truncated", "late" };

	return names[kind];
}

static void print_json(const struct check *c, unsigned session)
{
	const struct trace *t = c->trace;

	printf("%s{\"session\": %u, \"id\": \"%020" PRIu64
	       "\", \"whole\": %s, \"frames\": %zu, \"steps\": %" PRIu64 ", \"exits\": %" PRIu64
	       ", \"errors\": %" PRIu64 ", \"damages\": [",
	       session > 1 && !option.session ? ", " : "", session, trace_session(t)->id,
	       trace_whole(t) && !c->errors ? "true" : "false", trace_frame_count(t), trace_step_count(t),
	       trace_exit_count(t), c->errors);
	for (size_t i = 0; i < trace_damage_count(t); i++) {
		const struct trace_damage *d = trace_damage(t, i);

		printf("%s{\"kind\": \"%s\", \"offset\": %" PRIu64 ", \"size\": %" PRIu64
		       ", \"first_step\": %" PRIu64 ", \"steps\": %" PRIu64 ", \"first_seq\": %" PRIu64
		       ", \"exits\": %" PRIu64 ", \"text\": ",
		       i ? ", " : "", kind_name(d->kind), d->offset, d->size, d->first_step, d->steps,
		       d->first_seq, d->exits);
		json_string(stdout, d->text);
		putchar('}');
	}
	printf("]}");
}

static void print_text(const struct check *c, unsigned session)
{
	const struct trace *t = c->trace;
	size_t damages = trace_damage_count(t) + c->errors;

	printf("%s: ", trace_path(t));
	if (trace_session_count(t) > 1)
		printf("session %u of %zu: ", session, trace_session_count(t));
	printf("%s: %" PRIu64 " exits, %" PRIu64 " steps in %zu frames", damages ? "NOT WHOLE" : "whole",
	       trace_exit_count(t), trace_step_count(t), trace_frame_count(t));
	if (damages)
		printf(" can be read; %zu %s", damages, damages == 1 ? "thing is wrong" : "things are wrong");
	putchar('\n');
}

static int repair(struct check *c)
{
	struct extract x = { .trace = c->trace,
			     .end = trace_frame_count(c->trace),
			     .unreadable = c->unreadable };
	struct output *o = output_open(option.repair, option.force);
	char error[256] = "";
	struct writer *w;
	bool ok;

	if (!o)
		return EXIT_CANNOT;
	w = writer_open(output_temporary(o) ? output_temporary(o) : "-", true);
	if (!w) {
		output_abandon(o);
		return EXIT_CANNOT;
	}
	ok = extract_write(&x, w, error, sizeof(error));
	ok = writer_finish(w) && ok;
	if (!ok) {
		command_fail(0, "%s", *error ? error : writer_state(w)->error);
		output_abandon(o);
	}
	writer_free(w);
	return ok ? output_commit(o) : EXIT_CANNOT;
}

/* One session. EXIT_OK, EXIT_NO, EXIT_CANNOT. */
static int verify(const struct trace *t, unsigned session)
{
	struct check c = { .trace = t, .cursor = trace_cursor_new(t) };
	int status;

	c.unreadable = calloc(trace_frame_count(t) + 1, sizeof(*c.unreadable));
	if (!c.unreadable)
		abort();
	trace_report_damage(t, stderr);
	for (size_t i = 0; i < trace_frame_count(t); i++) {
		progress_update(option.quiet, "frame %zu of %zu", i, trace_frame_count(t));
		check_frame(&c, i);
	}
	progress_end(option.quiet);
	check_totals(&c);
	if (option.json)
		print_json(&c, session);
	else if (!option.quiet && (!option.repair || strcmp(option.repair, "-")))
		print_text(&c, session);
	status = c.errors || !trace_whole(t) ? EXIT_NO : EXIT_OK;
	if (option.repair && repair(&c))
		status = EXIT_CANNOT;
	trace_cursor_free(c.cursor);
	free(c.unreadable);
	return status;
}

int cmd_verify(int argc, char **argv)
{
	struct trace_options to = { .trust_above = UINT64_MAX };
	int count = options_parse(&command, argc, argv), status = EXIT_OK;
	unsigned first, sessions;
	char error[256];

	if (count < 0)
		return OPTIONS_STATUS(count);
	if (option.json && option.repair && !strcmp(option.repair, "-"))
		return command_usage("verify", "--json and --repair - both want stdout");
	first = option.session ? (unsigned)option.session : 1;
	sessions = first;
	if (option.json)
		putchar('[');
	for (unsigned i = first; i <= sessions; i++) {
		struct trace *t;
		int one;

		to.session = i;
		t = trace_open(argv[1], &to, error, sizeof(error));
		if (!t) {
			status = command_fail(EXIT_CANNOT, "%s", error);
			break;
		}
		/* Only the first is repaired, and stdin can't be read twice. */
		if (!option.session && !option.repair && strcmp(argv[1], "-"))
			sessions = (unsigned)trace_session_count(t);
		one = verify(t, i);
		status = one > status ? one : status;
		trace_close(t);
	}
	if (option.json)
		printf("]\n");
	return status;
}
