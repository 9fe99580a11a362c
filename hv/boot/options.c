/*
 * options.c: parses the command line that the boot loader hands over (recorder: `multiboot2 /boot/vexit.elf
 * …`).
 *
 * Called once by boot_main(). A word that isn't understood is an error, never ignored: a misspelt option
 * would otherwise give a recording of something else.
 */
#include <stddef.h>

#include "boot/log.h"
#include "boot/options.h"
#include "include/vm.h"
#include "lib/string.h"

#define WORD_MAX 64

static const struct {
	const char *prefix;
	size_t offset;
	uint64_t min, max;
} numbers[] = {
	{ "session=", offsetof(struct options, session), 0, UINT64_MAX },
	{ "vcpus=", offsetof(struct options, vcpus), 1, VM_MAX_CPUS },
	{ "mem=", offsetof(struct options, memory_mib), 2, 3072 },	/* below the MMIO of platform.h */
	{ "zstd=", offsetof(struct options, zstd), 0, 9 },
	{ "tsc_khz=", offsetof(struct options, tsc_khz), 1000, 10000000 },
	{ "rtc=", offsetof(struct options, rtc), 1, UINT32_MAX },
};

static const struct {
	const char *word;
	size_t offset;
} flags[] = {
	{ "check-snapshot", offsetof(struct options, check_snapshot) },
	{ "console-input", offsetof(struct options, console_input) },
	{ "host-random", offsetof(struct options, host_random) },
	{ "hide-tracing-time", offsetof(struct options, hide_tracing_time) },
};

static const struct {
	const char *word;
	enum trace_level level;
} levels[] = {
	{ "trace=full", TRACE_FULL },
	{ "trace=touched", TRACE_TOUCHED },
	{ "trace=off", TRACE_OFF },
};

static bool parse_number(const char *word, struct options *o)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		const char *text = string_after(word, numbers[i].prefix);
		uint64_t value;

		if (!text)
			continue;
		if (!string_decimal(text, string_length(text, WORD_MAX), &value) || value < numbers[i].min ||
		    value > numbers[i].max)
			log_host_error("option '%s': expected a number from %lu to %lu", word,
				       numbers[i].min, numbers[i].max);
		*(uint64_t *)((char *)o + numbers[i].offset) = value;
		return true;
	}
	return false;
}

static bool parse_word(const char *word, struct options *o)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		if (string_equal(word, flags[i].word)) {
			*(bool *)((char *)o + flags[i].offset) = true;
			return true;
		}
	}
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		if (string_equal(word, levels[i].word)) {
			o->trace = levels[i].level;
			return true;
		}
	}
	return parse_number(word, o);
}

void options_parse(const char *command_line, struct options *o)
{
	const char *p = command_line;

	*o = (struct options){ .vcpus = 1, .memory_mib = 256, .tsc_khz = 400000, .trace = TRACE_FULL };
	for (;;) {
		char word[WORD_MAX];
		size_t n = 0;

		while (*p == ' ')
			p++;
		if (!*p)
			break;
		for (; *p && *p != ' '; p++)
			if (n < WORD_MAX - 1)
				word[n++] = *p;
		word[n] = '\0';
		if (n == WORD_MAX - 1 || !parse_word(word, o))
			log_host_error("unknown option '%s'", word);
	}
	if (o->memory_mib % 2)
		log_host_error("option 'mem=%lu': guest memory comes in units of 2 MiB",
			       o->memory_mib);
}
