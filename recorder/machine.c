/*
 * machine.c: an emulator process and its directory: made, started, asked to stop, killed, explained. See
 * machine.h.
 *
 * The emulator is a process group of its own, so that ^C reaches the recorder alone, and dies with the
 * recorder.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/machine.h"

#define STOP_BYTE 0x03
#define EVENTS_MAX (8 << 20)	/* bytes on the disk of what an emulator logs */
#define EVENTS_KEPT (1 << 20)	/* … of which the end is left */
#define DIRECTORY_PREFIX "vexit-run-"

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* A recorder that was killed leaves its directory; its name has the recorder's process id. */
static void remove_stale(const char *base)
{
	DIR *d = opendir(base);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[PATH_MAX];
		struct stat st;
		long pid;

		if (strncmp(e->d_name, DIRECTORY_PREFIX, strlen(DIRECTORY_PREFIX)))
			continue;
		pid = strtol(e->d_name + strlen(DIRECTORY_PREFIX), NULL, 10);
		if (snprintf(path, sizeof(path), "%s/%s", base, e->d_name) >= (int)sizeof(path) ||
		    lstat(path, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || pid <= 0 ||
		    !kill((pid_t)pid, 0) || errno != ESRCH)
			continue;
		remove_tree(path);
	}
	if (d)
		closedir(d);
}

bool machine_make_directory(struct machine *m, const char *keep)
{
	const char *base = getenv("TMPDIR");

	*m = (struct machine){ .console = { -1, -1, 0 }, .log = { -1, -1, 0 }, .keep = keep != NULL };
	if (keep) {
		if ((!mkdir(keep, 0700) || errno == EEXIST) && realpath(keep, m->directory))
			return true;
		command_fail(0, "%s: %s", keep, strerror(errno));
		return false;
	}
	if (!base || !*base)
		base = "/tmp";
	remove_stale(base);
	if (snprintf(m->directory, sizeof(m->directory), "%s/" DIRECTORY_PREFIX "%d-XXXXXX", base,
		     (int)getpid()) < (int)sizeof(m->directory) &&
	    mkdtemp(m->directory))
		return true;
	command_fail(0, "%s: %s", m->directory, strerror(errno));
	m->directory[0] = '\0';
	return false;
}

