/*
 * command.c: `vexit replay`: options, the summary, the status.
 *
 * Called by recorder/main.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/options.h"
#include "replay/replay.h"

static uint64_t range[2] = { 0, UINT64_MAX };
static int reason = -1;
static uint64_t vcpu = UINT64_MAX, jobs, session;
static bool all, json, quiet;

static const struct option_row rows[] = {
	{ .name = "exits", .type = OPTION_RANGE, .value = range, .argument = "A..B",
	  .help = "compare these exits, and the entry steps after them" },
	{ .name = "reason", .type = OPTION_REASON, .value = &reason, .argument = "NAME",
	  .help = "compare exits of this reason" },
	{ .name = "vcpu", .type = OPTION_NUMBER, .value = &vcpu, .argument = "N",
	  .help = "compare this vCPU's steps", .max = VM_MAX_CPUS - 1 },
	{ .name = "jobs", .letter = 'j', .type = OPTION_NUMBER, .value = &jobs, .argument = "N",
	  .help = "threads (default: processors)", .min = 1, .max = 1024 },
	{ .name = "all", .type = OPTION_FLAG, .value = &all,
	  .help = "show every divergence, not the first 20" },
	{ .name = "json", .type = OPTION_FLAG, .value = &json, .help = "the report as JSON" },
	{ .name = "quiet", .letter = 'q', .type = OPTION_FLAG, .value = &quiet,
	  .help = "no progress, no time" },
	{ .name = "session", .type = OPTION_NUMBER, .value = &session, .argument = "N",
	  .help = "which session of the file (default: the first)", .min = 1, .max = UINT32_MAX },
};

static const struct command command = {
	.name = "replay",
	.synopsis = "T.vxt [--exits A..B] [--reason NAME] [--vcpu N] [--jobs N] [--all] [--json]",
	.help = "Run the handlers of this build on the recorded exits and entry steps, and compare every\n"
		"effect: VMCS fields, registers, values that went out, action, devices. Steps before a\n"
		"selected exit in its frame are run, not compared; other frames are not read.\n"
		"Status 1: a divergence, or the trace is damaged or truncated.",
	COMMAND_ROWS(rows),
	.min_arguments = 1,
	.max_arguments = 1,
};

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static int finish(const struct trace *t, const struct summary *s, const struct timespec *start)
{
	double seconds = seconds_since(start);

	if (json)
		report_print_json(stdout, s, trace_path(t));
	else
		report_print(stdout, s);
	if (s->gave_up)
		command_fail(EXIT_NO, "%s: gave up: handlers didn't return in several frames", trace_path(t));
	if (!quiet) {
		fflush(stdout);
		fprintf(stderr, "vexit: replayed in %.3f s, %.0f exits/s\n", seconds,
			seconds > 0 ? (double)s->exits / seconds : 0.0);
	}
	if (s->divergences || s->after_first || s->gave_up || s->damages || !trace_whole(t))
		return EXIT_NO;
	return EXIT_OK;
}

static int run(struct trace *t, const struct replay_options *options)
{
	struct summary summary;
	struct timespec start;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (!replay_trace(t, options, &summary))
		return command_fail(EXIT_CANNOT, "%s: not enough memory", trace_path(t));
	status = finish(t, &summary, &start);
	report_free(&summary.shown);
	return status;
}

int cmd_replay(int argc, char **argv)
{
	int count = options_parse(&command, argc, argv), status;
	struct trace_options which = { 0 };
	struct replay_options options;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct trace *t;
	char error[512];

	if (count < 0)
		return OPTIONS_STATUS(count);
	which.session = (unsigned)session;
	t = trace_open(argv[1], &which, error, sizeof(error));
	if (!t)
		return command_fail(EXIT_CANNOT, "%s", error);
	options = (struct replay_options){
		.selection = { range[0], range[1], reason, vcpu == UINT64_MAX ? -1 : (int)vcpu },
		.core = &replay_core_build,
		.jobs = jobs ? (unsigned)jobs : processors > 0 ? (unsigned)processors : 1,
		.limit = all ? SIZE_MAX : REPORT_LIMIT,
		.quiet = quiet,
	};
	status = run(t, &options);
	trace_close(t);
	return status;
}
