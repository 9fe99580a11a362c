/*
 * symbols.c: a table of functions, sorted by address; from text here, from an ELF by symbols_elf.c, from the
 * packed form by symbols_pack.c. See symbols.h.
 *
 * Functions alone: what is looked up are addresses of instructions.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/symbols_table.h"

#define SYMBOLS_MAX	(4u << 20)
#define NAME_MAX_BYTES	511
#define REACH		(UINT64_C(1) << 20)	/* bytes after a symbol without a size that can still be its */

struct symbol {
	uint64_t address, size;
	size_t name;			/* offset in `names` */
	bool global;
};

struct symbols {
	struct symbol *list;
	size_t count, cap;
	char *names;
	size_t names_size, names_cap;
	size_t zeros;			/* lines of functions at address 0: kptr_restrict hides them so */
	char remark[160];		/* the first line that looks like a symbol, and isn't one */
};

static void *grow(void *array, size_t needed, size_t *cap, size_t size)
{
	if (needed <= *cap)
		return array;
	*cap = 2 * needed;
	array = realloc(array, *cap * size);
	if (!array)
		abort();
	return array;
}

/* Names go to terminals as they are. */
static bool is_name(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 0x7f)
			return false;
	return length && length <= NAME_MAX_BYTES;
}

void symbols_add(struct symbols *s, uint64_t address, uint64_t size, bool global, const char *name, size_t length)
{
	if (!is_name(name, length) || s->count == SYMBOLS_MAX)
		return;
	if (!address) {
		s->zeros++;
		return;
	}
	s->list = grow(s->list, s->count + 1, &s->cap, sizeof(*s->list));
	s->names = grow(s->names, s->names_size + length + 1, &s->names_cap, 1);
	s->list[s->count++] = (struct symbol){ address, size, s->names_size, global };
	memcpy(s->names + s->names_size, name, length);
	s->names[s->names_size + length] = '\0';
	s->names_size += length + 1;
}

/* ---- Text ---- */

static size_t word(const char *at, const char *end)
{
	size_t n = 0;

	while (at + n < end && !isspace((unsigned char)at[n]))
		n++;
	return n;
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && isspace((unsigned char)*at))
		at++;
	return at;
}

/* 8 or more digits, as tools print addresses. Gives their number, 0: this is none. */
static size_t parse_address(const char *at, const char *end, uint64_t *address)
{
	size_t n = word(at, end);

	*address = 0;
	if (n < 8 || n > 16)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (!isxdigit((unsigned char)at[i]))
			return 0;
		*address = *address << 4 | (uint64_t)(isdigit((unsigned char)at[i]) ? at[i] - '0'
								    : tolower((unsigned char)at[i]) - 'a' + 10);
	}
	return n;
}

/* "ffffffff81000000 T name", maybe with a "[module]" after it; any other line is none of ours. */
static void take_line(struct symbols *s, const char *at, const char *end)
{
	uint64_t address;
	size_t n = parse_address(at, end, &address), length;
	const char *name, *rest;
	char type;

	if (!n)
		return;
	at = skip_space(at + n, end);
	if (word(at, end) != 1)
		return;
	type = *at;
	name = skip_space(at + 1, end);
	length = word(name, end);
	rest = skip_space(name + length, end);
	if (rest < end && *rest != '[') {	/* Debian's System.map is a sentence */
		if (!s->remark[0])
			snprintf(s->remark, sizeof(s->remark), "%.*s", (int)(end - name), name);
		return;
	}
	if (type && strchr("tTwW", type))
		symbols_add(s, address, 0, type != 't', name, length);
}

