/*
 * report.c: keeps divergences and prints them, for a person or as JSON.
 *
 * Filled by frame.c and compare.c on the threads, merged and printed by command.c in the order of frames.
 * What is printed depends on trace and handlers alone: no times, no thread numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "recorder/command.h"
#include "replay/replay.h"

const char *const divergence_kind_names[DIVERGE_KINDS] = {
	[DIVERGE_ACTION] = "action",
	[DIVERGE_TIME] = "time",
	[DIVERGE_VMCS] = "vmcs",
	[DIVERGE_GPR] = "gpr",
	[DIVERGE_CROSSING] = "crossing",
	[DIVERGE_QUESTION] = "question",
	[DIVERGE_DEVICE] = "device",
	[DIVERGE_HANDLER] = "handler",
	[DIVERGE_KEYFRAME] = "keyframe",
};

static struct divergence *append(struct report *r)
{
	struct divergence *list;
	size_t capacity = r->capacity ? 2 * r->capacity : REPORT_LIMIT;

	if (r->count == r->capacity) {
		list = realloc(r->list, capacity * sizeof(*list));
		if (!list)
			return NULL;	/* counted, not shown */
		r->list = list;
		r->capacity = capacity;
	}
	return &r->list[r->count++];
}

struct divergence *report_add(struct report *r, enum divergence_kind kind, bool after_first)
{
	struct divergence *d;

	if (after_first)
		r->after_first++;
	else
		r->first++;
	if (r->kept[after_first] >= r->limit)
		return NULL;
	d = append(r);
	if (!d)
		return NULL;
	r->kept[after_first]++;
	memset(d, 0, sizeof(*d));
	d->kind = kind;
	d->after_first = after_first;
	return d;
}

void report_clear(struct report *r)
{
	r->first = r->after_first = 0;
	r->kept[0] = r->kept[1] = 0;
	r->count = 0;
}

void report_free(struct report *r)
{
	free(r->list);
	r->list = NULL;
}

void report_merge(struct summary *s, struct report *from)
{
	struct report *to = &s->shown;

	s->divergences += from->first;
	s->after_first += from->after_first;
	for (size_t i = 0; i < from->count; i++) {
		struct divergence *d, *source = &from->list[i];

		if (to->kept[source->after_first] >= to->limit || !(d = append(to)))
			continue;
		to->kept[source->after_first]++;
		*d = *source;
	}
}

/* ---- For a person ---- */

static bool same_place(const struct divergence *a, const struct divergence *b)
{
	if (a->kind == DIVERGE_KEYFRAME || b->kind == DIVERGE_KEYFRAME)
		return a->kind == b->kind && a->frame == b->frame;
	return a->step == b->step;
}

static void print_list(FILE *to, const struct report *r, bool after_first)
{
	const struct divergence *last = NULL;
	char place[256];

	for (size_t i = 0; i < r->count; i++) {
		const struct divergence *d = &r->list[i];

		if (d->after_first != after_first)
			continue;
		if (!last || !same_place(last, d)) {
			explain_place(place, sizeof(place), d);
			fprintf(to, "%s\n", place);
		}
		if (strlen(d->expected) + strlen(d->got) < 60)
			fprintf(to, "    %-28s expected %s, got %s\n", d->name, d->expected, d->got);
		else
			fprintf(to, "    %-28s expected %s\n    %-28s      got %s\n", d->name, d->expected,
				"", d->got);
		last = d;
	}
}

static void print_more(FILE *to, uint64_t found, size_t shown)
{
	if (found > shown)
		fprintf(to, "    … and %lu more (--all shows them)\n", (unsigned long)(found - shown));
}

void report_print(FILE *to, const struct summary *s)
{
	print_list(to, &s->shown, false);
	print_more(to, s->divergences, s->shown.kept[false]);
	if (s->after_first) {
		fprintf(to, "After a device's first mismatch in its frame (maybe its consequences):\n");
		print_list(to, &s->shown, true);
		print_more(to, s->after_first, s->shown.kept[true]);
	}
	if (s->unfinished)
		fprintf(to, "unfinished: %lu step%s not compared: the hypervisor died in it\n",
			(unsigned long)s->unfinished,
		       s->unfinished == 1 ? "" : "s");
	if (s->unselected)
		fprintf(to, "%lu steps of the same frames run, but not selected\n",
			(unsigned long)s->unselected);
	fprintf(to, "%lu exits and %lu entry steps compared, %lu skipped, %lu divergences",
		(unsigned long)s->exits,
	       (unsigned long)s->entries, (unsigned long)s->skipped, (unsigned long)s->divergences);
	if (s->after_first)
		fprintf(to, ", %lu after the first", (unsigned long)s->after_first);
	fprintf(to, "\n");
}

/* ---- JSON ---- */

static void print_json_divergence(FILE *to, const struct divergence *d)
{
	char insn[96];

	fprintf(to, "    {\"kind\": \"%s\", \"after_first\": %s, ", divergence_kind_names[d->kind],
	       d->after_first ? "true" : "false");
	if (d->kind == DIVERGE_KEYFRAME) {
		fprintf(to, "\"frame\": %lu, \"step\": %lu, ", (unsigned long)d->frame,
			(unsigned long)d->step);
	} else {
		fprintf(to, "\"step\": %lu, \"step_kind\": \"%s\", ", (unsigned long)d->step,
			d->is_entry ? "entry" : "exit");
		if (d->seq != SEQ_NONE)
			fprintf(to, "\"seq\": %lu, ", (unsigned long)d->seq);
		fprintf(to, "\"vcpu\": %u, ", d->vcpu);
		if (d->reason != REASON_NONE)
			fprintf(to, "\"reason\": \"%s\", ", exit_reason_name(d->reason));
		fprintf(to, "\"rip\": \"%#lx\", ", (unsigned long)d->rip);
		if (d->subject[0])
			fprintf(to, "\"subject\": \"%s\", ", d->subject);
		explain_instruction(insn, sizeof(insn), d->bits, d->rip, d->insn, d->insn_len);
		if (insn[0]) {
			fprintf(to, "\"instruction\": ");
			json_string(to, insn);
			fprintf(to, ", ");
		}
	}
	fprintf(to, "\"name\": ");
	json_string(to, d->name);
	fprintf(to, ", \"expected\": ");
	json_string(to, d->expected);
	fprintf(to, ", \"got\": ");
	json_string(to, d->got);
	fprintf(to, "}");
}

void report_print_json(FILE *to, const struct summary *s, const char *path)
{
	fprintf(to, "{\n  \"trace\": ");
	json_string(to, path);
	fprintf(to, ",\n  \"exits\": %lu,\n  \"entries\": %lu,\n  \"skipped\": %lu,\n  \"unfinished\": %lu,\n"
	       "  \"unselected\": %lu,\n  \"divergences\": %lu,\n  \"after_first\": %lu,\n"
	       "  \"damages\": %lu,\n  \"truncated\": %s,\n  \"list\": [",
	       (unsigned long)s->exits, (unsigned long)s->entries, (unsigned long)s->skipped,
	       (unsigned long)s->unfinished, (unsigned long)s->unselected, (unsigned long)s->divergences,
	       (unsigned long)s->after_first, (unsigned long)s->damages, s->truncated ? "true" : "false");
	for (size_t i = 0; i < s->shown.count; i++) {
		fprintf(to, i ? ",\n" : "\n");
		print_json_divergence(to, &s->shown.list[i]);
	}
	fprintf(to, s->shown.count ? "\n  ]\n}\n" : "]\n}\n");
}
