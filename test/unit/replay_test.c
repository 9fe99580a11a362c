/*
 * replay_test.c: replay of a recording made on the host by small handlers. The same handlers replay clean;
 * with one deliberate bug each, the divergence is found, at the exit, by the name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "replay/replay.h"
#include "support/recording.h"

#define CPUS		2
#define FRAMES		4
#define EXITS		240		/* in all */
#define LOOP_SEQ	100		/* the exit that loops, by its RAX */
#define BUFFER		0x4000		/* GPA */

enum bug {
	BUG_NONE, BUG_GPR_WRONG, BUG_GPR_MISSING, BUG_GPR_EXTRA, BUG_RIP, BUG_VMCS_EXTRA, BUG_ACTION,
	BUG_OUT_MISSING, BUG_OUT_EXTRA, BUG_OUT_VALUE, BUG_OUT_BYTES, BUG_OUT_ORDER, BUG_MEMORY_UNKNOWN,
	BUG_MEMORY_UNASKED, BUG_MSR_UNASKED, BUG_MSR_UNKNOWN, BUG_MSR_OTHER, BUG_DEVICE_VALUE,
	BUG_DEVICE_UNMARKED, BUG_DEVICE_EXTRA, BUG_DEVICE_SILENT, BUG_CRASH, BUG_LOOP, BUG_WORLD_LOOP,
	BUG_DEADLINE, BUG_RESULT, BUG_EVENT, BUG_INPUT_UNASKED,
};
static enum bug bug;
static volatile uintptr_t nowhere = 16;

/* ---- The handlers ---- */

static enum exit_action retire(struct vcpu *v)
{
	uint64_t blocking = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);

	if (bug != BUG_RIP)
		vmcs_write(v, VMCS_GUEST_RIP, vmcs_read(v, VMCS_GUEST_RIP) +
			   vmcs_read(v, VMCS_EXIT_INSTRUCTION_LEN));
	vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, blocking & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS));
	return bug == BUG_ACTION ? ACTION_RESUME : ACTION_RETIRE;
}

static enum exit_action handle_cpuid(struct vcpu *v)
{
	gpr_write(v, GPR_RAX, gpr_read(v, GPR_RAX) * 7 + (bug == BUG_GPR_WRONG));
	if (bug != BUG_GPR_MISSING)
		gpr_write(v, GPR_RBX, 0x1234 ^ gpr_read(v, GPR_RCX));
	gpr_write(v, GPR_RCX, gpr_read(v, GPR_RCX));	/* no effect */
	if (bug == BUG_GPR_EXTRA)
		gpr_write(v, GPR_RDX, gpr_read(v, GPR_RDX) + 1);
	if (bug == BUG_VMCS_EXTRA)
		vmcs_write(v, VMCS_GUEST_CR3, 0x5000);
	if (bug == BUG_CRASH)
		*(volatile int *)nowhere = 1;
	return retire(v);
}

/* Reads memory in odd pieces and over its own writes. */
static enum exit_action handle_vmcall(struct vcpu *v, struct vm *vm, struct world *w)
{
	char text[64], patch[4] = "abcd", more[16];

	w->ops->mem_read(w, BUFFER + 8, text + 8, 24);
	w->ops->mem_read(w, BUFFER, text, 16);
	w->ops->mem_read(w, BUFFER + 0x200, more, bug == BUG_MEMORY_UNASKED ? 7 : 16);
	w->ops->mem_write(w, BUFFER + 4, patch, sizeof(patch));
	w->ops->mem_read(w, BUFFER, text, 32);
	if (bug == BUG_MEMORY_UNKNOWN)
		w->ops->mem_read(w, BUFFER + 30, more, 4);
	text[31] = (char)(text[31] + (bug == BUG_OUT_BYTES));
	w->ops->console_out(w, text, 32);
	vm->absent_io += 1 + (bug == BUG_DEVICE_VALUE);
	if (bug != BUG_DEVICE_UNMARKED)
		vm_touch(vm, VM_DEVICE_VM);
	if (bug == BUG_DEVICE_EXTRA)
		vm_touch_cpu(vm, 1);
	if (bug == BUG_DEVICE_SILENT)
		vm->cpu[1].apic_base = 0xfee00000;
	return retire(v);
}