/* NULL, or what is wrong. */
static const char *read_text(struct symbols *s, const char *text, size_t size, bool packed_too)
{
	const char *end = text + size;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text)), *stop = newline ? newline : end;
		const char *error;
		char *unpacked;
		size_t unpacked_size, used;

		if (packed_too && (size_t)(stop - text) >= strlen(SYMBOLS_BEGIN) &&
		    !memcmp(text, SYMBOLS_BEGIN, strlen(SYMBOLS_BEGIN))) {
			error = symbols_unpack((const uint8_t *)stop, (size_t)(end - stop), &unpacked, &unpacked_size,
					       &used);
			if (error)
				return error;
			read_text(s, unpacked, unpacked_size, false);
			free(unpacked);
			text = stop + used;
			continue;
		}
		take_line(s, text, stop);
		text = stop + 1;
	}
	return NULL;
}

/* ---- The table ---- */

static int compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->global != y->global)
		return x->global ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

/* One for each address, in order; those without a size reach to the next, if that isn't far. */
static void arrange(struct symbols *s)
{
	size_t count = 0;

	qsort(s->list, s->count, sizeof(*s->list), compare);
	for (size_t i = 0; i < s->count; i++)
		if (!count || s->list[count - 1].address != s->list[i].address)
			s->list[count++] = s->list[i];
	s->count = count;
	for (size_t i = 0; i < count; i++) {
		uint64_t next = i + 1 < count ? s->list[i + 1].address - s->list[i].address : REACH;

		if (!s->list[i].size)
			s->list[i].size = next < REACH ? next : REACH;
	}
}

static struct symbols *refuse(struct symbols *s, char *error, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static struct symbols *refuse(struct symbols *s, char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	symbols_free(s);
	return NULL;
}

struct symbols *symbols_parse(const char *name, const uint8_t *bytes, size_t size, char *error,
			      size_t error_size)
{
	struct symbols *s = calloc(1, sizeof(*s));
	const char *wrong;

	if (!s)
		abort();
	if (symbols_is_elf(bytes, size))
		wrong = symbols_read_elf(s, bytes, size);
	else
		wrong = read_text(s, (const char *)bytes, size, true);
	if (wrong)
		return refuse(s, error, error_size, "%s: %s", name, wrong);
	if (!s->count && s->zeros)
		return refuse(s, error, error_size,
			      "%s: all its addresses are 0: the kernel hides them unless root reads them, or "
			      "/proc/sys/kernel/kptr_restrict is 0", name);
	if (!s->count && s->remark[0]) {
		for (char *p = s->remark; *p; p++)
			if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
				*p = '?';
		return refuse(s, error, error_size, "%s: no symbols in it; it says: %s", name, s->remark);
	}
	if (!s->count)
		return refuse(s, error, error_size,
			      "%s: no symbols in it: neither an ELF, nor lines of the form 'ADDRESS T NAME'", name);
	arrange(s);
	return s;
}

struct symbols *symbols_load(const char *path, char *error, size_t error_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct symbols *s = NULL;
	struct stat st;
	void *bytes;

	if (fd < 0 || fstat(fd, &st)) {
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
	} else if (!st.st_size || !S_ISREG(st.st_mode)) {
		/* Files of /proc say that they are empty: they are copied first. */
		snprintf(error, error_size, "%s: %s", path,
			 S_ISREG(st.st_mode) ? "empty; of a file in /proc, give a copy" : "no regular file");
	} else if ((bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED) {
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
	} else {
		s = symbols_parse(path, bytes, (size_t)st.st_size, error, error_size);
		munmap(bytes, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return s;
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	free(s->list);
	free(s->names);
	free(s);
}

size_t symbols_count(const struct symbols *s)
{
	return s->count;
}

const char *symbols_find(const struct symbols *s, uint64_t address, uint64_t *offset)
{
	size_t low = 0, high = s ? s->count : 0;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->list[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address - s->list[low - 1].address >= s->list[low - 1].size)
		return NULL;
	*offset = address - s->list[low - 1].address;
	return s->names + s->list[low - 1].name;
}

void symbols_text(const struct symbols *s, uint64_t address, char *text, size_t size)
{
	uint64_t offset;
	const char *name = symbols_find(s, address, &offset);

	if (name)
		snprintf(text, size, "%s+0x%" PRIx64, name, offset);
	else
		snprintf(text, size, "%#" PRIx64, address);
}
