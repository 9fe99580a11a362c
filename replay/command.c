/*
 * command.c: `vexit replay`: options, the frames needed, merging, the summary.
 *
 * Called by recorder/main.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/options.h"
#include "replay/replay.h"

#define LOOPS_MAX 3	/* frames with a handler that doesn't return, each costs a second: then give up */

static uint64_t range[2] = { 0, UINT64_MAX };
static int reason = -1;
static uint64_t vcpu = UINT64_MAX, jobs, session;
static bool all, json, quiet;

static const struct option_row rows[] = {
	{ .name = "exits", .type = OPTION_RANGE, .value = range, .argument = "A..B",
	  .help = "compare these exits, and the entry steps after them" },
	{ .name = "reason", .type = OPTION_REASON, .value = &reason, .argument = "NAME", .help = "compare exits of this reason" },
	{ .name = "vcpu", .type = OPTION_NUMBER, .value = &vcpu, .argument = "N", .help = "compare this vCPU's steps",
	  .max = VM_MAX_CPUS - 1 },
	{ .name = "jobs", .letter = 'j', .type = OPTION_NUMBER, .value = &jobs, .argument = "N",
	  .help = "threads (default: processors)", .min = 1, .max = 1024 },
	{ .name = "all", .type = OPTION_FLAG, .value = &all, .help = "show every divergence, not the first 20" },
	{ .name = "json", .type = OPTION_FLAG, .value = &json, .help = "the report as JSON" },
	{ .name = "quiet", .letter = 'q', .type = OPTION_FLAG, .value = &quiet, .help = "no progress, no time" },
	{ .name = "session", .type = OPTION_NUMBER, .value = &session, .argument = "N",
	  .help = "which session of the file (default: the first)", .min = 1, .max = UINT32_MAX },
};

static const struct command command = {
	.name = "replay",
	.synopsis = "T.vxt [--exits A..B] [--reason NAME] [--vcpu N] [--jobs N] [--all] [--json]",
	.help = "Run the handlers of this build on the recorded exits and entry steps, and compare every effect:\n"
		"VMCS fields, registers, values that went out, action, devices. Steps before a selected exit in\n"
		"its frame are run, not compared; other frames are not read.\n"
		"Status 1: a divergence, or the trace is damaged or truncated.",
	COMMAND_ROWS(rows),
	.min_arguments = 1,
	.max_arguments = 1,
};

/* What trace and build don't share of struct vm: said once, since it can't be compared. */
static void note_tables(const struct trace *t)
{
	const struct session *s = trace_session(t);

	for (unsigned i = 0; i < s->vm_field_count; i++)
		if (s->vm_fields[i].local < 0)
			fprintf(stderr, "vexit: %s: note: %s is in the trace, not in this build: dropped\n", trace_path(t),
				s->vm_fields[i].name);
	for (unsigned row = 0; row < vm_field_count; row++) {
		bool found = vm_fields[row].device == VM_DEVICE_CONFIG;

		for (unsigned i = 0; i < s->vm_field_count && !found; i++)
			found = s->vm_fields[i].local == (int)row;
		if (!found)
			fprintf(stderr, "vexit: %s: note: %s is in this build, not in the trace: it has its reset value\n",
				trace_path(t), vm_fields[row].name);
	}
}

static size_t *needed_frames(const struct trace *t, const struct trace_selection *selection, size_t *count)
{
	size_t total = trace_frame_count(t), *frames = malloc((total + 1) * sizeof(*frames));

	*count = 0;
	for (size_t i = 0; frames && i < total; i++)
		if (trace_frame_selected(trace_frame(t, i), selection))
			frames[(*count)++] = i;
	return frames;
}

/* Add a frame's result to the whole; `next` is the result of the frame after it, or NULL. */
static void merge(const struct trace *t, struct summary *s, struct frame_result *result, const struct frame_result *next)
{
	if (result->complete && next && next->frame == result->frame + 1)
		compare_keyframe(trace_session(t), result, next);
	s->exits += result->exits;
	s->entries += result->entries;
	s->unselected += result->unselected;
	s->unfinished += result->unfinished;
	s->skipped += result->skipped;
	report_merge(s, &result->report);
	if (!result->error[0])
		return;
	s->damages++;
	fprintf(stderr, "vexit: %s\n", result->error);
}

static void replay_all(const struct trace *t, struct replay_pool *pool, struct summary *s)
{
	struct frame_result *result = replay_pool_next(pool), *next;
	unsigned loops = 0;

	for (; result; result = next) {
		next = replay_pool_next(pool);
		merge(t, s, result, next);
		progress_update(quiet, "replay: %lu of %lu exits, %lu divergences", (unsigned long)s->exits,
				(unsigned long)trace_exit_count(t), (unsigned long)(s->divergences + s->after_first));
		if (result->looped && ++loops == LOOPS_MAX) {
			s->gave_up = true;
			break;
		}
	}
	progress_end(quiet);
}

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
		report_print_json(s, trace_path(t));
	else
		report_print(s);
	if (s->gave_up)
		command_fail(EXIT_NO, "%s: gave up: handlers didn't return in %u frames", trace_path(t), LOOPS_MAX);
	if (!quiet) {
		fflush(stdout);
		fprintf(stderr, "vexit: replayed in %.3f s, %.0f exits/s\n", seconds,
			seconds > 0 ? (double)s->exits / seconds : 0.0);
	}
	return s->divergences || s->after_first || s->gave_up || s->damages || s->truncated || !trace_whole(t) ? EXIT_NO : EXIT_OK;
}

static int run(struct trace *t, const struct trace_selection *selection)
{
	struct summary summary = { .shown = { .limit = all ? SIZE_MAX : REPORT_LIMIT } };
	size_t count, *frames = needed_frames(t, selection, &count);
	struct replay_pool *pool;
	struct timespec start;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int status;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (!jobs)
		jobs = processors > 0 ? (uint64_t)processors : 1;
	pool = frames ? replay_pool_start(t, selection, frames, count, (unsigned)jobs, summary.shown.limit) : NULL;
	if (!pool) {
		free(frames);
		return command_fail(EXIT_CANNOT, "%s: not enough memory", trace_path(t));
	}
	note_tables(t);
	summary.damages = trace_report_damage(t, stderr);
	summary.truncated = trace_closing(t) == NULL;
	replay_all(t, pool, &summary);
	replay_pool_stop(pool);
	status = finish(t, &summary, &start);
	report_free(&summary.shown);
	free(frames);
	return status;
}

int cmd_replay(int argc, char **argv)
{
	int count = options_parse(&command, argc, argv), status;
	struct trace_options options = { .session = (unsigned)session };
	struct trace_selection selection;
	struct trace *t;
	char error[512];

	if (count < 0)
		return OPTIONS_STATUS(count);
	options.session = (unsigned)session;
	t = trace_open(argv[1], &options, error, sizeof(error));
	if (!t)
		return command_fail(EXIT_CANNOT, "%s", error);
	selection = (struct trace_selection){ range[0], range[1], reason, vcpu == UINT64_MAX ? -1 : (int)vcpu };
	status = run(t, &selection);
	trace_close(t);
	return status;
}
