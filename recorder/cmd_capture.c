/*
 * cmd_capture.c: `vexit capture`: a stream that some other machine sends, into a trace.
 *
 * The far end can't be asked to stop: what was received until the end is what there is.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/options.h"
#include "recorder/record.h"
#include "recorder/source.h"

#define CHUNK (64u << 10)

static struct {
	const char *from, *output;
	uint64_t baud, timeout_ms;
	bool force, quiet, json;
} option;

static const struct option_row rows[] = {
	{ "from", 0, OPTION_TEXT, &option.from, "SOURCE",
	  "FILE, a tty, unix:PATH, tcp:HOST:PORT, or - for stdin", 0, 0 },
	{ "baud", 0, OPTION_NUMBER, &option.baud, "N", "the line's rate, when the source is a tty (115200)",
	  1, 0xffffffff },
	{ "timeout", 0, OPTION_SECONDS, &option.timeout_ms, "SEC", "end after this time", 0, 0 },
	{ "output", 'o', OPTION_TEXT, &option.output, "T.vxt",
	  "the trace, under this name as it grows; - is stdout", 0, 0 },
	{ "force", 'f', OPTION_FLAG, &option.force, NULL, "overwrite an existing output", 0, 0 },
	{ "quiet", 'q', OPTION_FLAG, &option.quiet, NULL, "no progress, no summary", 0, 0 },
	{ "json", 0, OPTION_FLAG, &option.json, NULL, "the summary as JSON on stdout", 0, 0 },
};

static const struct command command = {
	.name = "capture",
	.synopsis = "--from FILE|TTY|unix:PATH|tcp:HOST:PORT|- [--baud N] -o T.vxt",
	.help = "Records a stream from elsewhere: a real machine's serial line, a socket, a file. Ends\n"
		"with the closing frame, the end of the source, a timeout or ^C. One that begins late\n"
		"starts at the next session frame and says what it missed. Status: 0 when the trace is\n"
		"whole, 1 when it is not, 2 when there is nothing.",
	COMMAND_ROWS(rows),
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Until the end of the source or of patience. */
static void receive(const struct source *source, struct writer *w)
{
	static uint8_t bytes[CHUNK];
	const struct writer_state *s = writer_state(w);
	double start = now_s();

	while (!record_interrupts() && !(source->live && s->closed)) {
		struct pollfd p = { source->fd, POLLIN, 0 };
		double elapsed = now_s() - start;
		ssize_t n;

		if (option.timeout_ms && elapsed * 1000 >= (double)option.timeout_ms)
			break;
		progress_update(option.quiet, "%" PRIu64 " exits, %" PRIu64 " frames, %.1f KiB, %.0f s",
				s->exits, s->frames, (double)s->received / 1024, elapsed);
		if (poll(&p, 1, 100) <= 0)
			continue;
		n = read(source->fd, bytes, sizeof(bytes));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0 && errno != EIO)	/* EIO: the tty's line was hung up */
			command_fail(0, "%s: %s", option.from, strerror(errno));
		if (n <= 0 || !writer_feed(w, bytes, (size_t)n))
			break;
	}
	progress_end(option.quiet);
}

static int report(const struct writer_state *s)
{
	int status = EXIT_OK;

	if (s->failed)
		return command_fail(EXIT_CANNOT, "%s\n  what was received before is in the trace", s->error);
	if (!s->received)
		status = command_fail(EXIT_CANNOT, "%s: nothing came", option.from);
	else if (!s->started)
		status = command_fail(EXIT_CANNOT, "%s: no session frame in %" PRIu64 " bytes%s", option.from,
				      s->received,
				      s->frames ? "" : ": this is no trace, or the line's rate is wrong");
	if (status)
		return status;
	if (s->session.frame && !s->session.sliced && s->frames && s->first_step)
		status = command_fail(EXIT_NO,
				      "the capture began late, with frame %" PRIu64
				      ": missed steps 0..%" PRIu64 " (%" PRIu64 " exits)",
				      s->first_frame, s->first_step - 1, s->first_seq);
	if (s->damages)
		status = command_fail(EXIT_NO,
				      "%" PRIu64
				      " bytes of the stream were no whole frame and are left out, first at "
				      "stream byte %s",
				      s->lost_bytes, s->first_damage);
	if (!s->closed)
		status = command_fail(EXIT_NO, "%s: truncated: no closing frame came", option.output);
	else if (!option.quiet)
		fprintf(stderr, "vexit: guest ended: %s\n",
			verdict_text(s->closing.stop.kind, s->closing.stop.value));
	return record_interrupts() ? EXIT_INTERRUPT : status;
}

static void summarise(const struct writer_state *s, int status)
{
	if (!option.quiet)
		fprintf(stderr, "vexit: %s: %" PRIu64 " exits in %" PRIu64 " frames, %.1f KiB\n",
			option.output, s->exits, s->frames, (double)s->written / 1024);
	if (!option.json)
		return;
	printf("{\"trace\": ");
	json_string(stdout, option.output);
	printf(", \"verdict\": ");
	json_string(stdout, s->closed ? verdict_text(s->closing.stop.kind, s->closing.stop.value) : "");
	printf(", \"status\": %d, \"closed\": %s, \"exits\": %" PRIu64 ", \"steps\": %" PRIu64
	       ", \"frames\": %" PRIu64 ", \"received\": %" PRIu64 ", \"lost\": %" PRIu64 "}\n",
	       status, s->closed ? "true" : "false", s->exits, s->steps, s->frames, s->received,
	       s->lost_bytes);
}

int cmd_capture(int argc, char **argv)
{
	struct source source;
	struct writer *w;
	struct stat st;
	int count, status;

	option.baud = 115200;
	count = options_parse(&command, argc, argv);
	if (count < 0)
		return OPTIONS_STATUS(count);
	if (!option.from || !option.output)
		return command_usage("capture", "%s is missing", option.from ? "-o T.vxt" : "--from SOURCE");
	if (option.json && !strcmp(option.output, "-"))
		return command_usage("capture", "--json and -o - both want stdout");
	record_catch_signals();
	if (!source_open(&source, option.from, option.baud)) {
		source_close(&source);
		return EXIT_CANNOT;
	}
	w = writer_open(option.output, option.force);
	if (!w) {
		source_close(&source);
		return EXIT_CANNOT;
	}
	receive(&source, w);
	source_close(&source);
	writer_finish(w);
	status = report(writer_state(w));
	summarise(writer_state(w), status);
	if (!writer_state(w)->written && !lstat(option.output, &st) && S_ISREG(st.st_mode) && !st.st_size)
		unlink(option.output);
	writer_free(w);
	return status;
}
