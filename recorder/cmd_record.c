/*
 * cmd_record.c: `vexit record`: options, what to boot, and what is told at the end.
 *
 * record.c runs the recording; this file has its before and after.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/options.h"
#include "recorder/record.h"

#define HYPERVISOR_MIB	128		/* of the machine's memory beside the guest's */
#define MEMORY_MAX	(UINT64_C(3056) << 20)	/* with the hypervisor below the MMIO at 3 GiB */
#define RTC_DEFAULT	1767225600	/* 2026-01-01 00:00:00 UTC */

static struct {
	const char *guest, *append, *initrd, *cpu, *console, *rtc, *output, *keep;
	int machine, trace;
	uint64_t vcpus, memory, timeout_ms, zstd;
	bool host_random, check_snapshot, hide_tracing_time, force, quiet, json;
} option;

static const struct option_row rows[] = {
	{ "guest", 0, OPTION_TEXT, &option.guest, "NAME|FILE",
	  "guest of the tree, or a file (with a '/', or one that is there):\na Linux bzImage or a multiboot ELF", 0, 0 },
	{ "append", 0, OPTION_TEXT, &option.append, "STR",
	  "the kernel's command line; a multiboot guest gets its file\nname before it", 0, 0 },
	{ "initrd", 0, OPTION_TEXT, &option.initrd, "FILE", "Linux: the initramfs; multiboot: the first module", 0, 0 },
	{ "machine", 0, OPTION_CHOICE, &option.machine, "auto|bochs|qemu",
	  "where the hypervisor runs; auto: QEMU where KVM has VMX,\nelse Bochs, which emulates it", 0, 0 },
	{ "cpu", 0, OPTION_TEXT, &option.cpu, "MODEL", "the emulator's CPU model", 0, 0 },
	{ "vcpus", 0, OPTION_NUMBER, &option.vcpus, "N", "virtual processors of the guest (1)", 1, 8 },
	{ "mem", 0, OPTION_SIZE, &option.memory, "SIZE", "its memory (256M)", 0, 0 },
	{ "timeout", 0, OPTION_SECONDS, &option.timeout_ms, "SEC",
	  "stop after this time; the status is 1 then", 0, 0 },
	{ "console", 0, OPTION_TEXT, &option.console, "FILE",
	  "the guest's console goes there instead of stdout", 0, 0 },
	{ "trace", 0, OPTION_CHOICE, &option.trace, "full|touched|off",
	  "snapshots: every field (full), only those that handlers\n"
	  "ask for (touched), none and no trace (off)",
	  0, 0 },
	{ "zstd", 0, OPTION_NUMBER, &option.zstd, "LEVEL",
	  "compression, 1 to 9 (by what a frame holds)", 1, 9 },
	{ "rtc", 0, OPTION_TEXT, &option.rtc, "TIME",
	  "the machine's clock at power-on: 2026-01-01T00:00:00 or\n"
	  "seconds since 1970 (a fixed time, for equal runs)",
	  0, 0 },
	{ "host-random", 0, OPTION_FLAG, &option.host_random, NULL,
	  "let the guest have RDRAND and RDSEED: no two runs are equal", 0, 0 },
	{ "hide-tracing-time", 0, OPTION_FLAG, &option.hide_tracing_time, NULL,
	  "the guest's TSC leaves out what the tracer takes", 0, 0 },
	{ "check-snapshot", 0, OPTION_FLAG, &option.check_snapshot, NULL,
	  "read every field at every exit, and panic where one that\nwas thought known differs", 0, 0 },
	{ "output", 'o', OPTION_TEXT, &option.output, "T.vxt",
	  "the trace, under this name as it grows; - is stdout", 0, 0 },
	{ "force", 'f', OPTION_FLAG, &option.force, NULL, "overwrite an existing output", 0, 0 },
	{ "keep", 0, OPTION_TEXT, &option.keep, "DIR",
	  "work there and leave the machine's files (logs, medium)", 0, 0 },
	{ "quiet", 'q', OPTION_FLAG, &option.quiet, NULL, "no progress, no summary", 0, 0 },
	{ "json", 0, OPTION_FLAG, &option.json, NULL,
	  "the summary as JSON on stdout (needs --console)", 0, 0 },
};

