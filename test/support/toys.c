/*
 * toys.c: see toys.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "support/toys.h"

#define CPUS		2
#define LOOP_SEQ	100		/* the exit that loops, by its RAX */
#define BUFFER		0x4000		/* GPA */

enum bug toy_bug;
struct toy_trace toy_trace;
static volatile uintptr_t nowhere = 16;

/* ---- The handlers ---- */

static enum exit_action retire(struct vcpu *v)
{
	uint64_t blocking = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);

	if (toy_bug != BUG_RIP)
		vmcs_write(v, VMCS_GUEST_RIP, vmcs_read(v, VMCS_GUEST_RIP) +
			   vmcs_read(v, VMCS_EXIT_INSTRUCTION_LEN));
	vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, blocking & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS));
	return toy_bug == BUG_ACTION ? ACTION_RESUME : ACTION_RETIRE;
}

static enum exit_action handle_cpuid(struct vcpu *v)
{
	gpr_write(v, GPR_RAX, gpr_read(v, GPR_RAX) * 7 + (toy_bug == BUG_GPR_WRONG));
	if (toy_bug != BUG_GPR_MISSING)
		gpr_write(v, GPR_RBX, 0x1234 ^ gpr_read(v, GPR_RCX));
	gpr_write(v, GPR_RCX, gpr_read(v, GPR_RCX));	/* no effect */
	if (toy_bug == BUG_GPR_EXTRA)
		gpr_write(v, GPR_RDX, gpr_read(v, GPR_RDX) + 1);
	if (toy_bug == BUG_VMCS_EXTRA)
		vmcs_write(v, VMCS_GUEST_CR3, 0x5000);
	if (toy_bug == BUG_CRASH)
		*(volatile int *)nowhere = 1;
	return retire(v);
}

/* Reads memory in odd pieces and over its own writes. */
static enum exit_action handle_vmcall(struct vcpu *v, struct vm *vm, struct world *w)
{
	char text[64], patch[4] = "abcd", more[16];

	w->ops->mem_read(w, BUFFER + 8, text + 8, 24);
	w->ops->mem_read(w, BUFFER, text, 16);
	w->ops->mem_read(w, BUFFER + 0x200, more, toy_bug == BUG_MEMORY_UNASKED ? 7 : 16);
	w->ops->mem_write(w, BUFFER + 4, patch, sizeof(patch));
	w->ops->mem_read(w, BUFFER, text, 32);
	if (toy_bug == BUG_MEMORY_UNKNOWN)
		w->ops->mem_read(w, BUFFER + 30, more, 4);
	text[31] = (char)(text[31] + (toy_bug == BUG_OUT_BYTES));
	w->ops->console_out(w, text, 32);
	vm->absent_io += 1 + (toy_bug == BUG_DEVICE_VALUE);
	if (toy_bug != BUG_DEVICE_UNMARKED)
		vm_touch(vm, VM_DEVICE_VM);
	if (toy_bug == BUG_DEVICE_EXTRA)
		vm_touch_cpu(vm, 1);
	if (toy_bug == BUG_DEVICE_SILENT)
		vm->cpu[1].apic_base = 0xfee00000;
	return retire(v);
}

static enum exit_action handle_wrmsr(struct vcpu *v, struct world *w)
{
	uint64_t value = gpr_read(v, GPR_RAX);

	if (toy_bug == BUG_OUT_ORDER)
		w->ops->invvpid(w, INVVPID_CONTEXT, 0);
	w->ops->msr_write(w, 0x10, value + (toy_bug == BUG_OUT_VALUE));
	if (toy_bug != BUG_OUT_MISSING && toy_bug != BUG_OUT_ORDER)
		w->ops->invvpid(w, INVVPID_CONTEXT, 0);
	if (toy_bug == BUG_OUT_EXTRA)
		w->ops->kick(w, 1);
	w->ops->mem_cmpxchg(w, BUFFER + 0x100, 8, 0, value);
	w->ops->mem_read(w, BUFFER + 0x100, &value, 8);
	gpr_write(v, GPR_RDX, value);
	return retire(v);
}

static enum exit_action handle_rdmsr(struct vcpu *v, struct world *w)
{
	uint64_t value = 0;

	if (toy_bug == BUG_WORLD_LOOP)
		for (;;)
			w->ops->kick(w, 0);
	if (toy_bug != BUG_MSR_UNASKED)
		value = w->ops->msr_read(w, toy_bug == BUG_MSR_OTHER ? 0x12 : 0x11);
	if (toy_bug == BUG_MSR_UNKNOWN)
		value += w->ops->msr_read(w, 0x11);
	gpr_write(v, GPR_RAX, value + w->ops->dr_read(w, 6));
	return retire(v);
}

static enum exit_action toy_exit(struct vcpu *v, struct vm *vm, struct world *w)
{
	volatile bool forever = toy_bug == BUG_LOOP && v->gpr[GPR_RAX] == LOOP_SEQ;

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
	int byte = toy_bug == BUG_INPUT_UNASKED ? -1 : w->ops->console_in(w);

	(void)slice;
	if (byte >= 0) {
		vm->uart.rx[0] = (uint8_t)byte;
		vm_touch(vm, VM_DEVICE_UART);
		vmcs_write(v, VMCS_ENTRY_INTR_INFO, INTR_INFO_VALID | (toy_bug == BUG_EVENT ? 0x31 : 0x30));
	}
	v->deadline = v->tsc + 1000 + (toy_bug == BUG_DEADLINE);
	vmcs_write(v, VMCS_PREEMPTION_TIMER_VALUE, vm_preemption_timer(&vm->config, v->deadline, v->tsc));
	return v->entry = toy_bug == BUG_RESULT ? ENTRY_WAIT : ENTRY_ENTER;
}

static const struct replay_core toys = { toy_exit, toy_entry };
const struct recording_core toy_recorded = { toy_exit, toy_entry };

/* ---- The recording ---- */

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

struct recording *toy_record(enum trace_level level)
{
	struct recording *r = recording_new(CPUS, &toy_recorded, level);

	memcpy(recording_memory(r) + BUFFER, "Hello from the guest's own memory", 33);
	recording_entry(r, 0, 9000);
	for (unsigned n = 0; n < TOY_EXITS; n++) {
		if (n && n % (TOY_EXITS / TOY_FRAMES) == 0)
			recording_cut(r);
		make_exit(r, n);
	}
	return r;
}

int toy_make_trace(void **state)
{
	(void)state;
	toy_bug = BUG_NONE;
	toy_trace.bytes = recording_finish(toy_record(TRACE_FULL), STOP_POWER_OFF, 0, &toy_trace.size);
	return 0;
}

int toy_free_trace(void **state)
{
	(void)state;
	free(toy_trace.bytes);
	return 0;
}

struct replay_options toy_options(unsigned jobs)
{
	return (struct replay_options){
		.selection = { 0, UINT64_MAX, -1, -1 },
		.core = &toys, .jobs = jobs, .limit = REPORT_LIMIT, .quiet = true,
	};
}

struct summary toy_replay(const struct replay_options *options)
{
	struct summary s;
	char error[256];
	struct trace *t = trace_open_memory("test", toy_trace.bytes, toy_trace.size, NULL, error, sizeof(error));

	assert_non_null(t);
	assert_true(replay_trace(t, options, &s));
	trace_close(t);
	return s;
}

char *toy_report_text(const struct summary *s, bool json)
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
