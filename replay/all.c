/*
 * all.c: the frames that a replay needs, and one summary of their results. Called by command.c and by tests.
 */
#include <stdlib.h>
#include <string.h>

#include "recorder/command.h"
#include "replay/replay.h"

#define LOOPS_MAX 3	/* frames with a handler that doesn't return, each costs a second: then give up */

static void note(const struct trace *t, const char *row, const char *where)
{
	fprintf(stderr, "vexit: %s: note: %s is %s\n", trace_path(t), row, where);
}

/* What trace and build don't share of struct vm: said once, since it can't be compared. */
static void note_tables(const struct trace *t)
{
	const struct session *s = trace_session(t);

	for (unsigned i = 0; i < s->vm_field_count; i++)
		if (s->vm_fields[i].local < 0)
			note(t, s->vm_fields[i].name, "in the trace, not in this build: dropped");
	for (unsigned row = 0; row < vm_field_count; row++) {
		bool found = vm_fields[row].device == VM_DEVICE_CONFIG;

		for (unsigned i = 0; i < s->vm_field_count && !found; i++)
			found = s->vm_fields[i].local == (int)row;
		if (!found)
			note(t, vm_fields[row].name,
			     "in this build, not in the trace: it has its reset value");
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
static void merge(const struct trace *t, struct summary *s, struct frame_result *result,
		  const struct frame_result *next)
{
	if (result->complete && next && next->opened && next->frame == result->frame + 1)
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

static void merge_all(const struct trace *t, const struct replay_options *options, struct replay_pool *pool,
		      struct summary *s)
{
	struct frame_result *result = replay_pool_next(pool), *next;
	unsigned loops = 0;

	for (; result; result = next) {
		next = replay_pool_next(pool);
		merge(t, s, result, next);
		progress_update(options->quiet, "replay: %lu of %lu exits, %lu divergences",
				(unsigned long)s->exits, (unsigned long)trace_exit_count(t),
				(unsigned long)(s->divergences + s->after_first));
		if (result->looped && ++loops == LOOPS_MAX) {
			s->gave_up = true;
			break;
		}
	}
	progress_end(options->quiet);
}

bool replay_trace(const struct trace *t, const struct replay_options *options, struct summary *s)
{
	struct replay_pool *pool;
	size_t count, *frames;

	memset(s, 0, sizeof(*s));
	s->shown.limit = options->limit;
	frames = needed_frames(t, &options->selection, &count);
	pool = frames ? replay_pool_start(t, options, frames, count) : NULL;
	if (!pool) {
		free(frames);
		return false;
	}
	note_tables(t);
	s->damages = trace_report_damage(t, stderr);
	s->truncated = trace_closing(t) == NULL;
	merge_all(t, options, pool, s);
	replay_pool_stop(pool);
	free(frames);
	return true;
}
