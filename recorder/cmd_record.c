/*
 * cmd_record.c: `vexit record`: options, what to boot, and boot after boot.
 *
 * record.c runs a boot, record_report.c tells what came of it.
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
#include "recorder/scan.h"

#define HYPERVISOR_MIB	128		/* of the machine's memory beside the guest's */
#define MEMORY_MAX	(UINT64_C(3056) << 20)	/* with the hypervisor below the MMIO at 3 GiB */
#define RTC_DEFAULT	1767225600	/* 2026-01-01 00:00:00 UTC */

static struct {
	const char *guest, *append, *initrd, *cpu, *console, *input, *rtc, *symbols, *output, *keep;
	int machine, trace;
	uint64_t vcpus, memory, timeout_ms, zstd;
	bool host_random, check_snapshot, hide_tracing_time, reboot, force, quiet, json;
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
	{ "input", 0, OPTION_TEXT, &option.input, "FILE|-",
	  "typed to the guest's console: a file, or stdin; a terminal\n"
	  "on stdin is it anyway: ^C ends the recording, ^A h helps",
	  0, 0 },
	{ "reboot", 0, OPTION_FLAG, &option.reboot, NULL,
	  "a reset of the guest boots it again, as one more session of\nthe trace, instead of ending the run", 0, 0 },
	{ "trace", 0, OPTION_CHOICE, &option.trace, "full|touched|off",
	  "snapshots: every field (full), only those that handlers\n"
	  "ask for (touched), none and no trace (off)",
	  0, 0 },
	{ "zstd", 0, OPTION_NUMBER, &option.zstd, "LEVEL",
	  "compression, 1 to 9 (by what a frame holds)", 1, 9 },
	{ "rtc", 0, OPTION_TEXT, &option.rtc, "TIME",
	  "the guest's clock at power-on: 2026-01-01T00:00:00 or\n"
	  "seconds since 1970 (a fixed time, for equal runs)",
	  0, 0 },
	{ "host-random", 0, OPTION_FLAG, &option.host_random, NULL,
	  "let the guest have RDRAND and RDSEED: no two runs are equal", 0, 0 },
	{ "hide-tracing-time", 0, OPTION_FLAG, &option.hide_tracing_time, NULL,
	  "the guest's TSC leaves out what the tracer takes", 0, 0 },
	{ "check-snapshot", 0, OPTION_FLAG, &option.check_snapshot, NULL,
	  "read every field at every exit, and panic where one that\nwas thought known differs", 0, 0 },
	{ "symbols", 0, OPTION_TEXT, &option.symbols, "FILE", SYMBOLS_HELP, 0, 0 },
	{ "output", 'o', OPTION_TEXT, &option.output, "T.vxt",
	  "the trace, under this name as it grows; - is stdout", 0, 0 },
	{ "force", 'f', OPTION_FLAG, &option.force, NULL, "overwrite an existing output", 0, 0 },
	{ "keep", 0, OPTION_TEXT, &option.keep, "DIR",
	  "work there and leave the machine's files (logs, medium)", 0, 0 },
	{ "quiet", 'q', OPTION_FLAG, &option.quiet, NULL, "only what went wrong, in a line", 0, 0 },
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

static bool build_image(const struct recording *r)
{
	static const char *const levels[] = { "full", "touched", "off" };
	char hypervisor[PATH_MAX], guest[PATH_MAX], name[PATH_MAX];
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
	/* Guests take the first word of their command line for the file's name: it is one word. */
	snprintf(name, sizeof(name), "%s", strrchr(guest, '/') ? strrchr(guest, '/') + 1 : guest);
	for (char *p = name; *p; p++)
		*p = *p == ' ' ? '_' : *p;
	c.guest_name = name;
	c.memory = option.memory;
	c.vcpus = (uint32_t)option.vcpus;
	snprintf(c.options, sizeof(c.options),
		 "vcpus=%" PRIu64 " mem=%" PRIu64 " trace=%s tsc_khz=400000 zstd=%" PRIu64 " rtc=%" PRIu64 "%s%s%s%s",
		 option.vcpus, option.memory >> 20, levels[option.trace], option.zstd, r->rtc,
		 r->input.wanted ? " console-input" : "", option.check_snapshot ? " check-snapshot" : "",
		 option.hide_tracing_time ? " hide-tracing-time" : "",
		 option.host_random ? " host-random" : "");
	if (getrandom(&c.session, sizeof(c.session), 0) != sizeof(c.session) || !c.session)
		c.session = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	return image_build(&c, r->machine.directory);
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

/* Whether the guest is to start once more. */
static bool boots_again(struct recording *r)
{
	if (!option.reboot || r->end != RECORD_ENDED || !r->verdict.known || r->verdict.kind != STOP_RESET ||
	    record_interrupts() || record_timed_out(r))
		return false;
	if (r->boots == SCAN_SESSIONS)
		r->end = RECORD_BOOTS;
	return r->end == RECORD_ENDED;
}

/*
 * The medium gets a session id of its own; what the guest has not read of its input waits for it. What was
 * recorded so far stands as it is if that fails.
 */
static bool boot_again(struct recording *r, const struct machine_config *c)
{
	if (!r->quiet)
		fprintf(stderr, "vexit: guest ended: %s; booting again\n",
			verdict_text(r->verdict.kind, r->verdict.value));
	if (!build_image(r) || record_interrupts() || !machine_start(&r->machine, c)) {
		r->end = record_interrupts() ? RECORD_INTERRUPTED : RECORD_NO_BOOT;
		return false;
	}
	input_boot(&r->input, r->verdict.input_taken);
	verdict_free(&r->verdict);
	writer_next_session(r->writer);
	return true;
}

static int record(struct recording *r, struct machine_config *c)
{
	const char *path = r->path ? r->path : "/dev/null";

	if (!machine_choose(&r->machine, c->kind) || !input_open(&r->input, option.input, option.quiet))
		return EXIT_CANNOT;
	c->input = r->input.wanted;
	/* The first medium is made before anything is overwritten. */
	if (!build_image(r))
		return record_interrupts() ? EXIT_INTERRUPT : EXIT_CANNOT;
	if (record_interrupts())
		return EXIT_INTERRUPT;
	if (!open_console(r) || !(r->writer = writer_open(path, option.force || !r->path)) ||
	    !machine_start(&r->machine, c))
		return EXIT_CANNOT;
	record_run(r);
	while (boots_again(r) && boot_again(r, c))
		record_run(r);
	input_close(&r->input);
	if (!writer_finish(r->writer) && r->end == RECORD_ENDED) {
		r->end = RECORD_WRITE_FAILED;
		snprintf(r->error, sizeof(r->error), "%s", writer_state(r->writer)->error);
	}
	return record_report(r, option.json);
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
	struct recording r = { .console = -1, .input.fd = -1 };
	struct machine_config c = { .rtc = RTC_DEFAULT };
	struct symbols *symbols = NULL;
	char error[512];
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
	r.rtc = c.rtc;
	r.path = option.output;
	c.memory_mib = (option.memory >> 20) + HYPERVISOR_MIB;
	r.quiet = option.quiet;
	r.timeout_ms = option.timeout_ms;
	if (option.symbols && !(symbols = symbols_load(option.symbols, error, sizeof(error))))
		return command_fail(EXIT_CANNOT, "%s", error);
	r.symbols = symbols;
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
	input_close(&r.input);
	writer_free(r.writer);
	verdict_free(&r.verdict);
	symbols_free(symbols);
	return status;
}
