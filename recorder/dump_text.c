/*
 * dump_text.c: a step for a person to read, and the names that both outputs share. Called by cmd_dump.c.
 */
#include <ctype.h>
#include <inttypes.h>

#include "recorder/dump.h"
#include "recorder/words.h"

static const char *const gpr_names[GPR_COUNT] = {
	"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8",
	"R9",  "R10", "R11", "R12", "R13", "R14", "R15", "CR2",
};

const char *item_name(unsigned code)
{
	if (code < VMCS_SLOTS)
		return vmcs_fields[code].name;
	if (code >= ITEM_GPR && code < ITEM_GPR + GPR_COUNT)
		return gpr_names[code - ITEM_GPR];
	return "?";
}

const char *crossing_name(unsigned kind)
{
	static const char *const names[CROSSING_KIND_COUNT] = {
#define X(number, name) [number] = #name,
		CROSSING_KINDS(X)
#undef X
	};

	return kind < CROSSING_KIND_COUNT ? names[kind] : "?";
}

const char *device_name(unsigned device)
{
	static const char *const names[VM_DEVICE_COUNT] = {
		"cpu0", "cpu1", "cpu2", "cpu3", "cpu4", "cpu5", "cpu6", "cpu7",
		[VM_DEVICE_VM] = "vm",
#define X(number, name, member) [number] = #member,
		VM_DEVICES(X)
#undef X
	};

	return device < VM_DEVICE_COUNT && names[device] ? names[device] : "?";
}

const char *action_name(enum exit_action action)
{
	static const char *const names[] = { "RESUME", "RETIRE", "INJECT", "STOP" };

	return (unsigned)action < 4 ? names[action] : "?";
}

const char *entry_name(enum entry_result entry)
{
	static const char *const names[] = { "ENTER", "WAIT", "STOP" };

	return (unsigned)entry < 3 ? names[entry] : "?";
}

static void print_time(FILE *to, const char *name, uint64_t time)
{
	if (time == TIME_NONE)
		fprintf(to, "  %s never", name);
	else
		fprintf(to, "  %s %" PRIu64, name, time);
}

static void print_changed(FILE *to, const struct decoder *d, const struct vcpu *v)
{
	for (unsigned slot = 0; slot < VMCS_SLOTS; slot++)
		if (slot_test(d->changed, slot))
			fprintf(to, "    = %-28s %#" PRIx64 "\n", item_name(slot), v->vmcs[slot]);
	for (unsigned reg = 0; reg < GPR_COUNT; reg++)
		if (d->gpr_changed >> reg & 1)
			fprintf(to, "    = %-28s %#" PRIx64 "\n", item_name(ITEM_GPR + reg), v->gpr[reg]);
}

static void print_bytes(FILE *to, const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size && i < 64; i++)
		fprintf(to, "%s%02x", i ? " " : "", bytes[i]);
	fprintf(to, "%s  \"", size > 64 ? " …" : "");
	for (uint32_t i = 0; i < size && i < 64; i++)
		fputc(isprint(bytes[i]) ? bytes[i] : '.', to);
	fputc('"', to);
}

static void print_crossings(FILE *to, const struct step *s)
{
	for (unsigned i = 0; i < s->crossing_count; i++) {
		const struct crossing *c = &s->crossings[i];

		fprintf(to, "    ~ %-14s addr %#" PRIx64, crossing_name(c->kind), c->addr);
		if (c->kind == CROSSING_MEM_READ || c->kind == CROSSING_MEM_WRITE ||
		    c->kind == CROSSING_CONSOLE_OUT) {
			fprintf(to, "  %" PRIu32 " bytes: ", c->size);
			print_bytes(to, c->bytes, c->size);
		} else {
			fprintf(to, "  size %" PRIu32 "  value %#" PRIx64, c->size, c->value);
		}
		fputc('\n', to);
	}
}

static void print_result(FILE *to, const struct step *s)
{
	for (unsigned i = 0; i < s->effect_count; i++)
		fprintf(to, "    > %-28s %#" PRIx64 " -> %#" PRIx64 "\n", item_name(s->effects[i].code),
			s->effects[i].before, s->effects[i].after);
	for (unsigned i = 0; i < s->check_count; i++)
		fprintf(to, "    # %s changed, check byte %02x\n", device_name(s->checks[i].device),
			s->checks[i].value);
}

static void print_notes(FILE *to, const struct step *s)
{
	if (s->tsc_entry)
		fprintf(to, "    entered at %" PRIu64 ": %" PRIu64 " cycles in the guest", s->tsc_entry,
			s->tsc - s->tsc_entry);
	if (s->tsc_entry || s->handler_cycles || s->tracer_cycles)
		fprintf(to, "%shandler %" PRIu64 ", tracer %" PRIu64 "\n", s->tsc_entry ? ", " : "    ",
			s->handler_cycles, s->tracer_cycles);
	if (!s->insn_len)
		return;
	fprintf(to, "    instruction");
	for (unsigned i = 0; i < s->insn_len; i++)
		fprintf(to, " %02x", s->insn[i]);
	fputc('\n', to);
}

static void print_exit(FILE *to, const struct decoder *d, const struct vcpu *v, const struct symbols *symbols)
{
	const struct step *s = &d->step;
	uint64_t rip = v->vmcs[VMCS_GUEST_RIP], offset;
	const char *name = symbols_find(symbols, rip, &offset);
	char words[160];

	exit_words(words, sizeof(words), d);
	fprintf(to, "exit %" PRIu64 "  step %" PRIu64 "  vcpu %" PRIu32 "  tsc %" PRIu64 "  %s", s->seq, s->number,
		s->vcpu, s->tsc, words);
	fprintf(to, "  qualification %#" PRIx64 "  rip %#" PRIx64, v->vmcs[VMCS_EXIT_QUALIFICATION], rip);
	if (name)
		fprintf(to, " %s+0x%" PRIx64, name, offset);
	fprintf(to, "  %s\n", s->unfinished ? "UNFINISHED" : action_name(s->action));
}

void dump_text(FILE *to, const struct decoder *d, const struct symbols *symbols)
{
	const struct step *s = &d->step;
	const struct vcpu *v = &d->cpu[s->vcpu];

	if (s->kind == STEP_EXIT) {
		print_exit(to, d, v, symbols);
	} else {
		fprintf(to, "entry  step %" PRIu64 "  vcpu %" PRIu32 "  tsc %" PRIu64 "  %s", s->number,
			s->vcpu, s->tsc, s->unfinished ? "UNFINISHED" : entry_name(s->entry));
		print_time(to, "wake at", s->wake_at);
		print_time(to, "deadline", s->deadline);
		fputc('\n', to);
	}
	print_changed(to, d, v);
	print_crossings(to, s);
	print_result(to, s);
	if (s->kind == STEP_EXIT)
		print_notes(to, s);
}
