/*
 * cmd_dump.c: `vexit dump`: which steps to print, in the order of the trace. dump_text.c and dump_json.c
 * print them.
 */
#include <stdio.h>

#include "recorder/command.h"
#include "recorder/dump.h"
#include "recorder/options.h"

static struct {
	uint64_t exits[2], session, vcpu;
	int reason;
	const char *symbols;
	bool quiet, json;
} option;

static struct symbols *symbols;

static const struct option_row rows[] = {
	{ "exits", 0, OPTION_RANGE, option.exits, "A..B",
	  "exits by seq, inclusive: A..B, A.., ..B or A", 0, 0 },
	{ "reason", 0, OPTION_REASON, &option.reason, "NAME",
	  "only exits of this reason, without entry steps", 0, 0 },
	{ "vcpu", 0, OPTION_NUMBER, &option.vcpu, "N", "only this vCPU", 0, VM_MAX_CPUS - 1 },
	{ "symbols", 0, OPTION_TEXT, &option.symbols, "FILE", SYMBOLS_HELP, 0, 0 },
	{ "session", 0, OPTION_NUMBER, &option.session, "N", "session of the file (1)", 1, 1 << 16 },
	{ "quiet", 'q', OPTION_FLAG, &option.quiet, NULL, "no progress", 0, 0 },
	{ "json", 0, OPTION_FLAG, &option.json, NULL, "one JSON object a step and line", 0, 0 },
};

static const struct command command = {
	.name = "dump",
	.synopsis = "T.vxt [--exits A..B] [--reason NAME] [--vcpu N] [--symbols FILE] [--json]",
	.help = "Prints exits: what the processor changed since the vCPU's last step, what crossed into\n"
		"and out of the handler, what the handler changed; and the entry steps between them.",
	COMMAND_ROWS(rows),
	.min_arguments = 1,
	.max_arguments = 1,
};

static bool selected(const struct step *s, const struct trace_selection *what, unsigned reason)
{
	/* An entry step goes with its vCPU's exit before it; those before all exits, with the beginning. */
	uint64_t seq = s->seq == SEQ_NONE ? 0 : s->seq;

	if (seq < what->first_seq || seq > what->last_seq ||
	    (what->vcpu >= 0 && s->vcpu != (uint32_t)what->vcpu))
		return false;
	return what->reason < 0 || (s->kind == STEP_EXIT && reason == (unsigned)what->reason);
}

/* Frames without a selected exit can still hold the entry steps after one. */
static bool frame_selected(const struct trace_frame_info *f, const struct trace_selection *what)
{
	const struct frame_header *h = &f->header;

	if (what->reason >= 0)
		return trace_frame_selected(f, what);
	return h->first_seq + h->exits >= what->first_seq &&
	       (what->last_seq == UINT64_MAX || h->first_seq <= what->last_seq + 1);
}

/* 0, or -1 when the frame can't be read to its end. */
static int dump_frame(struct trace_cursor *c, size_t i, const struct trace_selection *what)
{
	const struct decoder *d = trace_cursor_decoder(c);
	int result = trace_cursor_load(c, i) ? -1 : 1;

	while (result > 0 && (result = trace_cursor_next(c)) > 0) {
		unsigned reason = (unsigned)d->cpu[d->step.vcpu].vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC;

		if (!selected(&d->step, what, reason))
			continue;
		if (option.json)
			dump_json(stdout, d, symbols);
		else
			dump_text(stdout, d, symbols);
	}
	return result;
}

static int dump(const struct trace *t)
{
	struct trace_selection what = { option.exits[0], option.exits[1], option.reason,
					option.vcpu == UINT64_MAX ? -1 : (int)option.vcpu };
	struct trace_cursor *c = trace_cursor_new(t);
	int status = EXIT_OK;

	for (size_t i = 0; i < trace_frame_count(t) && !ferror(stdout); i++)
		if (frame_selected(trace_frame(t, i), &what) && dump_frame(c, i, &what))
			status = command_fail(EXIT_NO, "%s", trace_cursor_error(c));
	trace_cursor_free(c);
	return status;
}

int cmd_dump(int argc, char **argv)
{
	struct trace_options to = { 0 };
	struct trace *t;
	char error[512];
	int count, status;

	option.exits[1] = UINT64_MAX;
	option.reason = -1;
	option.vcpu = UINT64_MAX;
	count = options_parse(&command, argc, argv);
	if (count < 0)
		return OPTIONS_STATUS(count);
	if (option.symbols && !(symbols = symbols_load(option.symbols, error, sizeof(error))))
		return command_fail(EXIT_CANNOT, "%s", error);
	to.session = (unsigned)option.session;
	t = trace_open(argv[1], &to, error, sizeof(error));
	if (!t) {
		symbols_free(symbols);
		return command_fail(EXIT_CANNOT, "%s", error);
	}
	status = dump(t);
	fflush(stdout);
	if (trace_report_damage(t, stderr))
		status = EXIT_NO;
	trace_close(t);
	symbols_free(symbols);
	return status;
}