static enum exit_action handle_wrmsr(struct vcpu *v, struct world *w)
{
	uint64_t value = gpr_read(v, GPR_RAX);

	if (bug == BUG_OUT_ORDER)
		w->ops->invvpid(w, INVVPID_CONTEXT, 0);
	w->ops->msr_write(w, 0x10, value + (bug == BUG_OUT_VALUE));
	if (bug != BUG_OUT_MISSING && bug != BUG_OUT_ORDER)
		w->ops->invvpid(w, INVVPID_CONTEXT, 0);
	if (bug == BUG_OUT_EXTRA)
		w->ops->kick(w, 1);
	w->ops->mem_cmpxchg(w, BUFFER + 0x100, 8, 0, value);
	w->ops->mem_read(w, BUFFER + 0x100, &value, 8);
	gpr_write(v, GPR_RDX, value);
	return retire(v);
}

static enum exit_action handle_rdmsr(struct vcpu *v, struct world *w)
{
	uint64_t value = 0;

	if (bug == BUG_WORLD_LOOP)
		for (;;)
			w->ops->kick(w, 0);
	if (bug != BUG_MSR_UNASKED)
		value = w->ops->msr_read(w, bug == BUG_MSR_OTHER ? 0x12 : 0x11);
	if (bug == BUG_MSR_UNKNOWN)
		value += w->ops->msr_read(w, 0x11);
	gpr_write(v, GPR_RAX, value + w->ops->dr_read(w, 6));
	return retire(v);
}

static enum exit_action toy_exit(struct vcpu *v, struct vm *vm, struct world *w)
{
	volatile bool forever = bug == BUG_LOOP && v->gpr[GPR_RAX] == LOOP_SEQ;

	while (forever)
		;
	switch (vmcs_read(v, VMCS_EXIT_REASON)) {
	case 10: return handle_cpuid(v);
	case 18: return handle_vmcall(v, vm, w);
	case 32: return handle_wrmsr(v, w);
	case 31: return handle_rdmsr(v, w);
	default:
		vm->uart.scratch++;
		vm_touch(vm, VM_DEVICE_UART);
		return ACTION_RESUME;
	}
}

static enum entry_result toy_entry(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t slice = w->ops->slice_end(w);
	int byte = bug == BUG_INPUT_UNASKED ? -1 : w->ops->console_in(w);

	(void)slice;
	if (byte >= 0) {
		vm->uart.rx[0] = (uint8_t)byte;
		vm_touch(vm, VM_DEVICE_UART);
		vmcs_write(v, VMCS_ENTRY_INTR_INFO, INTR_INFO_VALID | (bug == BUG_EVENT ? 0x31 : 0x30));
	}
	v->deadline = v->tsc + 1000 + (bug == BUG_DEADLINE);
	vmcs_write(v, VMCS_PREEMPTION_TIMER_VALUE, vm_preemption_timer(&vm->config, v->deadline, v->tsc));
	return v->entry = bug == BUG_RESULT ? ENTRY_WAIT : ENTRY_ENTER;
}

static const struct replay_core toys = { toy_exit, toy_entry };
static const struct recording_core recorded = { toy_exit, toy_entry };

/* ---- The recording ---- */

static uint8_t *bytes;
static size_t size;

