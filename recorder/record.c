/*
 * record.c: the loop of a recording: take what the three ports gave, show how it goes, end it in good order.
 *
 * Called by cmd_record.c with everything open. It must never wait for anything without a limit: a machine
 * that was asked to stop has 20 seconds, one whose hypervisor said its verdict has five.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/record.h"

#define STOP_WAIT_MS	20000		/* from asking for a stop to killing */
#define VERDICT_WAIT_MS	5000		/* from the verdict to killing */
#define ASK_EVERY_MS	1000
#define IDLE_MS		20
#define SPACE_EVERY_MS	500
#define SPACE_LEAST	(UINT64_C(8) << 20)	/* emulators don't notice a full disk: stop before it is */
#define CHUNK		(256u << 10)

#define SECOND_MS 300 /* sooner, a second ^C is the same one, sent to the process and to its group */

static volatile sig_atomic_t interrupts, terminated;
static int64_t interrupted_ms;		/* the handler's own */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void on_signal(int number)
{
	int64_t now = now_ms();

	if (!interrupts || now - interrupted_ms >= SECOND_MS)
		interrupts++;
	interrupted_ms = now;
	if (number == SIGTERM)
		terminated = 1;
}

void record_catch_signals(void)
{
	struct sigaction a = { .sa_handler = on_signal };

	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

unsigned record_interrupts(void)
{
	return (unsigned)interrupts;
}

bool record_terminated(void)
{
	return terminated;
}

struct ports {
	struct follow wire, console;
	uint8_t bytes[CHUNK];
};

struct times {
	int64_t asked, asked_again, verdict, space, rate;	/* ms; 0: not yet */
	uint64_t rate_exits;
	double exits_per_second;
};

static void end_recording(struct recording *r, enum record_end why)
{
	if (r->end == RECORD_ENDED)
		r->end = why;
}

static bool write_console(struct recording *r, const uint8_t *p, size_t size)
{
	r->console_bytes += size;
	if (r->console < 0)
		return true;
	progress_end(r->quiet);
	r->console_midline = p[size - 1] != '\n';
	while (size) {
		ssize_t n = write(r->console, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			snprintf(r->error, sizeof(r->error), "the guest's console can't be written: %s",
				 strerror(errno));
			r->console = -1;
			return false;
		}
		p += n;
		size -= (size_t)n;
	}
	return true;
}

/* What the ports gave since the last look. Gives the number of bytes. */
static size_t take_ports(struct recording *r, struct ports *p)
{
	size_t total = 0, n;

	n = serial_read(&r->machine.log, p->bytes, sizeof(p->bytes));
	if (n)
		verdict_feed(&r->verdict, (const char *)p->bytes, n);
	total += n;
	if (r->input.wanted)
		n = serial_read(&r->machine.console, p->bytes, sizeof(p->bytes));
	else
		n = follow_read(&p->console, p->bytes, sizeof(p->bytes));
	if (n && !write_console(r, p->bytes, n))
		end_recording(r, RECORD_WRITE_FAILED);
	total += n;
	n = follow_read(&p->wire, p->bytes, sizeof(p->bytes));
	if (n && !writer_feed(r->writer, p->bytes, n)) {
		snprintf(r->error, sizeof(r->error), "%s", writer_state(r->writer)->error);
		end_recording(r, RECORD_WRITE_FAILED);
	}
	return total + n;
}

static void show_progress(struct recording *r, struct times *t, int64_t now)
{
	const struct writer_state *s = writer_state(r->writer);
	char boot[32] = "";

	if (now - t->rate >= 500) {
		t->exits_per_second = (double)(s->exits - t->rate_exits) * 1000 / (double)(now - t->rate);
		t->rate = now;
		t->rate_exits = s->exits;
	}
	if (r->console == STDOUT_FILENO && r->console_midline && isatty(STDOUT_FILENO))
		return;		/* it would overwrite what the guest is saying */
	if (r->boots > 1)
		snprintf(boot, sizeof(boot), "boot %" PRIu64 ": ", r->boots);
	progress_update(r->quiet, "%s%s%" PRIu64 " exits, %.0f/s, %" PRIu64 " frames, %.1f KiB, %.0f s", boot,
			t->asked      ? "stopping: "
			: !s->started ? "booting: "
				      : "",
			s->exits, t->exits_per_second, s->frames, (double)s->written / 1024,
			(double)(now - r->start) / 1000);
}

static void check_space(struct recording *r, struct times *t, int64_t now)
{
	struct statvfs fs;

	if (now - t->space < SPACE_EVERY_MS)
		return;
	t->space = now;
	machine_trim_log(&r->machine);
	if (!statvfs(r->machine.directory, &fs) && (uint64_t)fs.f_bavail * fs.f_frsize < SPACE_LEAST)
		end_recording(r, RECORD_DISK_FULL);
}

bool record_timed_out(struct recording *r)
{
	if (r->timeout_ms && now_ms() - r->start >= (int64_t)r->timeout_ms)
		end_recording(r, RECORD_TIMEOUT);
	return r->end == RECORD_TIMEOUT;
}

/* Reasons to end, and how far ending has come. */
static void steer(struct recording *r, struct times *t)
{
	int64_t now = now_ms();

	check_space(r, t, now);
	if (r->input.ended && !interrupts)
		interrupts = 1;
	if (interrupts && r->end == RECORD_ENDED && !r->quiet) {
		progress_end(r->quiet);
		fprintf(stderr, "vexit: asking the hypervisor to stop; a second ^C kills it\n");
	}
	if (interrupts)
		end_recording(r, terminated ? RECORD_TERMINATED : RECORD_INTERRUPTED);
	if (!r->verdict.known)
		record_timed_out(r);
	if (r->verdict.known && !t->verdict)
		t->verdict = now;
	if (r->end != RECORD_ENDED && !t->asked)
		t->asked = now;
	/* Asked again and again: a byte that came before the hypervisor had set up its port is lost. */
	if (t->asked && !r->verdict.known && now - t->asked_again >= ASK_EVERY_MS) {
		machine_ask_stop(&r->machine);
		t->asked_again = now;
	}
	if (interrupts > 1 || r->end == RECORD_WRITE_FAILED || (t->asked && now - t->asked >= STOP_WAIT_MS) ||
	    (t->verdict && now - t->verdict >= VERDICT_WAIT_MS)) {
		r->killed = !r->verdict.known;
		machine_kill(&r->machine);
	}
	show_progress(r, t, now);
}

/* What is typed goes to a hypervisor that has set up its ports: its log says that it has. */
static size_t pass_input(struct recording *r)
{
	return r->verdict.log_size ? input_send(&r->input, &r->machine.console) : 0;
}

static void wait_for_bytes(struct recording *r)
{
	struct pollfd p[] = {
		{ input_to_poll(&r->input), POLLIN, 0 },
		{ serial_to_poll(&r->machine.log), POLLIN, 0 },
		{ serial_to_poll(&r->machine.console), POLLIN, 0 },
	};

	if (poll(p, sizeof(p) / sizeof(*p), IDLE_MS) > 0 && p[0].revents)
		input_read(&r->input);
}

void record_run(struct recording *r)
{
	static struct ports ports;
	struct times t = { 0 };
	bool running;

	if (!r->boots++)
		r->start = now_ms();
	t.rate = now_ms();
	t.rate_exits = writer_state(r->writer)->exits;
	follow_init(&ports.wire, r->machine.directory, MACHINE_WIRE);
	follow_init(&ports.console, r->machine.directory, MACHINE_CONSOLE);
	do {
		size_t bytes;

		running = machine_running(&r->machine);
		/* What was written before it ended is all there is: one look after that takes the rest. */
		bytes = take_ports(r, &ports) + pass_input(r);
		if (!bytes && running)
			wait_for_bytes(r);
		if (running)
			steer(r, &t);
	} while (running);
	while (take_ports(r, &ports))
		;
	progress_end(r->quiet);
	follow_close(&ports.wire);
	follow_close(&ports.console);
	r->seconds = (double)(now_ms() - r->start) / 1000;
}
