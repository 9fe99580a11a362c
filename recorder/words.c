/*
 * words.c: what an exit is about, from its snapshot: the SDM's exit qualification and the registers that the
 * instruction takes. See words.h.
 *
 * A field that the trace doesn't have (snapshots: touched) is left out, not shown as 0.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "exit/exit.h"
#include "recorder/words.h"

#define LEAVES_WITH_SUBLEAVES (1u << 4 | 1u << 7 | 1u << 0xb | 1u << 0xd)

static uint64_t register_before(const struct vcpu *v, enum gpr reg)
{
	if (reg == GPR_RSP)
		return v->vmcs[VMCS_GUEST_RSP];
	return v->gpr_dirty >> reg & 1 ? v->gpr_before[reg] : v->gpr[reg];
}

void exit_subject(char *text, size_t size, const struct vcpu *v, unsigned reason)
{
	uint32_t leaf = (uint32_t)register_before(v, GPR_RAX), count = (uint32_t)register_before(v, GPR_RCX);
	uint64_t qualification = v->vmcs[VMCS_EXIT_QUALIFICATION];

	switch (reason) {
	case REASON_CPUID:
		if (leaf < 32 && LEAVES_WITH_SUBLEAVES >> leaf & 1)
			snprintf(text, size, "leaf %#" PRIx32 ".%#" PRIx32, leaf, count);
		else
			snprintf(text, size, "leaf %#" PRIx32, leaf);
		return;
	case REASON_RDMSR:
	case REASON_WRMSR:
		snprintf(text, size, "MSR %#" PRIx32, count);
		return;
	case REASON_IO_INSTRUCTION:
		snprintf(text, size, "port %#" PRIx64, qualification >> 16 & 0xffff);
		return;
	case REASON_EPT_VIOLATION:
		snprintf(text, size, "GPA %#" PRIx64, v->vmcs[VMCS_GUEST_PHYSICAL_ADDR]);
		return;
	default:
		text[0] = '\0';
	}
}

const char *exception_name(unsigned vector)
{
	static const char *const names[] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9", "#TS", "#NP", "#SS",
		"#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
	};

	return vector < sizeof(names) / sizeof(*names) ? names[vector] : NULL;
}

/* ---- The whole ---- */

struct text {
	char *at;
	size_t size, used;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at + t->used, t->size - t->used, format, args);
	va_end(args);
	t->used += n < 0 ? 0 : (size_t)n;
	if (t->used >= t->size)
		t->used = t->size - 1;
}

static uint64_t low_bytes(uint64_t value, unsigned bytes)
{
	return bytes < 8 ? value & ((UINT64_C(1) << 8 * bytes) - 1) : value;
}

static uint64_t register_after(const struct decoder *d, enum gpr reg)
{
	return decoder_expected(d, ITEM_GPR + reg);
}

/* SDM, "Exit Qualification for I/O Instructions" */
static void add_io(struct text *t, const struct decoder *d, const struct vcpu *v, const char *subject)
{
	uint64_t q = v->vmcs[VMCS_EXIT_QUALIFICATION];
	bool in = q & 8, string = q & 16, rep = q & 32;
	unsigned bytes = (q & 7) + 1;

	add(t, " %s%s%s %s", rep ? "rep " : "", in ? "in" : "out", string ? "s" : "", subject);
	if (rep)
		add(t, ", count %#" PRIx64, register_before(v, GPR_RCX));
	if (string)
		add(t, ", %u byte%s each", bytes, bytes == 1 ? "" : "s");
	else if (!in)
		add(t, " = %#" PRIx64, low_bytes(register_before(v, GPR_RAX), bytes));
	else if (d->step.action == ACTION_RETIRE)
		add(t, ": %#" PRIx64, low_bytes(register_after(d, GPR_RAX), bytes));
}

static uint64_t pair(uint64_t high, uint64_t low)
{
	return high << 32 | (uint32_t)low;
}

/* SDM, "Exit Qualification for Control-Register Accesses" */
static void add_cr(struct text *t, const struct vcpu *v)
{
	uint64_t q = v->vmcs[VMCS_EXIT_QUALIFICATION];
	unsigned cr = q & 15, reg = q >> 8 & 15;

	switch (q >> 4 & 3) {
	case 0: add(t, " CR%u = %#" PRIx64, cr, register_before(v, (enum gpr)reg)); break;
	case 1: add(t, " read of CR%u", cr); break;
	case 2: add(t, " CLTS"); break;
	case 3: add(t, " LMSW %#" PRIx64, q >> 16 & 0xffff); break;
	}
}

/* SDM, "Exit Qualification for EPT Violations" */
static void add_ept(struct text *t, const struct vcpu *v, const char *subject)
{
	uint64_t q = v->vmcs[VMCS_EXIT_QUALIFICATION];

	add(t, " %s of %s", q & 4 ? "fetch" : q & 2 ? "write" : "read", subject);
}

static void add_event(struct text *t, const struct vcpu *v)
{
	uint64_t info = v->vmcs[VMCS_EXIT_INTR_INFO];
	unsigned vector = info & INTR_INFO_VECTOR;

	if (!slot_test(v->loaded, VMCS_EXIT_INTR_INFO) || !(info & INTR_INFO_VALID))
		return;
	if (exception_name(vector) && (info & INTR_INFO_TYPE) != INTR_TYPE_EXTERNAL)
		add(t, " %s", exception_name(vector));
	else
		add(t, " vector %#x", vector);
	if (vector == VECTOR_PF && (info & INTR_INFO_TYPE) == INTR_TYPE_HARDWARE)
		add(t, " at %#" PRIx64, v->vmcs[VMCS_EXIT_QUALIFICATION]);
}

void exit_words(char *text, size_t size, const struct decoder *d)
{
	const struct vcpu *v = &d->cpu[d->step.vcpu];
	uint64_t reason = v->vmcs[VMCS_EXIT_REASON];
	struct text t = { text, size, 0 };
	char subject[40];

	exit_subject(subject, sizeof(subject), v, reason & EXIT_REASON_BASIC);
	add(&t, "%s%s", exit_reason_name(reason & EXIT_REASON_BASIC),
	    reason & EXIT_REASON_ENTRY_FAILURE ? " (entry failure)" : "");
	switch (reason & EXIT_REASON_BASIC) {
	case REASON_CPUID:
		add(&t, " %s", subject);
		break;
	case REASON_RDMSR:
		add(&t, " %s", subject);
		if (d->step.action == ACTION_RETIRE)
			add(&t, ": %#" PRIx64, pair(register_after(d, GPR_RDX), register_after(d, GPR_RAX)));
		break;
	case REASON_WRMSR:
		add(&t, " %s = %#" PRIx64, subject, pair(register_before(v, GPR_RDX), register_before(v, GPR_RAX)));
		break;
	case REASON_XSETBV:
		add(&t, " XCR%" PRIu32 " = %#" PRIx64, (uint32_t)register_before(v, GPR_RCX),
		    pair(register_before(v, GPR_RDX), register_before(v, GPR_RAX)));
		break;
	case REASON_IO_INSTRUCTION:
		add_io(&t, d, v, subject);
		break;
	case REASON_CR_ACCESS:
		add_cr(&t, v);
		break;
	case REASON_EPT_VIOLATION:
		add_ept(&t, v, subject);
		break;
	case REASON_EXCEPTION_OR_NMI:
	case REASON_EXTERNAL_INTERRUPT:
		add_event(&t, v);
		break;
	case REASON_VMCALL:
		add(&t, " number %#" PRIx64, register_before(v, GPR_RAX));
		break;
	}
}