static void make_exit(struct recording *r, unsigned n)
{
	static const unsigned reasons[] = { 10, 18, 32, 31, 48, 10 };
	unsigned reason = reasons[n % 6], cpu = n / 6 % CPUS;

	recording_load(r, VMCS_EXIT_REASON, reason);
	recording_load(r, VMCS_GUEST_RIP, 0x1000 + 16 * reason);
	recording_load(r, VMCS_EXIT_INSTRUCTION_LEN, reason == 48 ? 0 : 2);
	recording_load(r, VMCS_ENTRY_INTR_INFO, 0);
	recording_load(r, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
	recording_load(r, VMCS_GUEST_EFER, 0x500);
	recording_load(r, ITEM_GPR + GPR_RAX, n);
	if (reason == 10)
		recording_instruction(r, "\x0f\xa2", 2);
	recording_exit(r, cpu, 10000 + 1000 * n);
	recording_entry(r, cpu, 10000 + 1000 * n + 300);
}

static struct recording *record(enum trace_level level)
{
	struct recording *r = recording_new(CPUS, &recorded, level);

	memcpy(recording_memory(r) + BUFFER, "Hello from the guest's own memory", 33);
	recording_entry(r, 0, 9000);
	for (unsigned n = 0; n < EXITS; n++) {
		if (n && n % (EXITS / FRAMES) == 0)
			recording_cut(r);
		make_exit(r, n);
	}
	return r;
}

static int make_trace(void **state)
{
	(void)state;
	bug = BUG_NONE;
	bytes = recording_finish(record(TRACE_FULL), STOP_POWER_OFF, 0, &size);
	return 0;
}

static int free_trace(void **state)
{
	(void)state;
	free(bytes);
	return 0;
}

static struct replay_options all_options(unsigned jobs)
{
	return (struct replay_options){
		.selection = { 0, UINT64_MAX, -1, -1 },
		.core = &toys, .jobs = jobs, .limit = REPORT_LIMIT, .quiet = true,
	};
}

static struct summary replay(const struct replay_options *options)
{
	struct summary s;
	char error[256];
	struct trace *t = trace_open_memory("test", bytes, size, NULL, error, sizeof(error));

	assert_non_null(t);
	assert_true(replay_trace(t, options, &s));
	trace_close(t);
	return s;
}

static char *report_text(const struct summary *s, bool json)
{
	char *text;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	if (json)
		report_print_json(to, s, "test");
	else
		report_print(to, s);
	fclose(to);
	return text;
}

/* ---- Tests ---- */

static void test_clean(void **state)
{
	struct replay_options options = all_options(2);
	struct summary s;

	(void)state;
	bug = BUG_NONE;
	s = replay(&options);
	if (s.divergences)
		puts(report_text(&s, false));
	assert_int_equal(s.exits, EXITS);
	assert_int_equal(s.entries, EXITS + 1);
	assert_int_equal(s.divergences + s.after_first + s.skipped + s.unselected, 0);
	report_free(&s.shown);
}

static void test_bugs(void **state)
{
	static const struct {
		enum bug bug;
		enum divergence_kind kind;
		const char *name;	/* of the first divergence, or its beginning */
		unsigned reason;	/* of the exit that it is at */
	} expected[] = {
		{ BUG_GPR_WRONG, DIVERGE_GPR, "RAX", 10 },
		{ BUG_GPR_MISSING, DIVERGE_GPR, "RBX", 10 },
		{ BUG_GPR_EXTRA, DIVERGE_GPR, "RDX", 10 },
		{ BUG_RIP, DIVERGE_VMCS, "GUEST_RIP", 10 },
		{ BUG_VMCS_EXTRA, DIVERGE_VMCS, "GUEST_CR3", 10 },
		{ BUG_ACTION, DIVERGE_ACTION, "action", 10 },
		{ BUG_OUT_MISSING, DIVERGE_CROSSING, "INVVPID", 32 },
		{ BUG_OUT_EXTRA, DIVERGE_CROSSING, "KICK", 32 },
		{ BUG_OUT_VALUE, DIVERGE_CROSSING, "MSR_WRITE", 32 },
		{ BUG_OUT_BYTES, DIVERGE_CROSSING, "CONSOLE_OUT, from byte 31", 18 },
		{ BUG_OUT_ORDER, DIVERGE_CROSSING, "MSR_WRITE", 32 },
		{ BUG_MEMORY_UNKNOWN, DIVERGE_QUESTION, "question", 18 },
		{ BUG_MEMORY_UNASKED, DIVERGE_QUESTION, "question", 18 },
		{ BUG_MSR_UNASKED, DIVERGE_GPR, "RAX", 31 },
		{ BUG_MSR_UNKNOWN, DIVERGE_QUESTION, "question", 31 },
		{ BUG_MSR_OTHER, DIVERGE_QUESTION, "question", 31 },
		{ BUG_DEVICE_VALUE, DIVERGE_DEVICE, "vm's own state", 18 },
		{ BUG_DEVICE_UNMARKED, DIVERGE_DEVICE, "vm's own state", 18 },
		{ BUG_DEVICE_EXTRA, DIVERGE_DEVICE, "vm->cpu[1]", 18 },
		{ BUG_DEVICE_SILENT, DIVERGE_KEYFRAME, "cpu[1].apic_base", REASON_NONE },
		{ BUG_CRASH, DIVERGE_HANDLER, "handler", 10 },
		{ BUG_LOOP, DIVERGE_HANDLER, "handler", 48 },
		{ BUG_WORLD_LOOP, DIVERGE_CROSSING, "KICK", 31 },
		{ BUG_DEADLINE, DIVERGE_TIME, "deadline", REASON_NONE },
		{ BUG_RESULT, DIVERGE_ACTION, "result", REASON_NONE },
		{ BUG_EVENT, DIVERGE_VMCS, "ENTRY_INTR_INFO", 32 },
		{ BUG_INPUT_UNASKED, DIVERGE_QUESTION, "question", REASON_NONE },
	};
	struct replay_options options = all_options(2);

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct summary s;
		const struct divergence *d;

		bug = expected[i].bug;
		s = replay(&options);
		if (s.divergences == 0)
			fail_msg("bug %d survives", expected[i].bug);
		d = &s.shown.list[0];
		if (d->kind != expected[i].kind || strcmp(d->name, expected[i].name) ||
		    d->reason != expected[i].reason)
			print_message("bug %d:\n%s", expected[i].bug, report_text(&s, false));
		assert_int_equal(d->kind, expected[i].kind);
		assert_string_equal(d->name, expected[i].name);
		assert_int_equal(d->reason, expected[i].reason);
		assert_false(d->after_first);
		report_free(&s.shown);
	}
	bug = BUG_NONE;
}

