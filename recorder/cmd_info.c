/*
 * cmd_info.c: `vexit info`: what a trace says about itself, without decoding more than it must.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "recorder/command.h"
#include "recorder/options.h"
#include "recorder/record.h"
#include "recorder/trace.h"

static struct {
	uint64_t session;
	bool quiet, json;
} option;

static const struct option_row rows[] = {
	{ "session", 0, OPTION_NUMBER, &option.session, "N", "session of the file (1)", 1, 1 << 16 },
	{ "quiet", 'q', OPTION_FLAG, &option.quiet, NULL, "no progress", 0, 0 },
	{ "json", 0, OPTION_FLAG, &option.json, NULL, "as JSON", 0, 0 },
};

static const struct command command = {
	.name = "info",
	.synopsis = "T.vxt",
	.help = "What a trace holds: machine, guest, vCPUs, sizes, exits by reason, how the run ended.",
	COMMAND_ROWS(rows),
	.min_arguments = 1,
	.max_arguments = 1,
};

struct totals {
	uint64_t raw, packed, first_tsc, last_tsc;
	uint32_t vcpus;			/* that have a record */
	unsigned fields;		/* VMCS fields that the machine has */
	uint64_t exits[CLOSING_REASONS];
	bool complete;			/* exits[] counts all readable exits */
};

/* Without a closing frame for just these frames, exits by reason must be counted. */
static void count_exits(const struct trace *t, struct totals *n)
{
	struct trace_cursor *c = trace_cursor_new(t);
	const struct decoder *d = trace_cursor_decoder(c);

	n->complete = true;
	for (size_t i = 0; i < trace_frame_count(t); i++) {
		int result = trace_cursor_load(c, i) ? -1 : 1;

		progress_update(option.quiet, "frame %zu of %zu", i, trace_frame_count(t));
		while (result > 0 && (result = trace_cursor_next(c)) > 0)
			if (d->step.kind == STEP_EXIT)
				n->exits[(d->cpu[d->step.vcpu].vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC) %
					 CLOSING_REASONS]++;
		if (result < 0) {
			progress_end(option.quiet);
			command_fail(0, "%s", trace_cursor_error(c));
			n->complete = false;
		}
	}
	progress_end(option.quiet);
	trace_cursor_free(c);
}

static void add_up(const struct trace *t, struct totals *n)
{
	const struct session *s = trace_session(t);

	for (size_t i = 0; i < trace_frame_count(t); i++) {
		const struct frame_header *h = &trace_frame(t, i)->header;

		if (!i)
			n->first_tsc = h->first_tsc;
		n->last_tsc = h->last_tsc;
		n->raw += h->raw_size;
		n->packed += h->packed_size;
		n->vcpus |= h->vcpus;
	}
	for (unsigned i = 0; i < s->slot_count; i++)
		n->fields += s->slot_flags[i] >> 7;
	n->complete = trace_whole(t);
	if (n->complete)
		memcpy(n->exits, trace_closing(t)->reasons, sizeof(n->exits));
	else
		count_exits(t, n);
}

static double ratio(uint64_t bytes, uint64_t exits)
{
	return exits ? (double)bytes / (double)exits : 0;
}

static const char *level_name(const struct session *s)
{
	return s->level == TRACE_FULL ? "full" : "touched";
}

/* Text from a file may hold anything, also what a terminal would obey. */
static void print_line(const char *name, const char *text)
{
	printf("%-10s ", name);
	for (const char *p = text; *p; p++)
		putchar((unsigned char)*p < 0x20 || *p == 0x7f ? '.' : *p);
	putchar('\n');
}

