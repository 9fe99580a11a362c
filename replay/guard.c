/*
 * guard.c: a handler that crashes or never returns is a divergence, not the end of the tool.
 *
 * Called by frame.c. Handlers hold nothing to free, so a signal that hits one leaves it by longjmp(). A fault
 * outside a handler is a bug of vexit itself and kills it as usual. A loop is noticed by a timer of the
 * thread's own processor time: a loaded or stopped machine is no loop.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "replay/replay.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define GUARD_STACK	(64u << 10)
#define GUARD_TICK_NS	500000000L	/* a step takes some 100 ns: two ticks in one step are a loop */
#define GUARD_TIMER	SIGVTALRM

static _Thread_local struct guard *current;
static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };

static void crashed(int number)
{
	struct guard *g = current;

	if (!g || !g->armed) {
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	g->armed = 0;
	g->signal = number;
	longjmp(g->env, GUARD_CRASHED);
}

static void ticked(int number)
{
	struct guard *g = current;

	(void)number;
	if (!g)
		return;
	if (!g->armed || g->serial != g->serial_seen) {
		g->serial_seen = g->serial;
		return;
	}
	g->armed = 0;
	longjmp(g->env, GUARD_LOOPED);
}

/* The signals aren't blocked while handled (SA_NODEFER), so longjmp() needs no mask to restore. */
static void install(void)
{
	struct sigaction action = { .sa_flags = SA_NODEFER | SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	action.sa_handler = crashed;
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &action, NULL);
	action.sa_handler = ticked;
	action.sa_flags |= SA_RESTART;
	sigaction(GUARD_TIMER, &action, NULL);
}

void guard_start(struct guard *g)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = GUARD_TIMER };
	struct itimerspec interval = {
		.it_value = { .tv_nsec = GUARD_TICK_NS }, .it_interval = { .tv_nsec = GUARD_TICK_NS },
	};
	stack_t stack = { .ss_size = GUARD_STACK };

	memset(g, 0, sizeof(*g));
	current = g;
	/* A stack of its own: the handler may have used up the thread's by recursion. */
	g->stack = stack.ss_sp = malloc(GUARD_STACK);
	if (stack.ss_sp)
		sigaltstack(&stack, NULL);
	install();
	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &g->timer))
		abort();	/* only for want of kernel memory */
	timer_settime(g->timer, 0, &interval, NULL);
}

void guard_stop(struct guard *g)
{
	stack_t stack = { .ss_flags = SS_DISABLE };

	timer_delete(g->timer);
	current = NULL;
	sigaltstack(&stack, NULL);
	free(g->stack);
}
