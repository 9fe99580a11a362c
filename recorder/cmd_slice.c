/*
 * cmd_slice.c: `vexit slice`: the frames that hold a range of exits, as a trace of its own.
 *
 * By whole frames: each stands alone, so that nothing is decoded and encoded again and the copy replays as
 * the whole did.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "recorder/command.h"
#include "recorder/extract.h"
#include "recorder/options.h"
#include "recorder/trace.h"

static struct {
	uint64_t exits[2], session;
	const char *output;
	bool force, quiet;
} option;

static const struct option_row rows[] = {
	{ "exits", 0, OPTION_RANGE, option.exits, "A..B",
	  "exits by seq, inclusive: A..B, A.., ..B or A", 0, 0 },
	{ "session", 0, OPTION_NUMBER, &option.session, "N", "session of the file (1)", 1, 1 << 16 },
	{ "output", 'o', OPTION_TEXT, &option.output, "S.vxt", "the slice; - is stdout", 0, 0 },
	{ "force", 'f', OPTION_FLAG, &option.force, NULL, "overwrite an existing output", 0, 0 },
	{ "quiet", 'q', OPTION_FLAG, &option.quiet, NULL, "no summary", 0, 0 },
};

static const struct command command = {
	.name = "slice",
	.synopsis = "T.vxt --exits A..B -o S.vxt",
	.help = "Cuts a range of exits out of a trace, by whole frames: the slice holds the range and\n"
		"what shares its frames.",
	COMMAND_ROWS(rows),
	.min_arguments = 1,
	.max_arguments = 1,
};

/* Frames that hold a selected exit: the first, and the one after the last. */
static bool find_frames(const struct trace *t, size_t *first, size_t *end)
{
	struct trace_selection all = { option.exits[0], option.exits[1], -1, -1 };
	bool found = false;

	for (size_t i = 0; i < trace_frame_count(t); i++) {
		if (!trace_frame_selected(trace_frame(t, i), &all))
			continue;
		if (!found)
			*first = i;
		found = true;
		*end = i + 1;
	}
	return found;
}

static int slice(const struct trace *t)
{
	struct extract x = { .trace = t, .slice = true };
	char error[256] = "";
	struct output *o;
	struct writer *w;
	bool ok;

	if (!find_frames(t, &x.first, &x.end))
		return command_fail(EXIT_CANNOT, "%s: no exit in that range; it has %" PRIu64, trace_path(t),
				    trace_exit_count(t));
	o = output_open(option.output, option.force);
	if (!o)
		return EXIT_CANNOT;
	w = writer_open(output_temporary(o) ? output_temporary(o) : "-", true);
	if (!w) {
		output_abandon(o);
		return EXIT_CANNOT;
	}
	ok = extract_write(&x, w, error, sizeof(error));
	ok = writer_finish(w) && ok;
	if (ok && !option.quiet)
		fprintf(stderr, "vexit: %s: exits %" PRIu64 "..%" PRIu64 " in %zu frames\n", option.output,
			trace_frame(t, x.first)->header.first_seq,
			trace_frame(t, x.end - 1)->header.first_seq +
				trace_frame(t, x.end - 1)->header.exits - 1,
			x.end - x.first);
	if (!ok) {
		command_fail(0, "%s", *error ? error : writer_state(w)->error);
		output_abandon(o);
	}
	writer_free(w);
	if (!ok || output_commit(o))
		return EXIT_CANNOT;
	return trace_report_damage(t, stderr) ? EXIT_NO : EXIT_OK;
}

int cmd_slice(int argc, char **argv)
{
	struct trace_options to = { 0 };
	char error[256];
	struct trace *t;
	int count, status;

	option.exits[1] = UINT64_MAX;
	count = options_parse(&command, argc, argv);
	if (count < 0)
		return OPTIONS_STATUS(count);
	if (!option.output)
		return command_usage("slice", "-o S.vxt is missing");
	to.session = (unsigned)option.session;
	t = trace_open(argv[1], &to, error, sizeof(error));
	if (!t)
		return command_fail(EXIT_CANNOT, "%s", error);
	status = slice(t);
	trace_close(t);
	return status;
}
