/*
 * make_trace.c: writes the small trace that the tests of test/sql ask about: every kind of row, known values.
 *
 *	make_trace OUT [EXITS]
 *
 * With EXITS it writes that many CPUID exits and entry steps instead, to measure with. Compiled by
 * test/sql/run.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/recording.h"

#define KERNEL UINT64_C(0xffffffff81000000)

uint64_t vcpu_load(struct vcpu *v, enum vmcs_slot slot)
{
	return v->vmcs[slot];
}

/* ---- Handlers: what they do is told by the exit reason alone ---- */

static enum exit_action retire(struct vcpu *v)
{
	vmcs_write(v, VMCS_GUEST_RIP, vmcs_read(v, VMCS_GUEST_RIP) + vmcs_read(v, VMCS_EXIT_INSTRUCTION_LEN));
	return ACTION_RETIRE;
}

static enum exit_action handle(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t value;

	switch (vmcs_read(v, VMCS_EXIT_REASON) & EXIT_REASON_BASIC) {
	case 10:	/* CPUID */
		gpr_write(v, GPR_RBX, 0x756e6547);
		return retire(v);
	case 18: {	/* VMCALL: print */
		char text[16];

		w->ops->mem_read(w, 0x8000, text, sizeof(text));
		w->ops->console_out(w, text, sizeof(text));
		gpr_write(v, GPR_RAX, 0);
		return retire(v);
	}
	case 30:	/* I/O */
		w->ops->console_out(w, "A", 1);
		return retire(v);
	case 31:	/* RDMSR of what isn't there: #GP */
		vmcs_write(v, VMCS_ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_ERROR_CODE |
			   INTR_TYPE_HARDWARE | 13);
		return ACTION_INJECT;
	case 32:	/* WRMSR */
		value = gpr_read(v, GPR_RDX) << 32 | (uint32_t)gpr_read(v, GPR_RAX);
		w->ops->msr_write(w, (uint32_t)gpr_read(v, GPR_RCX), value);
		return retire(v);
	case 48:	/* EPT violation: write of 4 bytes */
		w->ops->mem_write(w, 0x9000, "\x01\x02\x03\x04", 4);
		return retire(v);
	default:
		vm->stop = (struct vm_stop){ .kind = STOP_DEBUG_EXIT };
		vm_touch(vm, VM_DEVICE_VM);
		return ACTION_STOP;
	}
}

static enum entry_result enter(struct vcpu *v, struct vm *vm, struct world *w)
{
	w->ops->slice_end(w);
	if (v->index == 1 && v->tsc > 5000) {
		v->wake_at = v->tsc + 1000000;
		return ENTRY_WAIT;
	}
	v->deadline = TIME_NONE;
	vmcs_write(v, VMCS_PREEMPTION_TIMER_VALUE, vm_preemption_timer(&vm->config, v->deadline, v->tsc));
	return ENTRY_ENTER;
}

static const struct recording_core core = { handle, enter };

/* ---- The exits ---- */

struct exit {
	unsigned cpu, reason;
	uint64_t rip, qualification, gpa, rax, rcx;
	const char *insn;
	unsigned len;
};

static const struct exit exits[] = {
	{ 0, 10, KERNEL, 0, 0, 0x1, 0, "\x0f\xa2", 2 },
	{ 0, 10, KERNEL, 0, 0, 0x1, 0, NULL, 2 },
	{ 0, 10, KERNEL + 0x10, 0, 0, 0x40000000, 7, "\x0f\xa2", 2 },
	{ 1, 30, 0x7c00, 0x3f80000, 0, 'A', 0, "\xee", 1 },
	{ 0, 30, KERNEL + 0x20, 0x3f80000, 0, 'B', 0, "\xee", 1 },
	{ 0, 30, KERNEL + 0x22, 0x3fd0008, 0, 0, 0, "\xec", 1 },
	{ 0, 31, KERNEL + 0x30, 0, 0, 0, 0x123, "\x0f\x32", 2 },
	{ 0, 32, KERNEL + 0x40, 0, 0, 0x11, 0xc0000080, "\x0f\x30", 2 },
	{ 0, 48, KERNEL + 0x50, 0x182, 0xfee000b0, 0, 0, "\x89\x07", 2 },
	{ 0, 18, KERNEL + 0x60, 0, 0, 1, 16, "\x0f\x01\xc1", 3 },
	{ 1, 12, 0x7c02, 0, 0, 0, 0, "\xf4", 1 },
};

static void load(struct recording *r, const struct exit *x)
{
	bool kernel = x->rip >= KERNEL;

	recording_load(r, VMCS_EXIT_REASON, x->reason);
	recording_load(r, VMCS_EXIT_QUALIFICATION, x->qualification);
	recording_load(r, VMCS_EXIT_INSTRUCTION_LEN, x->len);
	recording_load(r, VMCS_GUEST_PHYSICAL_ADDR, x->gpa);
	recording_load(r, VMCS_GUEST_RIP, x->rip);
	recording_load(r, VMCS_GUEST_CR0, kernel ? 0x80000011 : 0x10);
	recording_load(r, VMCS_GUEST_CR3, kernel ? 0x1000 : 0);
	recording_load(r, VMCS_GUEST_EFER, kernel ? 0x500 : 0);
	recording_load(r, VMCS_GUEST_CS_SELECTOR, kernel ? 0x10 : 0);
	recording_load(r, VMCS_GUEST_CS_ACCESS_RIGHTS, kernel ? 0xa09b : 0x9b);
	recording_load(r, VMCS_GUEST_SS_ACCESS_RIGHTS, kernel ? 0xc093 : 0x93);
	recording_load(r, VMCS_ENTRY_INTR_INFO, 0);
	recording_load(r, ITEM_GPR + GPR_RAX, x->rax);
	recording_load(r, ITEM_GPR + GPR_RCX, x->rcx);
	if (x->insn)
		recording_instruction(r, x->insn, x->len);
}

static void make_small(struct recording *r)
{
	uint64_t tsc = 1000;

	memcpy(recording_memory(r) + 0x8000, "hello, analyzer\n", 16);
	recording_entry(r, 0, 900);
	recording_entry(r, 1, 950);
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++, tsc += 1000) {
		if (i == 6)
			recording_cut(r);
		load(r, &exits[i]);
		recording_exit(r, exits[i].cpu, tsc);
		recording_entry(r, exits[i].cpu, tsc + 400);
	}
}

static void make_large(struct recording *r, unsigned long count)
{
	uint64_t tsc = 1000;

	for (unsigned long i = 0; i < count; i++, tsc += 1000) {
		struct exit x = { 0, 10, KERNEL + i % 7 * 4, 0, 0, i % 11, i % 3, i < 7 ? "\x0f\xa2" : NULL,
				  2 };

		if (i % 5000 == 0)
			recording_cut(r);
		load(r, &x);
		recording_exit(r, 0, tsc);
		recording_entry(r, 0, tsc + 400 + i % 13);
	}
}

int main(int argc, char **argv)
{
	struct recording *r = recording_new(2, &core, TRACE_FULL);
	uint8_t *bytes;
	size_t size;
	FILE *file;

	if (argc < 2 || !(file = fopen(argv[1], "wb")))
		return 2;
	if (argc > 2)
		make_large(r, strtoul(argv[2], NULL, 0));
	else
		make_small(r);
	bytes = recording_finish(r, STOP_DEBUG_EXIT, 0, &size);
	if (fwrite(bytes, 1, size, file) != size || fclose(file))
		return 2;
	free(bytes);
	return 0;
}
