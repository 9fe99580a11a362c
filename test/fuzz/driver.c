/*
 * driver.c: runs a fuzz target without a fuzz engine: its own seeds, the files of a corpus, and mutations of both.
 *
 *	fuzz_NAME [-n MUTATIONS] [-s SEED] [FILE|DIR]...
 *	fuzz_NAME --write DIR			write the target's own seeds there
 *
 * The same arguments give the same inputs. The input at hand is written to fuzz_NAME.crash when the target dies, and a file
 * given on the command line is run as it is, so that `fuzz_NAME -n 0 fuzz_NAME.crash` shows the fault again.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "support/random.h"

#define INPUTS_MAX 4096
#define INPUT_MAX (2u << 20)

struct input {
	uint8_t *bytes;
	size_t size;
};

static struct input inputs[INPUTS_MAX];
static unsigned input_count;
static struct input at_hand;
static char crash_path[4096];

static void write_file(const char *path, const struct input *in)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, in->bytes, in->size) != (ssize_t)in->size)
		return;
	close(fd);
}

static void on_abort(int signal)
{
	write_file(crash_path, &at_hand);
	_exit(128 + signal);
}

/* Called by the sanitizers before they end the process. */
static void on_death(void)
{
	write_file(crash_path, &at_hand);
}

static void run(const struct input *in)
{
	at_hand = *in;
	LLVMFuzzerTestOneInput(in->bytes, in->size);
}

static void add(uint8_t *bytes, size_t size)
{
	if (input_count == INPUTS_MAX || size > INPUT_MAX / 2) {
		free(bytes);
		return;
	}
	inputs[input_count++] = (struct input){ bytes, size };
}

static void add_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = malloc(INPUT_MAX);

	if (!f || !bytes) {
		perror(path);
		exit(2);
	}
	add(bytes, fread(bytes, 1, INPUT_MAX, f));
	fclose(f);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void add_path(const char *path)
{
	struct dirent **entry;
	struct stat st;
	int n;

	if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
		add_file(path);
		return;
	}
	n = scandir(path, &entry, NULL, by_name);
	for (int i = 0; i < n; i++) {
		char name[4096];

		if (entry[i]->d_name[0] != '.') {
			snprintf(name, sizeof(name), "%s/%s", path, entry[i]->d_name);
			add_file(name);
		}
		free(entry[i]);
	}
	free(entry);
}

static void put(struct input *in, size_t at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size && at + i < in->size; i++)
		in->bytes[at + i] = (uint8_t)(value >> 8 * i);
}

/* Room for, or without, `n` bytes at `at`. */
static void shift(struct input *in, size_t at, size_t n, int grow)
{
	if (grow && in->size + n <= INPUT_MAX) {
		memmove(in->bytes + at + n, in->bytes + at, in->size - at);
		for (size_t i = 0; i < n; i++)
			in->bytes[at + i] = (uint8_t)random_below(256);
		in->size += n;
	} else if (!grow && at + n <= in->size) {
		memmove(in->bytes + at, in->bytes + at + n, in->size - at - n);
		in->size -= n;
	}
}

static void cross(struct input *in, size_t at)
{
	const struct input *other = &inputs[random_below(input_count)];
	size_t from, n;

	if (!other->size)
		return;
	from = random_below(other->size);
	n = 1 + random_below(other->size - from);
	n = n < in->size - at ? n : in->size - at;
	memcpy(in->bytes + at, other->bytes + from, n);
}

static void mutate_once(struct input *in)
{
	static const uint64_t values[] = { 0, 1, 2, 127, 128, 255, 256, 4096, 65535, 1u << 20, INT32_MAX, UINT32_MAX, INT64_MAX,
					   UINT64_MAX, 0x184d2a5b, 0xfd2fb528 };
	/* Half of all near the start, where the sizes and counts are. */
	size_t at = random_below(random_below(2) && in->size > 64 ? 64 : in->size);

	switch (random_below(8)) {
	case 0: in->bytes[at] ^= (uint8_t)(1 << random_below(8)); break;
	case 1: in->bytes[at] = (uint8_t)random_below(256); break;
	case 2: in->bytes[at] = (uint8_t)(0xff << random_below(8)); break;
	case 3: put(in, at, values[random_below(16)], (size_t)1 << random_below(4)); break;
	case 4: put(in, at, UINT64_MAX, 1 + random_below(8)); break;
	case 5: shift(in, at, 1 + random_below(random_below(2) ? 8 : 300), random_below(2)); break;
	case 6: cross(in, at); break;
	case 7: in->size = random_below(4) ? in->size : at + 1; break;
	}
}

static void mutations(unsigned long count)
{
	struct input in = { .bytes = malloc(INPUT_MAX) };

	for (unsigned long i = 0; i < count; i++) {
		const struct input *seed = &inputs[random_below(input_count)];
		unsigned n = 1 + (unsigned)random_below(6);

		memcpy(in.bytes, seed->bytes, seed->size);
		in.size = seed->size;
		while (n-- && in.size)
			mutate_once(&in);
		/* In memory of its own size, so that one byte too far is noticed. */
		struct input exact = { .bytes = malloc(in.size ? in.size : 1), .size = in.size };

		memcpy(exact.bytes, in.bytes, in.size);
		run(&exact);
		free(exact.bytes);
	}
	free(in.bytes);
}

static int write_seeds(const char *dir)
{
	for (unsigned i = 0; i < input_count; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/seed%u", dir, i);
		write_file(path, &inputs[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long count = 2000;
	const char *name = strrchr(argv[0], '/');
	uint64_t seed = 1;
	size_t size;
	uint8_t *bytes;

	snprintf(crash_path, sizeof(crash_path), "%s.crash", name ? name + 1 : argv[0]);
	signal(SIGABRT, on_abort);
	__sanitizer_set_death_callback(on_death);
	for (unsigned i = 0; (bytes = fuzz_seed(i, &size)); i++)
		add(bytes, size);
	if (argc == 3 && !strcmp(argv[1], "--write"))
		return write_seeds(argv[2]);
	for (int c; (c = getopt(argc, argv, "n:s:")) != -1;) {
		if (c == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
		add_path(argv[i]);
	random_seed(seed * UINT64_C(0x9e3779b97f4a7c15) | 1);
	for (unsigned i = 0; i < input_count; i++)
		run(&inputs[i]);
	if (input_count)
		mutations(count);
	printf("%s: %u inputs, %lu mutations\n", name ? name + 1 : argv[0], input_count, input_count ? count : 0);
	for (unsigned i = 0; i < input_count; i++)
		free(inputs[i].bytes);
	return 0;
}
