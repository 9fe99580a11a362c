/*
 * image.c: the boot medium: GRUB, the hypervisor, a guest and its command lines, in an ISO.
 *
 * Called by record. Making one takes a second, so that they are cached by their contents; the session id is
 * written into a copy, over a placeholder of the same length: the instructions that a recording takes don't
 * depend on it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/machine.h"
#include "trace/frame.h"

#define PLACEHOLDER "/boot/vexit.elf session=00000000000000000000"
#define GRUB_MODULES "normal multiboot2 iso9660 biosdisk"
#define CACHE_SECONDS (14 * 24 * 3600)
#define IMAGE_FORMAT "1 " GRUB_MODULES	/* part of the cache's key */

const char *image_directory(void)
{
	static char path[PATH_MAX];
	const char *given = getenv("VEXIT_DIR");
	ssize_t n;

	if (given && *given)
		return given;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n <= 0)
		return ".";
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	return path;
}

static uint8_t *load(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *bytes = NULL;

	if (fd < 0 || fstat(fd, &st))
		goto failed;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		goto failed;
	}
	*size = (size_t)st.st_size;
	bytes = malloc(*size + 1);
	if (!bytes)
		abort();
	errno = EIO;
	if (read(fd, bytes, *size) != st.st_size)
		goto failed;
	close(fd);
	return bytes;
failed:
	command_fail(0, "%s: %s", path, strerror(errno));
	free(bytes);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static bool store(const char *path, const void *bytes, size_t size)
{
	FILE *f = fopen(path, "w");
	bool ok = f && fwrite(bytes, 1, size, f) == size;

	if (f && fclose(f))
		ok = false;
	if (!ok)
		command_fail(0, "%s: %s%s", path, strerror(errno),
			     errno == ENOSPC ? "; free some space, or set TMPDIR to a larger file system" : "");
	return ok;
}

/*
 * Append `words` for GRUB's command module2, so that they come out as they are. GRUB takes each word
 * quoted, even an empty one, and joins them by a space; a word with a space within would get quotes of
 * GRUB's own. It puts backslashes before quotes and backslashes, which hv/boot/multiboot2.c takes away.
 */
static bool quote_words(FILE *to, const char *words)
{
	for (const char *p = words; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			command_fail(0, "a command line is printable text; byte %zu of this one is %#04x: %s",
				     (size_t)(p - words), (unsigned char)*p, words);
			return false;
		}
	}
	fputs(" '", to);
	for (; *words; words++) {
		if (*words == '\'')
			fputs("'\\''", to);
		else
			fputs(*words == ' ' ? "' '" : (char[]){ *words, '\0' }, to);
	}
	fputc('\'', to);
	return true;
}

static char *grub_config(const struct image_config *c)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	bool ok;

	if (!f)
		abort();
	fprintf(f, "multiboot2 " PLACEHOLDER " %s\nmodule2 /boot/guest", c->options);
	ok = quote_words(f, c->guest_name) && (!c->append || !*c->append || quote_words(f, c->append));
	fprintf(f, "\n%sboot\n", c->initrd ? "module2 /boot/initrd initrd\n" : "");
	fclose(f);
	if (!ok) {
		free(text);
		return NULL;
	}
	return text;
}

/* Run grub-mkrescue on TREE; its output goes to LOG and is shown when it fails. */
static bool run_mkrescue(const char *tree, const char *iso, const char *log)
{
	pid_t pid = fork(), ended;
	int status, c;
	FILE *f;

	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		/* A fixed time in the medium, so that equal contents give equal bytes. */
		setenv("SOURCE_DATE_EPOCH", "1767225600", 1);
		execlp("grub-mkrescue", "grub-mkrescue", "-d", "/usr/lib/grub/i386-pc",
		       "--install-modules=" GRUB_MODULES,
		       "--modules=", "--locales=", "--fonts=", "--themes=", "-o", iso, tree, (char *)NULL);
		_exit(127);
	}
	do
		ended = pid < 0 ? -1 : waitpid(pid, &status, 0);
	while (pid > 0 && ended < 0 && errno == EINTR);
	if (ended < 0) {
		command_fail(0, "grub-mkrescue: %s", strerror(errno));
		return false;
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status) && !access(iso, R_OK))
		return true;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		command_fail(
			0,
			"grub-mkrescue: not found (Debian: packages grub-common, grub-pc-bin, xorriso, "
				"mtools)");
		return false;
	}
	command_fail(0, "grub-mkrescue failed:");
	f = fopen(log, "r");
	while (f && (c = fgetc(f)) != EOF)
		fputc(c, stderr);
	if (f)
		fclose(f);
	return false;
}