void machine_remove_directory(struct machine *m)
{
	serial_close(&m->console);
	serial_close(&m->log);
	if (m->directory[0] && !m->keep)
		remove_tree(m->directory);
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");

	while (path && *path) {
		size_t n = strcspn(path, ":");
		char full[PATH_MAX];

		if (snprintf(full, sizeof(full), "%.*s/%s", (int)n, path, program) < (int)sizeof(full) &&
		    !access(full, X_OK))
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

bool machine_choose(struct machine *m, enum machine_kind kind)
{
	m->kvm = kind != MACHINE_BOCHS && qemu_has_vmx();
	if (kind == MACHINE_AUTO)
		kind = m->kvm && in_path("qemu-system-x86_64") ? MACHINE_QEMU : MACHINE_BOCHS;
	m->kind = kind;
	if (kind == MACHINE_BOCHS && !in_path("bochs")) {
		command_fail(0, "bochs: not found (Debian: packages bochs, bochsbios, vgabios, bochs-term)");
		return false;
	}
	if (kind == MACHINE_QEMU && !in_path("qemu-system-x86_64")) {
		command_fail(0, "qemu-system-x86_64: not found (Debian: package qemu-system-x86)");
		return false;
	}
	return true;
}

/* In the child: become the emulator. */
static void run_emulator(const struct machine *m, char **command, pid_t parent)
{
	int out;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || chdir(m->directory))
		_exit(126);
	out = open(MACHINE_OUTPUT, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	/* Bochs' clock shows local time. */
	setenv("TZ", "UTC", 1);
	execvp(command[0], command);
	_exit(127);
}

/* What the loader puts beside the guest's memory: at most all that is on the medium. */
static uint64_t medium_mib(const struct machine *m)
{
	char path[PATH_MAX + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" MACHINE_ISO, m->directory);
	return stat(path, &st) ? 0 : ((uint64_t)st.st_size + (1 << 20) - 1) >> 20;
}

bool machine_start(struct machine *m, const struct machine_config *c)
{
	struct machine_config sized = *c;
	static const char *const stale[] = { MACHINE_CONSOLE, MACHINE_WIRE, MACHINE_LOG, MACHINE_EVENTS,
					     MACHINE_ISO ".lock" };
	char path[PATH_MAX + 32], **command;
	pid_t parent = getpid();

	for (unsigned i = 0; i < sizeof(stale) / sizeof(*stale); i++) {
		snprintf(path, sizeof(path), "%s/%s", m->directory, stale[i]);
		unlink(path);
	}
	if (!serial_listen(&m->log, "hypervisor's log") ||
	    (c->input && !serial_listen(&m->console, "guest's console")))
		return false;
	sized.memory_mib += medium_mib(m);
	command = m->kind == MACHINE_BOCHS ? bochs_command(m, &sized) : qemu_command(m, &sized);
	if (!command)
		return false;
	fflush(NULL);
	m->pid = fork();
	if (m->pid == 0)
		run_emulator(m, command, parent);
	if (m->pid < 0) {
		m->pid = 0;
		command_fail(0, "%s: %s", command[0], strerror(errno));
		return false;
	}
	return true;
}

bool machine_running(struct machine *m)
{
	pid_t pid;

	if (!m->pid)
		return false;
	pid = waitpid(m->pid, &m->status, WNOHANG);
	if (pid == 0 || (pid < 0 && errno == EINTR))
		return true;
	m->pid = 0;
	return false;
}

void machine_kill(struct machine *m)
{
	if (!m->pid)
		return;
	kill(m->pid, SIGKILL);
	while (waitpid(m->pid, &m->status, 0) < 0 && errno == EINTR)
		;
	m->pid = 0;
}

void machine_ask_stop(struct machine *m)
{
	/* What doesn't arrive is asked for again, and ends by being killed. */
	serial_write(&m->log, &(char){ STOP_BYTE }, 1);
}

void machine_trim_log(const struct machine *m)
{
	char path[PATH_MAX + 32];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/" MACHINE_EVENTS, m->directory);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_blocks > EVENTS_MAX / 512)
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, st.st_size - EVENTS_KEPT);
	close(fd);
}

/* Lines with a panic, a refused VM entry or an error of the emulator; how it powers off isn't one. */
static bool matters(const char *line)
{
	static const char *const words[] = { "PANIC",	 "VMENTER",  "VMFAIL", "rror",	"annot",
					     "ould not", "nable to", "nvalid", "ERROR", "failed" };

	if (strstr(line, "Shutdown port"))
		return false;
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

static unsigned explain_file(const struct machine *m, const char *name, unsigned most)
{
	char path[PATH_MAX + 32], line[512], last[8][512];
	unsigned count = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", m->directory, name);
	f = fopen(path, "r");
	if (f && fseek(f, -EVENTS_KEPT, SEEK_END))
		rewind(f);
	while (f && fgets(line, sizeof(line), f))
		if (matters(line))
			memcpy(last[count++ % most], line, sizeof(line));
	if (f)
		fclose(f);
	for (unsigned i = count > most ? count - most : 0; i < count; i++)
		fprintf(stderr, "  %s%s", last[i % most], strchr(last[i % most], '\n') ? "" : "\n");
	return count;
}

void machine_explain(const struct machine *m)
{
	const char *name = m->kind == MACHINE_BOCHS ? "bochs" : "qemu";

	if (WIFSIGNALED(m->status))
		fprintf(stderr, "  %s was killed by signal %d (%s)\n", name, WTERMSIG(m->status),
			strsignal(WTERMSIG(m->status)));
	else
		fprintf(stderr, "  %s ended with status %d\n", name, WEXITSTATUS(m->status));
	if (m->kind == MACHINE_BOCHS && explain_file(m, MACHINE_EVENTS, 8))
		return;
	explain_file(m, MACHINE_OUTPUT, 8);
}
