/*
 * progress.c: one line on stderr, rewritten in place while a command works.
 *
 * Called as often as the caller likes; must print nothing where nobody looks (no terminal, or -q).
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "recorder/command.h"

#define INTERVAL_NS 100000000

static int64_t last_ns;
static bool shown;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static bool wanted(bool quiet)
{
	return !quiet && isatty(STDERR_FILENO);
}

void progress_update(bool quiet, const char *format, ...)
{
	int64_t now = now_ns();
	va_list args;

	if (!wanted(quiet) || (last_ns && now - last_ns < INTERVAL_NS))
		return;
	last_ns = now;
	shown = true;
	va_start(args, format);
	fputc('\r', stderr);
	vfprintf(stderr, format, args);
	fputs("\033[K", stderr);
	va_end(args);
	fflush(stderr);
}

void progress_end(bool quiet)
{
	if (shown && wanted(quiet))
		fputs("\r\033[K", stderr);
	shown = false;
	last_ns = 0;
}