/* The same report, byte for byte, whatever the number of threads. */
static void test_jobs(void **state)
{
	struct replay_options one = all_options(1), four = all_options(4);

	(void)state;
	for (bug = BUG_NONE; bug <= BUG_INPUT_UNASKED; bug++) {
		struct summary a, b;
		char *text[4];

		if (bug == BUG_LOOP)
			continue;
		a = replay(&one);
		b = replay(&four);
		text[0] = report_text(&a, false);
		text[1] = report_text(&b, false);
		text[2] = report_text(&a, true);
		text[3] = report_text(&b, true);
		assert_string_equal(text[0], text[1]);
		assert_string_equal(text[2], text[3]);
		for (unsigned i = 0; i < 4; i++)
			free(text[i]);
		report_free(&a.shown);
		report_free(&b.shown);
	}
	bug = BUG_NONE;
}

/* What follows a device's first mismatch in its frame stands apart; the next frame starts anew. */
static void test_after_first(void **state)
{
	struct replay_options options = all_options(1);
	struct summary s;

	(void)state;
	bug = BUG_DEVICE_VALUE;
	s = replay(&options);
	bug = BUG_NONE;
	assert_int_equal(s.divergences, FRAMES);
	/* Each frame's other VMCALLs, and the keyframe after it; one check byte in 256 is the same by chance. */
	assert_in_range(s.after_first, FRAMES * (EXITS / FRAMES / 6 - 1) + FRAMES - 3,
			FRAMES * (EXITS / FRAMES / 6 - 1) + FRAMES - 1);
	report_free(&s.shown);
}

/* An exit that can't look at struct vm isn't the victim of a device: it stays in the first list. */
static void test_selection(void **state)
{
	struct replay_options options = all_options(2);
	struct summary s;

	(void)state;
	bug = BUG_GPR_WRONG;
	options.selection = (struct trace_selection){ 66, 71, -1, -1 };
	s = replay(&options);
	assert_int_equal(s.exits, 6);
	assert_int_equal(s.entries, 6);
	assert_int_equal(s.unselected, 2 * EXITS / FRAMES - 12);
	assert_int_equal(s.divergences, 2);
	assert_int_equal(s.shown.list[0].seq, 66);
	report_free(&s.shown);
	options.selection = (struct trace_selection){ 0, UINT64_MAX, 18, -1 };
	s = replay(&options);
	assert_int_equal(s.exits, EXITS / 6);
	assert_int_equal(s.divergences, 0);
	report_free(&s.shown);
	options.selection = (struct trace_selection){ 0, UINT64_MAX, -1, 1 };
	s = replay(&options);
	assert_int_equal(s.exits, EXITS / 2);
	assert_int_equal(s.entries, EXITS / 2);
	assert_int_equal(s.divergences, EXITS / 6);
	report_free(&s.shown);
	bug = BUG_NONE;
}

