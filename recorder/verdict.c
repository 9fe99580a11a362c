/*
 * verdict.c: the hypervisor's log, and how a run ended.
 *
 * Called by record.c with the bytes of COM3. Lines that mean something to the recorder begin with "vexit: ".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/command.h"
#include "recorder/record.h"

#define LOG_MAX (256u << 10)
#define REPORT_LINES 60

static const struct {
	uint32_t kind;
	const char *text;
} stops[] = {
#define X(number, name, text) { number, text },
	STOP_KINDS(X)
#undef X
};
#define STOPS (sizeof(stops) / sizeof(*stops))

const char *verdict_text(uint32_t kind, uint64_t value)
{
	static char text[64];

	for (unsigned i = 0; i < STOPS; i++) {
		if (stops[i].kind != kind)
			continue;
		snprintf(text, sizeof(text), "%s %" PRIu64, stops[i].text, value);
		return text;
	}
	snprintf(text, sizeof(text), "stop %" PRIu32 " %" PRIu64, kind, value);
	return text;
}

int verdict_status(uint32_t kind, uint64_t value)
{
	switch (kind) {
	case STOP_DEBUG_EXIT: return value ? EXIT_NO : EXIT_OK;
	case STOP_POWER_OFF: return EXIT_OK;
	case STOP_PANIC:
	case STOP_HOST_ERROR: return EXIT_CANNOT;
	default: return EXIT_NO;
	}
}

static void take_line(struct verdict *v)
{
	static const char time[] = "vexit: time ";
	char kind[32];
	uint64_t value;

	v->line[v->line_size] = '\0';
	if (!strncmp(v->line, "vexit: error: ", 14)) {
		fprintf(stderr, "%s\n", v->line);
	} else if (sscanf(v->line, "vexit: input %" SCNu64, &value) == 1) {
		v->input_taken = value;
	} else if (sscanf(v->line, "vexit: verdict %31s %" SCNu64, kind, &value) == 2) {
		for (unsigned i = 0; i < STOPS; i++) {
			if (strcmp(stops[i].text, kind))
				continue;
			v->known = true;
			v->kind = stops[i].kind;
			v->value = value;
		}
	}
	if (!strncmp(v->line, time, sizeof(time) - 1))
		snprintf(v->time, sizeof(v->time), "%s", v->line + sizeof(time) - 1);
	v->line_size = 0;
}

void verdict_print_time(FILE *to, const struct verdict *v)
{
	char text[sizeof(v->time)], name[32], *rest = text, *word;
	const char *comma = "";
	uint64_t cycles;

	snprintf(text, sizeof(text), "%s", v->time);
	fputc('{', to);
	while ((word = strtok_r(rest, " ", &rest))) {
		if (sscanf(word, "%31[a-z_]=%" SCNu64, name, &cycles) != 2)
			continue;
		fprintf(to, "%s\"%s\": %" PRIu64, comma, name, cycles);
		comma = ", ";
	}
	fputc('}', to);
}

static void keep(struct verdict *v, const char *bytes, size_t size)
{
	if (v->log_size + size > v->log_cap) {
		v->log_cap = 2 * (v->log_size + size);
		v->log = realloc(v->log, v->log_cap);
		if (!v->log)
			abort();
	}
	memcpy(v->log + v->log_size, bytes, size);
	v->log_size += size;
	if (v->log_size > LOG_MAX) {
		memmove(v->log, v->log + v->log_size - LOG_MAX / 2, LOG_MAX / 2);
		v->log_size = LOG_MAX / 2;
	}
}

void verdict_feed(struct verdict *v, const char *bytes, size_t size)
{
	keep(v, bytes, size);
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\r')
			continue;
		if (bytes[i] == '\n')
			take_line(v);
		else if (v->line_size < sizeof(v->line) - 1)
			v->line[v->line_size++] = bytes[i];
	}
}

void verdict_print_report(const struct verdict *v)
{
	size_t at = v->log_size;
	unsigned lines = 0;

	while (at && (v->log[at - 1] != '\n' || lines++ < REPORT_LINES))
		at--;
	while (at < v->log_size) {
		const char *line = v->log + at, *end = memchr(line, '\n', v->log_size - at);
		size_t n = end ? (size_t)(end - line) : v->log_size - at;

		if (n && strncmp(line, "vexit: verdict ", n < 15 ? n : 15))
			fprintf(stderr, "  %.*s\n", (int)n, line);
		at += n + 1;
	}
}

void verdict_free(struct verdict *v)
{
	free(v->log);
	*v = (struct verdict){ 0 };
}