static const struct command command = {
	.name = "record",
	.synopsis = "--guest NAME|FILE [options] -o T.vxt",
	.help = "Boots the hypervisor with a guest and records every VM exit of it. Ends with the\n"
		"guest, a timeout or ^C (which asks the hypervisor to stop; a second ^C kills it).\n"
		"Status: 0 when the guest powered off or wrote 0 to its debug-exit port, 1 when it\n"
		"ended otherwise, 2 when it could not be run.",
	COMMAND_ROWS(rows),
};

/* The tree's guests, for a name that isn't one. */
static void list_guests(const char *directory)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/guests", directory);
	d = opendir(path);
	fprintf(stderr, "  guests in %s:", path);
	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);

		if (n > 4 && !strcmp(e->d_name + n - 4, ".elf"))
			fprintf(stderr, " %.*s", (int)n - 4, e->d_name);
	}
	fputc('\n', stderr);
	if (d)
		closedir(d);
}

/* The guest's file. false: there is none; printed. */
static bool find_guest(char *path, size_t size)
{
	struct stat st;

	if (strchr(option.guest, '/') || (!stat(option.guest, &st) && S_ISREG(st.st_mode))) {
		snprintf(path, size, "%s", option.guest);
		if (!access(path, R_OK))
			return true;
		command_fail(0, "%s: %s", path, strerror(errno));
		return false;
	}
	snprintf(path, size, "%s/guests/%s.elf", image_directory(), option.guest);
	if (!access(path, R_OK))
		return true;
	command_fail(0, "no guest '%s': neither a file nor %s", option.guest, path);
	list_guests(image_directory());
	return false;
}

static bool parse_rtc(const char *text, uint64_t *seconds)
{
	struct tm tm = { 0 };
	const char *end;
	char *stop;

	*seconds = strtoull(text, &stop, 10);
	if (stop != text && !*stop)
		return *seconds > 2;	/* Bochs takes 1 and 2 for "now" */
	end = strptime(text, "%Y-%m-%d", &tm);
	if (end && (*end == 'T' || *end == ' '))
		end = strptime(end + 1, "%H:%M:%S", &tm);
	if (end && *end == 'Z')
		end++;
	*seconds = end && !*end ? (uint64_t)timegm(&tm) : 0;
	return *seconds > 2 && *seconds < UINT32_MAX;
}

static int check_options(uint64_t *rtc)
{
	if (!option.guest)
		return command_usage("record", "--guest NAME|FILE is missing");
	if (!option.output && option.trace != 2)
		return command_usage("record", "-o T.vxt is missing");
	if (option.output && !strcmp(option.output, "-") && (!option.console || option.json))
		return command_usage("record",
				     "-o - needs --console FILE (and no --json): stdout is the trace's then");
	if (option.json && !option.console)
		return command_usage("record",
				     "--json needs --console FILE: stdout is the guest's console otherwise");
	if (option.memory % (2u << 20) || option.memory < 2u << 20 || option.memory > MEMORY_MAX)
		return command_usage("record", "--mem: expected a multiple of 2M up to 3056M");
	if (option.rtc && !parse_rtc(option.rtc, rtc))
		return command_usage("record", "--rtc %s: expected 2026-01-01T00:00:00 or seconds since 1970",
				     option.rtc);
	return EXIT_OK;
}