static void test_report(void **state)
{
	struct replay_options options = all_options(2);
	struct summary s;
	char *text;

	(void)state;
	bug = BUG_GPR_WRONG;
	s = replay(&options);
	bug = BUG_NONE;
	text = report_text(&s, false);
	assert_non_null(strstr(text, "exit 0 (step 1), vCPU 0, CPUID of leaf 0 at RIP 0x10a0: cpuid\n"
				     "    RAX                          expected 0, got 0x1\n"));
	assert_non_null(strstr(text, "… and 60 more (--all shows them)\n"));
	assert_non_null(strstr(text, "240 exits and 241 entry steps compared, 0 skipped, 80 divergences\n"));
	free(text);
	report_free(&s.shown);
}

static void test_unfinished(void **state)
{
	struct replay_options options = all_options(1);
	struct recording *r;
	uint8_t *whole = bytes;
	size_t whole_size = size;
	struct summary s;

	(void)state;
	r = record(TRACE_FULL);
	recording_load(r, VMCS_EXIT_REASON, 10);
	recording_unfinished(r, 0, 10000000);
	bytes = recording_finish(r, STOP_PANIC, 0, &size);
	s = replay(&options);
	assert_int_equal(s.unfinished, 1);
	assert_int_equal(s.skipped, 1);
	assert_int_equal(s.exits, EXITS);
	assert_int_equal(s.divergences, 0);
	report_free(&s.shown);
	free(bytes);
	bytes = whole;
	size = whole_size;
}

/* Level `touched`: a slot that the record doesn't hold is asked of vcpu_load(), and is a divergence. */
static void test_touched(void **state)
{
	struct replay_options options = all_options(1);
	uint8_t *whole = bytes;
	size_t whole_size = size;
	struct summary s;
	struct recording *r = recording_new(1, &recorded, TRACE_TOUCHED);

	(void)state;
	recording_load(r, VMCS_EXIT_REASON, 48);
	recording_exit(r, 0, 1000);
	bytes = recording_finish(r, STOP_POWER_OFF, 0, &size);
	s = replay(&options);
	assert_int_equal(s.divergences, 0);
	report_free(&s.shown);
	free(bytes);
	r = recording_new(1, &recorded, TRACE_TOUCHED);
	slot_set(recording_cpu(r, 0)->loaded, VMCS_GUEST_INTERRUPTIBILITY);
	recording_load(r, VMCS_EXIT_REASON, 10);
	recording_load(r, VMCS_GUEST_RIP, 0x1000);
	recording_load(r, VMCS_EXIT_INSTRUCTION_LEN, 2);
	recording_load(r, VMCS_GUEST_INTERRUPTIBILITY, 0);
	recording_exit(r, 0, 1000);
	bytes = recording_finish(r, STOP_POWER_OFF, 0, &size);
	bug = BUG_VMCS_EXTRA;	/* writes GUEST_CR3: asks for its value first */
	s = replay(&options);
	bug = BUG_NONE;
	assert_int_equal(s.divergences, 1);
	assert_int_equal(s.shown.list[0].kind, DIVERGE_QUESTION);
	assert_string_equal(s.shown.list[0].got, "asked for GUEST_CR3");
	report_free(&s.shown);
	free(bytes);
	bytes = whole;
	size = whole_size;
}

/* A damaged frame costs itself alone. */
static void test_damage(void **state)
{
	struct replay_options options = all_options(2);
	char error[256];
	struct trace *t = trace_open_memory("test", bytes, size, NULL, error, sizeof(error));
	size_t at = trace_frame(t, 1)->packed_offset + 40;
	struct summary s;

	(void)state;
	trace_close(t);
	bytes[at] ^= 0x55;
	s = replay(&options);
	bytes[at] ^= 0x55;
	assert_true(s.damages > 0);
	assert_int_equal(s.exits, EXITS / FRAMES * (FRAMES - 1));
	assert_int_equal(s.divergences, 0);
	report_free(&s.shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_bugs),
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_after_first),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_touched),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, make_trace, free_trace);
}