static bool make_iso(const struct image_part *parts, unsigned count, const char *directory, const char *iso)
{
	char path[PATH_MAX + 64], log[PATH_MAX + 64];
	static const char *const folders[] = { "tree", "tree/boot", "tree/boot/grub" };

	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, folders[i]);
		if (mkdir(path, 0700) && errno != EEXIST) {
			command_fail(0, "%s: %s", path, strerror(errno));
			return false;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/tree/boot/%s", directory, parts[i].name);
		if (!store(path, parts[i].bytes, parts[i].size))
			return false;
	}
	snprintf(path, sizeof(path), "%s/tree", directory);
	snprintf(log, sizeof(log), "%s/mkrescue.out", directory);
	return run_mkrescue(path, iso, log);
}

/* Media that nobody has made anew for a while. */
static void prune_cache(const char *directory)
{
	DIR *d = opendir(directory);
	time_t oldest = time(NULL) - CACHE_SECONDS;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[2 * PATH_MAX];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
		if (strstr(e->d_name, ".iso") && !lstat(path, &st) && S_ISREG(st.st_mode) &&
		    st.st_mtime < oldest)
			unlink(path);
	}
	if (d)
		closedir(d);
}

/* Into the cache, under another name first: recorders may run side by side. A cache that can't be written is
 * no error. */
static void store_in_cache(const char *cached, const uint8_t *iso, size_t size)
{
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "%s.%d", cached, (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, iso, size) != (ssize_t)size || rename(path, cached))
		unlink(path);
	close(fd);
	snprintf(path, sizeof(path), "%s", cached);
	*strrchr(path, '/') = '\0';
	prune_cache(path);
}

/* The cache's file for these parts, in `path`. Without a cache directory: false. */
static bool cache_path(const struct image_part *parts, unsigned count, char *path, size_t size)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	uint64_t keys[2 * 8 + 1];
	unsigned n = 0;
	int used;

	for (unsigned i = 0; i < count; i++) {
		keys[n++] = trace_hash(parts[i].bytes, parts[i].size);
		keys[n++] = trace_hash(parts[i].name, strlen(parts[i].name));
	}
	keys[n++] = trace_hash(IMAGE_FORMAT, sizeof(IMAGE_FORMAT));
	if (base && *base)
		used = snprintf(path, size, "%s", base);
	else
		used = snprintf(path, size, "%s/.cache", home ? home : "");
	if ((!home && !base) || used + 64 > (int)size)
		return false;
	mkdir(path, 0700);
	used += snprintf(path + used, size - (size_t)used, "/vexit");
	mkdir(path, 0700);
	snprintf(path + used, size - (size_t)used, "/%016" PRIx64 ".iso",
		 trace_hash(keys, n * sizeof(*keys)));
	return true;
}

/* The finished medium for the machine: the cached bytes with this session's id. */
static bool store_with_session(uint8_t *iso, size_t size, uint64_t session, const char *directory)
{
	char path[PATH_MAX + 64], digits[21];
	uint8_t *at = memmem(iso, size, PLACEHOLDER, strlen(PLACEHOLDER));

	if (!at) {
		command_fail(0, "the boot medium lacks the placeholder for the session id");
		return false;
	}
	snprintf(digits, sizeof(digits), "%020" PRIu64, session);
	memcpy(at + strlen(PLACEHOLDER) - 20, digits, 20);
	snprintf(path, sizeof(path), "%s/" MACHINE_ISO, directory);
	return store(path, iso, size);
}

bool image_build(const struct image_config *c, const char *directory)
{
	char cached[PATH_MAX], fresh[PATH_MAX + 64];
	struct image_part parts[4] = { { .name = "grub/grub.cfg" }, { .name = "vexit.elf" }, { .name = "guest" } };
	unsigned count = c->initrd ? 4 : 3;
	uint8_t *iso = NULL;
	bool ok = false, cache;
	size_t size;

	parts[3].name = "initrd";
	parts[0].bytes = (uint8_t *)grub_config(c);
	if (!parts[0].bytes)
		return false;
	parts[0].size = strlen((char *)parts[0].bytes);
	if (!(parts[1].bytes = load(c->hypervisor, &parts[1].size)) ||
	    !(parts[2].bytes = load(c->guest, &parts[2].size)) ||
	    (c->initrd && !(parts[3].bytes = load(c->initrd, &parts[3].size))))
		goto out;
	if (!guest_file_check(c, &parts[2], c->initrd ? &parts[3] : NULL))
		goto out;
	cache = cache_path(parts, count, cached, sizeof(cached));
	snprintf(fresh, sizeof(fresh), "%s/fresh.iso", directory);
	if (cache && !access(cached, R_OK)) {
		iso = load(cached, &size);
	} else if (make_iso(parts, count, directory, fresh) && (iso = load(fresh, &size)) && cache) {
		store_in_cache(cached, iso, size);
	}
	ok = iso && store_with_session(iso, size, c->session, directory);
out:
	for (unsigned i = 0; i < count; i++)
		free(parts[i].bytes);
	free(iso);
	return ok;
}