static bool build_image(const struct machine *m)
{
	static const char *const levels[] = { "full", "touched", "off" };
	char hypervisor[PATH_MAX], guest[PATH_MAX];
	struct image_config c = {
		.hypervisor = hypervisor, .guest = guest, .append = option.append, .initrd = option.initrd
	};

	snprintf(hypervisor, sizeof(hypervisor), "%s/vexit.elf", image_directory());
	if (access(hypervisor, R_OK)) {
		command_fail(0, "%s: %s; build it with make, or name its directory in VEXIT_DIR", hypervisor,
			     strerror(errno));
		return false;
	}
	if (!find_guest(guest, sizeof(guest)))
		return false;
	c.guest_name = strrchr(guest, '/') ? strrchr(guest, '/') + 1 : guest;
	c.memory = option.memory;
	c.vcpus = (uint32_t)option.vcpus;
	snprintf(c.options, sizeof(c.options),
		 "vcpus=%" PRIu64 " mem=%" PRIu64 " trace=%s tsc_khz=400000 zstd=%" PRIu64 "%s%s%s", option.vcpus,
		 option.memory >> 20, levels[option.trace], option.zstd, option.check_snapshot ? " check-snapshot" : "",
		 option.hide_tracing_time ? " hide-tracing-time" : "",
		 option.host_random ? " host-random" : "");
	if (getrandom(&c.session, sizeof(c.session), 0) != sizeof(c.session) || !c.session)
		c.session = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	return image_build(&c, m->directory);
}

static void print_json(const struct recording *r, int status)
{
	const struct writer_state *s = writer_state(r->writer);

	printf("{\"trace\": ");
	json_string(stdout, option.output ? option.output : "");
	printf(", \"verdict\": ");
	json_string(stdout, r->verdict.known ? verdict_text(r->verdict.kind, r->verdict.value) : "");
	printf(", \"status\": %d, \"closed\": %s, \"exits\": %" PRIu64 ", \"steps\": %" PRIu64
	       ", \"frames\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"console_bytes\": %" PRIu64
	       ", \"seconds\": %.2f}\n",
	       status, s->closed ? "true" : "false", s->exits, s->steps, s->frames, s->written,
	       r->console_bytes, r->seconds);
}

/* Why the recording was ended, if not by the guest. */
static int report_end(struct recording *r)
{
	if (r->killed && r->end != RECORD_WRITE_FAILED)
		command_fail(0,
			     record_interrupts() > 1
				     ? "killed; the trace is truncated"
				     : "the hypervisor did not stop in 20 s: killed; the trace is truncated");
	switch (r->end) {
	case RECORD_ENDED:
		break;
	case RECORD_TIMEOUT:
		return command_fail(EXIT_NO, "timeout after %.1f s", (double)r->timeout_ms / 1000);
	case RECORD_INTERRUPTED:
	case RECORD_TERMINATED:
		return command_fail(EXIT_INTERRUPT, "%s",
				    r->end == RECORD_INTERRUPTED ? "interrupted" : "terminated");
	case RECORD_DISK_FULL:
		return command_fail(
			EXIT_CANNOT,
			"%s: less than 8 MiB are free, stopped before bytes get lost; free some, "
			"or set TMPDIR to a larger file system",
			r->machine.directory);
	case RECORD_WRITE_FAILED:
		return command_fail(
			EXIT_CANNOT,
			"%s\n  what was received before is in the trace; free some space, or write "
			"elsewhere, and record again",
			r->error);
	}
	if (r->verdict.known)
		return verdict_status(r->verdict.kind, r->verdict.value);
	command_fail(0, "the machine ended before the guest did:");
	machine_explain(&r->machine);
	verdict_print_report(&r->verdict);
	return command_fail(EXIT_CANNOT, "%s; --keep DIR keeps the machine's files, --cpu names "
			    "another model%s",
			    writer_state(r->writer)->written ? "what was received is in the trace"
							     : "nothing was received",
			    r->machine.kind == MACHINE_BOCHS ? " (bochs --help cpu)" : "");
}

