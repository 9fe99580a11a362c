/*
 * output.c: an output file that is there whole or not at all, and JSON's strings.
 *
 * Used by every command that makes a file, except record and capture, whose files grow under their final
 * name.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/command.h"

struct output {
	char *path, *temporary;	/* NULL: stdout */
	FILE *file;
};

/* The file in the making, for ^C and SIGTERM: a command has one at a time. Empty: none. */
static char unfinished[PATH_MAX];

static void interrupted(int signal)
{
	(void)signal;
	if (unfinished[0])
		unlink(unfinished);
	_exit(EXIT_INTERRUPT);
}

static void remove_when_interrupted(const char *path)
{
	struct sigaction action = { .sa_handler = path ? interrupted : SIG_DFL };

	snprintf(unfinished, sizeof(unfinished), "%s", path ? path : "");
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void output_free(struct output *o)
{
	free(o->path);
	free(o->temporary);
	free(o);
}

struct output *output_open(const char *path, bool force)
{
	struct output *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	if (!strcmp(path, "-")) {
		o->file = stdout;
		return o;
	}
	if (!force && !access(path, F_OK)) {
		command_fail(0, "%s exists already; -f overwrites it", path);
		free(o);
		return NULL;
	}
	o->path = strdup(path);
	if (!o->path || asprintf(&o->temporary, "%s.partial", path) < 0)
		abort();
	o->file = fopen(o->temporary, "w");
	if (!o->file) {
		command_fail(0, "%s: %s", o->temporary, strerror(errno));
		output_free(o);
		return NULL;
	}
	remove_when_interrupted(o->temporary);
	return o;
}

const char *output_temporary(const struct output *o)
{
	return o->temporary;
}

FILE *output_file(struct output *o)
{
	return o->file;
}

int output_commit(struct output *o)
{
	bool failed = ferror(o->file) || fflush(o->file);
	int error = errno;

	if (!o->path) {
		free(o);
		return failed ? command_fail(EXIT_CANNOT, "standard output: write failed") : EXIT_OK;
	}
	if (fclose(o->file) && !failed) {
		failed = true;
		error = errno;
	}
	if (!failed && rename(o->temporary, o->path)) {
		failed = true;
		error = errno;
	}
	if (failed) {
		command_fail(0, "%s: %s", o->path, strerror(error));
		unlink(o->temporary);
	}
	remove_when_interrupted(NULL);
	output_free(o);
	return failed ? EXIT_CANNOT : EXIT_OK;
}

void output_abandon(struct output *o)
{
	if (o->path) {
		fclose(o->file);
		unlink(o->temporary);
		remove_when_interrupted(NULL);
	}
	output_free(o);
}

/* Bytes of the UTF-8 sequence at `p`, or 0: not one (guests' command lines hold any byte). */
static unsigned utf8_length(const unsigned char *p)
{
	unsigned n = *p < 0x80		       ? 1
		     : *p >= 0xc2 && *p < 0xe0 ? 2
		     : (*p & 0xf0) == 0xe0     ? 3
		     : *p >= 0xf0 && *p < 0xf5 ? 4
					       : 0;

	for (unsigned i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

void json_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		unsigned n = utf8_length(p);

		if (*p == '"' || *p == '\\')
			fprintf(to, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f || !n)
			fprintf(to, "\\u%04x", *p);
		else
			fwrite(p, 1, n, to);
		p += n ? n : 1;
	}
	fputc('"', to);
}
