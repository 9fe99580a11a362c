/*
 * dump_json.c: a step as one line of JSON. Called by cmd_dump.c.
 *
 * Values that can have more than 53 bits are strings in hexadecimal: most readers of JSON make floating point
 * of numbers.
 */
#include <inttypes.h>

#include "recorder/command.h"
#include "recorder/dump.h"

static void print_time(FILE *to, const char *name, uint64_t time)
{
	if (time == TIME_NONE)
		fprintf(to, ", \"%s\": null", name);
	else
		fprintf(to, ", \"%s\": %" PRIu64, name, time);
}

static void print_changed(FILE *to, const struct decoder *d, const struct vcpu *v)
{
	const char *comma = "";

	fprintf(to, ", \"changed\": {");
	for (unsigned slot = 0; slot < VMCS_SLOTS; slot++) {
		if (!slot_test(d->changed, slot))
			continue;
		fprintf(to, "%s\"%s\": \"%#" PRIx64 "\"", comma, item_name(slot), v->vmcs[slot]);
		comma = ", ";
	}
	for (unsigned reg = 0; reg < GPR_COUNT; reg++) {
		if (!(d->gpr_changed >> reg & 1))
			continue;
		fprintf(to, "%s\"%s\": \"%#" PRIx64 "\"", comma, item_name(ITEM_GPR + reg), v->gpr[reg]);
		comma = ", ";
	}
	fputc('}', to);
}

static void print_crossings(FILE *to, const struct step *s)
{
	fprintf(to, ", \"crossings\": [");
	for (unsigned i = 0; i < s->crossing_count; i++) {
		const struct crossing *c = &s->crossings[i];

		fprintf(to, "%s{\"kind\": \"%s\", \"addr\": \"%#" PRIx64 "\", \"size\": %" PRIu32,
			i ? ", " : "", crossing_name(c->kind), c->addr, c->size);
		if (c->size <= 8)
			fprintf(to, ", \"value\": \"%#" PRIx64 "\"}", c->value);
		else {
			fprintf(to, ", \"bytes\": \"");
			for (uint32_t b = 0; b < c->size; b++)
				fprintf(to, "%02x", c->bytes[b]);
			fprintf(to, "\"}");
		}
	}
	fputc(']', to);
}

static void print_effects(FILE *to, const struct step *s)
{
	fprintf(to, ", \"effects\": [");
	for (unsigned i = 0; i < s->effect_count; i++)
		fprintf(to, "%s{\"item\": \"%s\", \"before\": \"%#" PRIx64 "\", \"after\": \"%#" PRIx64 "\"}",
			i ? ", " : "", item_name(s->effects[i].code), s->effects[i].before,
			s->effects[i].after);
	fprintf(to, "], \"checks\": {");
	for (unsigned i = 0; i < s->check_count; i++)
		fprintf(to, "%s\"%s\": %u", i ? ", " : "", device_name(s->checks[i].device),
			s->checks[i].value);
	fputc('}', to);
}

static void print_symbol(FILE *to, const struct symbols *symbols, uint64_t rip)
{
	char text[SYMBOL_TEXT];
	uint64_t offset;

	if (!symbols_find(symbols, rip, &offset))
		return;
	symbols_text(symbols, rip, text, sizeof(text));
	fprintf(to, ", \"symbol\": ");
	json_string(to, text);
}

void dump_json(FILE *to, const struct decoder *d, const struct symbols *symbols)
{
	const struct step *s = &d->step;
	const struct vcpu *v = &d->cpu[s->vcpu];
	uint64_t reason = v->vmcs[VMCS_EXIT_REASON];

	fprintf(to, "{\"kind\": \"%s\", \"step\": %" PRIu64, s->kind == STEP_EXIT ? "exit" : "entry",
		s->number);
	if (s->seq == SEQ_NONE)
		fprintf(to, ", \"seq\": null");
	else
		fprintf(to, ", \"seq\": %" PRIu64, s->seq);
	fprintf(to, ", \"vcpu\": %" PRIu32 ", \"tsc\": %" PRIu64 ", \"unfinished\": %s", s->vcpu, s->tsc,
		s->unfinished ? "true" : "false");
	if (s->kind == STEP_EXIT) {
		fprintf(to,
			", \"reason\": %u, \"reason_name\": \"%s\", \"entry_failure\": %s, "
			"\"qualification\": \"%#" PRIx64 "\", \"rip\": \"%#" PRIx64 "\", \"action\": \"%s\"",
			(unsigned)(reason & EXIT_REASON_BASIC), exit_reason_name(reason & EXIT_REASON_BASIC),
			reason & EXIT_REASON_ENTRY_FAILURE ? "true" : "false",
			v->vmcs[VMCS_EXIT_QUALIFICATION], v->vmcs[VMCS_GUEST_RIP], action_name(s->action));
		print_symbol(to, symbols, v->vmcs[VMCS_GUEST_RIP]);
	} else {
		fprintf(to, ", \"result\": \"%s\"", entry_name(s->entry));
		print_time(to, "wake_at", s->wake_at);
		print_time(to, "deadline", s->deadline);
	}
	print_changed(to, d, v);
	print_crossings(to, s);
	print_effects(to, s);
	if (s->kind == STEP_EXIT) {
		fprintf(to,
			", \"tsc_entry\": %" PRIu64 ", \"handler_cycles\": %" PRIu64
			", \"tracer_cycles\": %" PRIu64 ", \"instruction\": \"",
			s->tsc_entry, s->handler_cycles, s->tracer_cycles);
		for (unsigned i = 0; i < s->insn_len; i++)
			fprintf(to, "%02x", s->insn[i]);
		fputc('"', to);
	}
	fprintf(to, "}\n");
}