static int report(struct recording *r)
{
	const struct writer_state *s = writer_state(r->writer);
	const struct verdict *v = &r->verdict;
	int status;

	if (r->console_midline && r->console == STDOUT_FILENO && isatty(STDOUT_FILENO))
		fputc('\n', stderr);
	if (v->known && (v->kind == STOP_PANIC || v->kind == STOP_UNHANDLED || v->kind == STOP_ENTRY_FAILURE))
		verdict_print_report(v);
	status = report_end(r);
	if (v->known && (!option.quiet || status) && v->kind != STOP_STOPPED)
		fprintf(stderr, "vexit: guest ended: %s\n", verdict_text(v->kind, v->value));
	if (s->damages)
		command_fail(
			0,
			"%" PRIu64
			" bytes of the stream were no whole frame and are left out, first at stream byte %s",
			s->lost_bytes, s->first_damage);
	if (option.trace == 2 || (!s->written && status))
		return status;
	if (!s->closed)
		command_fail(0, "%s: truncated: no closing frame came; 'vexit verify' says what is there",
			     option.output);
	if (!s->closed || s->damages)
		status = status ? status : EXIT_NO;
	if (!option.quiet)
		fprintf(stderr, "vexit: %s: %" PRIu64 " exits in %" PRIu64 " frames, %.1f KiB, %.1f s\n",
			option.output, s->exits, s->frames, (double)s->written / 1024, r->seconds);
	return status;
}

static bool open_console(struct recording *r)
{
	r->console = STDOUT_FILENO;
	if (!option.console || !strcmp(option.console, "-"))
		return true;
	r->console = open(option.console, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (r->console < 0)
		command_fail(0, "%s: %s", option.console, strerror(errno));
	return r->console >= 0;
}

static int record(struct recording *r, const struct machine_config *c)
{
	const char *path = option.output ? option.output : "/dev/null";
	int status;

	if (!machine_choose(&r->machine, c->kind) || !build_image(&r->machine))
		return record_interrupts() ? EXIT_INTERRUPT : EXIT_CANNOT;
	if (record_interrupts())
		return EXIT_INTERRUPT;
	if (!open_console(r) || !(r->writer = writer_open(path, option.force || !option.output)))
		return EXIT_CANNOT;
	if (!machine_start(&r->machine, c))
		return EXIT_CANNOT;
	record_run(r);
	if (!writer_finish(r->writer) && r->end == RECORD_ENDED) {
		r->end = RECORD_WRITE_FAILED;
		snprintf(r->error, sizeof(r->error), "%s", writer_state(r->writer)->error);
	}
	status = report(r);
	if (option.json)
		print_json(r, status);
	return status;
}

/* A file without a byte is no trace: nothing came. */
static void remove_empty(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISREG(st.st_mode) && !st.st_size)
		unlink(path);
}

int cmd_record(int argc, char **argv)
{
	struct recording r = { .console = -1 };
	struct machine_config c = { .rtc = RTC_DEFAULT };
	int count, status;

	option.vcpus = 1;
	option.memory = UINT64_C(256) << 20;
	count = options_parse(&command, argc, argv);
	if (count < 0)
		return OPTIONS_STATUS(count);
	status = check_options(&c.rtc);
	if (status)
		return status;
	/* Before anything is made: an existing output is refused at once. */
	if (option.output && strcmp(option.output, "-") && !option.force && !access(option.output, F_OK))
		return command_fail(EXIT_CANNOT, "%s exists already; -f overwrites it", option.output);
	c.kind = (enum machine_kind)option.machine;
	c.cpu = option.cpu;
	c.memory_mib = (option.memory >> 20) + HYPERVISOR_MIB;
	r.quiet = option.quiet;
	r.timeout_ms = option.timeout_ms;
	record_catch_signals();
	if (!machine_make_directory(&r.machine, option.keep))
		return EXIT_CANNOT;
	status = record(&r, &c);
	if (r.writer && option.output && !writer_state(r.writer)->written)
		remove_empty(option.output);
	machine_kill(&r.machine);
	machine_remove_directory(&r.machine);
	if (r.console > STDERR_FILENO)
		close(r.console);
	writer_free(r.writer);
	verdict_free(&r.verdict);
	return status;
}