static void print_text(const struct trace *t, const struct totals *n)
{
	const struct session *s = trace_session(t);
	const struct closing *c = trace_closing(t);
	uint64_t exits = trace_exit_count(t);

	printf("trace      %s: %s\n", trace_path(t), trace_whole(t) ? "whole" : c ? "DAMAGED" : "TRUNCATED");
	if (trace_session_count(t) > 1)
		printf("session    %" PRIu64 " of %zu\n", option.session ? option.session : 1,
		       trace_session_count(t));
	printf("id         %020" PRIu64 ", format %" PRIu32 ", snapshots: %s\n", s->id, s->version,
	       level_name(s));
	print_line("machine", s->machine);
	print_line("build", s->build);
	print_line("guest", s->guest);
	print_line("cmdline", s->cmdline);
	printf("vCPUs      %" PRIu32 ", each with a VMCS of %u fields (%" PRIu32 " VMCSs); that ran:",
	       s->cpu_count, n->fields, s->cpu_count);
	for (unsigned i = 0; i < s->cpu_count; i++)
		if (n->vcpus >> i & 1)
			printf(" %u", i);
	printf("\nmemory     %" PRIu64 " MiB\n", s->config.memory_size >> 20);
	printf("TSC        %" PRIu64 " kHz; recorded %.3f s of it\n", s->config.tsc_khz,
	       s->config.tsc_khz ? (double)(n->last_tsc - n->first_tsc) / (double)s->config.tsc_khz / 1000
				 : 0);
	if (s->sliced)
		printf("slice      steps %" PRIu64 "..%" PRIu64 ", exits %" PRIu64 "..%" PRIu64 "\n",
		       s->slice.first_step, s->slice.last_step, s->slice.first_seq, s->slice.last_seq);
	printf("ended      %s\n",
	       c ? verdict_text(c->stop.kind, c->stop.value) : "unknown: no closing frame");
	printf("frames     %zu\n", trace_frame_count(t));
	printf("steps      %" PRIu64 " (%" PRIu64 " exits, %" PRIu64 " entry steps)\n", trace_step_count(t),
	       exits, trace_step_count(t) - exits);
	printf("bytes      %" PRIu64 " raw, %" PRIu64 " compressed: %.1f and %.2f an exit\n", n->raw,
	       n->packed, ratio(n->raw, exits), ratio(n->packed, exits));
	printf("\n%12s  %6s  reason\n", "exits", "share");
	for (unsigned i = 0; i < CLOSING_REASONS; i++)
		if (n->exits[i])
			printf("%12" PRIu64 "  %5.1f%%  %s\n", n->exits[i],
			       100 * (double)n->exits[i] / (double)exits, exit_reason_name(i));
}

static void json_pair(const char *name, const char *text)
{
	printf(", \"%s\": ", name);
	json_string(stdout, text);
}

static void print_json(const struct trace *t, const struct totals *n)
{
	const struct session *s = trace_session(t);
	const struct closing *c = trace_closing(t);
	const char *comma = "";

	printf("{\"trace\": ");
	json_string(stdout, trace_path(t));
	printf(", \"whole\": %s, \"sessions\": %zu, \"id\": \"%020" PRIu64 "\", \"version\": %" PRIu32,
	       trace_whole(t) ? "true" : "false", trace_session_count(t), s->id, s->version);
	json_pair("level", level_name(s));
	json_pair("machine", s->machine);
	json_pair("build", s->build);
	json_pair("guest", s->guest);
	json_pair("cmdline", s->cmdline);
	json_pair("ended", c ? verdict_text(c->stop.kind, c->stop.value) : "");
	printf(", \"vcpus\": %" PRIu32 ", \"vcpus_ran\": %d, \"vmcs_fields\": %u, \"memory\": %" PRIu64
	       ", \"tsc_khz\": %" PRIu64 ", \"first_tsc\": %" PRIu64 ", \"last_tsc\": %" PRIu64,
	       s->cpu_count, __builtin_popcount(n->vcpus), n->fields, s->config.memory_size,
	       s->config.tsc_khz, n->first_tsc, n->last_tsc);
	printf(", \"frames\": %zu, \"steps\": %" PRIu64 ", \"exits\": %" PRIu64 ", \"raw_bytes\": %" PRIu64
	       ", \"packed_bytes\": %" PRIu64 ", \"damages\": %zu, \"reasons\": {",
	       trace_frame_count(t), trace_step_count(t), trace_exit_count(t), n->raw, n->packed,
	       trace_damage_count(t));
	for (unsigned i = 0; i < CLOSING_REASONS; i++) {
		if (!n->exits[i])
			continue;
		printf("%s\"%s\": %" PRIu64, comma, exit_reason_name(i), n->exits[i]);
		comma = ", ";
	}
	printf("}}\n");
}

int cmd_info(int argc, char **argv)
{
	int count = options_parse(&command, argc, argv);
	struct trace_options to = { 0 };
	struct totals n = { 0 };
	struct trace *t;
	char error[256];
	bool whole;

	if (count < 0)
		return OPTIONS_STATUS(count);
	to.session = (unsigned)option.session;
	t = trace_open(argv[1], &to, error, sizeof(error));
	if (!t)
		return command_fail(EXIT_CANNOT, "%s", error);
	add_up(t, &n);
	if (option.json)
		print_json(t, &n);
	else
		print_text(t, &n);
	trace_report_damage(t, stderr);
	whole = trace_whole(t) && n.complete;
	trace_close(t);
	return whole ? EXIT_OK : EXIT_NO;
}
