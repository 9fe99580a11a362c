/*
 * record_report.c: what is told when a recording has ended: why, how the guest ended, what it was doing,
 * what is in the trace; and the status that follows. Called by cmd_record.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/record.h"

static void print_json(const struct recording *r, int status)
{
	const struct writer_state *s = writer_state(r->writer);

	printf("{\"trace\": ");
	json_string(stdout, r->path ? r->path : "");
	printf(", \"verdict\": ");
	json_string(stdout, r->verdict.known ? verdict_text(r->verdict.kind, r->verdict.value) : "");
	printf(", \"status\": %d, \"closed\": %s, \"exits\": %" PRIu64 ", \"steps\": %" PRIu64
	       ", \"boots\": %" PRIu64 ", \"frames\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"console_bytes\": %" PRIu64
	       ", \"wire_bytes\": %" PRIu64 ", \"seconds\": %.2f, \"cycles\": ",
	       status, s->closed ? "true" : "false", s->exits, s->steps, r->boots, s->frames,
	       s->written, r->console_bytes, s->received, r->seconds);
	verdict_print_time(stdout, &r->verdict);
	printf("}\n");
}

/* Why the recording was ended, if not by the guest. */
static int report_end(const struct recording *r)
{
	if (r->killed && r->end != RECORD_WRITE_FAILED)
		command_fail(0,
			     record_interrupts() > 1
				     ? "killed; the trace is truncated"
				     : "the hypervisor did not stop in 20 s: killed; the trace is truncated");
	switch (r->end) {
	case RECORD_ENDED:
		break;
	case RECORD_BOOTS:
		return command_fail(EXIT_NO, "%" PRIu64 " boots are all that a trace can hold", r->boots);
	case RECORD_NO_BOOT:
		return command_fail(EXIT_CANNOT, "the machine can't be started again");
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

/* Whether it is worth telling what the guest did last: it didn't end as it meant to. */
static bool ended_badly(const struct recording *r)
{
	if (r->end == RECORD_WRITE_FAILED || r->end == RECORD_NO_BOOT)
		return false;
	if (r->end != RECORD_ENDED || !r->verdict.known)
		return true;
	switch (r->verdict.kind) {
	case STOP_TRIPLE_FAULT:
	case STOP_UNHANDLED:
	case STOP_ENTRY_FAILURE:
	case STOP_DEADLOCK:
	case STOP_PANIC:
		return true;
	default:
		return false;
	}
}

static void summarise(const struct recording *r)
{
	const struct writer_state *s = writer_state(r->writer);

	fprintf(stderr, "vexit: %s: ", r->path);
	if (r->boots > 1)
		fprintf(stderr, "%" PRIu64 " boots, ", r->boots);
	fprintf(stderr, "%" PRIu64 " exits in %" PRIu64 " frames, %.1f KiB, %.1f s\n", s->exits, s->frames,
		(double)s->written / 1024, r->seconds);
}

static int report(const struct recording *r)
{
	const struct writer_state *s = writer_state(r->writer);
	const struct verdict *v = &r->verdict;
	int status;

	if (r->console_midline && r->console == STDOUT_FILENO && isatty(STDOUT_FILENO))
		fputc('\n', stderr);
	if (v->known && (v->kind == STOP_PANIC || v->kind == STOP_UNHANDLED || v->kind == STOP_ENTRY_FAILURE))
		verdict_print_report(v);
	status = report_end(r);
	if (v->known && (!r->quiet || status) && v->kind != STOP_STOPPED)
		fprintf(stderr, "vexit: guest ended: %s\n", verdict_text(v->kind, v->value));
	if (!r->quiet && ended_badly(r))
		record_tell_last(r);
	if (s->damages)
		command_fail(
			0,
			"%" PRIu64
			" bytes of the stream were no whole frame and are left out, first at stream byte %s",
			s->lost_bytes, s->first_damage);
	if (!r->path || (!s->written && status))
		return status;
	if (!s->closed)
		command_fail(0, "%s: truncated: no closing frame came; 'vexit verify' says what is there",
			     r->path);
	if (!s->closed || s->damages)
		status = status ? status : EXIT_NO;
	if (!r->quiet)
		summarise(r);
	return status;
}

int record_report(const struct recording *r, bool json)
{
	int status = report(r);

	if (json)
		print_json(r, status);
	return status;
}

