/*
 * pool.c: frames to threads, results back in order.
 *
 * Called by command.c. Frames stand alone, so each thread takes the next one that nobody has; results lie in
 * a ring and are given out by number, so that the report is the same for any number of threads. The ring
 * bounds memory.
 */
#include <pthread.h>
#include <stdlib.h>

#include "replay/replay.h"

#define RING_PER_JOB 4

struct replay_pool {
	const struct trace *trace;
	const size_t *frames;
	size_t count;
	unsigned jobs, started;
	pthread_t *threads;
	struct replay_run **runs;
	struct frame_result *ring;
	bool *done;
	size_t ring_size;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t taken;			/* frames given to threads */
	size_t given;			/* results given to the caller */
	bool stop;
};

/* The next frame to work on; SIZE_MAX: none any more. The two results given last are still in use. */
static size_t take(struct replay_pool *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && p->taken < p->count && p->taken + 2 >= p->given + p->ring_size)
		pthread_cond_wait(&p->changed, &p->lock);
	n = p->stop || p->taken == p->count ? SIZE_MAX : p->taken++;
	pthread_mutex_unlock(&p->lock);
	return n;
}

struct worker {
	struct replay_pool *pool;
	struct replay_run *run;
};

static void *work(void *argument)
{
	struct worker w = *(struct worker *)argument;
	struct replay_pool *p = w.pool;
	size_t n;

	free(argument);
	guard_start(&w.run->guard);
	while ((n = take(p)) != SIZE_MAX) {
		replay_frame(w.run, p->frames[n], &p->ring[n % p->ring_size]);
		pthread_mutex_lock(&p->lock);
		p->done[n % p->ring_size] = true;
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
	}
	guard_stop(&w.run->guard);
	return NULL;
}

static bool start_worker(struct replay_pool *p, unsigned i, const struct replay_options *options)
{
	struct worker *w = malloc(sizeof(*w));

	p->runs[i] = replay_run_new(p->trace, options);
	if (!w || !p->runs[i]) {
		free(w);
		return false;
	}
	*w = (struct worker){ p, p->runs[i] };
	if (pthread_create(&p->threads[i], NULL, work, w)) {
		free(w);
		return false;
	}
	return true;
}

struct replay_pool *replay_pool_start(const struct trace *trace, const struct replay_options *options,
				      const size_t *frames, size_t count)
{
	struct replay_pool *p = calloc(1, sizeof(*p));
	unsigned jobs = options->jobs;

	if (!p)
		return NULL;
	if (jobs > count)
		jobs = count ? (unsigned)count : 1;
	p->trace = trace;
	p->frames = frames;
	p->count = count;
	p->jobs = jobs;
	p->ring_size = jobs * RING_PER_JOB + 2;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->threads = calloc(jobs, sizeof(*p->threads));
	p->runs = calloc(jobs, sizeof(struct replay_run *));
	p->ring = calloc(p->ring_size, sizeof(*p->ring));
	p->done = calloc(p->ring_size, sizeof(*p->done));
	if (!p->threads || !p->runs || !p->ring || !p->done) {
		replay_pool_stop(p);
		return NULL;
	}
	for (size_t i = 0; i < p->ring_size; i++)
		p->ring[i].report.limit = options->limit;
	while (p->started < jobs && start_worker(p, p->started, options))
		p->started++;
	if (p->started == 0) {
		replay_pool_stop(p);
		return NULL;
	}
	return p;
}

struct frame_result *replay_pool_next(struct replay_pool *p)
{
	size_t n = p->given;

	if (n == p->count)
		return NULL;
	pthread_mutex_lock(&p->lock);
	while (!p->done[n % p->ring_size])
		pthread_cond_wait(&p->changed, &p->lock);
	p->done[n % p->ring_size] = false;
	p->given++;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return &p->ring[n % p->ring_size];
}

void replay_pool_stop(struct replay_pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->started; i++)
		pthread_join(p->threads[i], NULL);
	for (unsigned i = 0; p->runs && i < p->jobs; i++)
		if (p->runs[i])
			replay_run_free(p->runs[i]);
	for (size_t i = 0; p->ring && i < p->ring_size; i++)
		report_free(&p->ring[i].report);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p->runs);
	free(p->ring);
	free(p->done);
	free(p);
}
