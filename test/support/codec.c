/*
 * codec.c: see codec.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support/codec.h"
#include "support/random.h"

/* A value as they come: small, an address, or anything. */
static uint64_t random_value(void)
{
	switch (random_below(3)) {
	case 0: return random_below(300);
	case 1: return 0xffffffff81000000 + random_below(1 << 20);
	default: return random_u64();
	}
}

void codec_set_up(struct codec *f, uint8_t level)
{
	struct vm_config *c = &f->vm.config;
	uint64_t all[VMCS_WORDS];

	memset(f, 0, sizeof(*f));
	memset(all, 0xff, sizeof(all));
	c->cpu_count = CODEC_CPUS;
	c->memory_size = 64 << 20;
	c->tsc_khz = 400000;
	vm_reset(&f->vm);
	f->vm.touched = 0;
	f->s.cpu_count = CODEC_CPUS;
	f->s.level = level;
	f->s.id = 42;
	f->s.config = *c;
	memcpy(f->e.supported, all, sizeof(all));
	session_describe_build(&f->s, all);
	for (unsigned i = 0; i < CODEC_CPUS; i++) {
		f->cpu[i].index = i;
		memset(f->cpu[i].loaded, 0xff, sizeof(f->cpu[i].loaded));
		for (unsigned slot = 0; slot < VMCS_SLOTS; slot++)
			f->cpu[i].vmcs[slot] = random_below(4) ? random_below(4) : random_value();
		f->cpu[i].wake_at = f->cpu[i].deadline = TIME_NONE;
	}
}

/* ---- Steps ---- */

/* Few items whose bytes are many, the same each time: too long a section to be remembered. */
static void long_load(struct codec *f, struct vcpu *v)
{
	for (enum vmcs_slot slot = VMCS_GUEST_CR3; slot < VMCS_GUEST_CR3 + 8; slot++) {
		uint64_t before = v->vmcs[slot];

		v->vmcs[slot] += UINT64_C(0x123456789abcdef1);
		encoder_item(&f->e, slot, before, v->vmcs[slot]);
	}
}

static void random_load(struct codec *f, struct vcpu *v)
{
	static const uint64_t rips[] = { 0x1000, 0x1004, 0xffffffff81000000, 0x7fff00001234 };

	for (unsigned slot = 0; slot < VMCS_SLOTS; slot++) {
		uint64_t before = v->vmcs[slot];

		if (slot == VMCS_GUEST_RIP)
			v->vmcs[slot] = rips[random_below(4)];
		else if (slot == VMCS_EXIT_REASON)
			v->vmcs[slot] = random_below(6) ? random_below(5) * 10 : REASON_PREEMPTION_TIMER;
		else if (slot == VMCS_EXIT_INSTRUCTION_LEN)
			v->vmcs[slot] = 1 + random_below(3);
		else if (random_below(60) == 0)
			v->vmcs[slot] = random_value();
		if (v->vmcs[slot] != before)
			encoder_item(&f->e, slot, before, v->vmcs[slot]);
	}
	const bool all = random_below(4) == 0;	/* by the same differences: too many for a memo, which must not be missed */

	for (unsigned reg = 0; reg < GPR_COUNT; reg++) {
		uint64_t before = v->gpr[reg];

		if (reg == GPR_RSP || (!all && random_below(8)))
			continue;
		v->gpr[reg] += all ? 1 : random_below(3);
		if (v->gpr[reg] != before)
			encoder_item(&f->e, ITEM_GPR + reg, before, v->gpr[reg]);
	}
}

static void random_handler(struct codec *f, struct vcpu *v)
{
	unsigned n = f->steps;

	if (random_below(4) == 0)
		gpr_write(v, GPR_RAX, random_below(4));
	if (random_below(10) == 0) {
		enum vmcs_slot slot = (enum vmcs_slot)random_below(VMCS_SLOTS);

		if (vmcs_encoding_class(vmcs_fields[slot].encoding) != VMCS_CLASS_INFO)	/* read-only */
			vmcs_write(v, slot, random_value());
	}
	if (random_below(6) == 0) {
		f->log[n].bytes_len = 1 + (uint32_t)random_below(sizeof(f->log[n].bytes));
		for (unsigned i = 0; i < f->log[n].bytes_len; i++)
			f->log[n].bytes[i] = (uint8_t)random_u64();
		encoder_mem_write(&f->e, 0x5000, f->log[n].bytes, f->log[n].bytes_len);
		f->log[n].crossings = 1;
	}
	if (random_below(12) == 0) {
		f->vm.cpu[v->index].wake_at = random_u64();
		vm_touch_cpu(&f->vm, v->index);
	}
	if (random_below(30) == 0) {
		f->vm.uart.scratch++;
		vm_touch(&f->vm, VM_DEVICE_UART);
	}
	if (random_below(3) == 0)	/* touched, and as it was */
		vm_touch(&f->vm, random_below(4) ? VM_DEVICE_UART : VM_DEVICE_CPU0);
}

static void note_state(struct codec *f, struct vcpu *v)
{
	unsigned n = f->steps++;

	f->log[n].end = *v;
	f->log[n].touched = f->vm.touched;
	for (unsigned i = 0; i < VM_DEVICE_COUNT; i++)
		f->log[n].checks[i] = vm_check(&f->vm, i, vm_rows_of(i));
}

static void random_exit(struct codec *f, struct vcpu *v)
{
	unsigned n = f->steps;
	enum exit_action action = (enum exit_action)random_below(3);

	encoder_begin(&f->e, v, STEP_EXIT);
	if (random_below(8))
		random_load(f, v);
	else
		long_load(f, v);
	encoder_loaded(&f->e, v);
	f->log[n].at = *v;
	random_handler(f, v);
	if (action == ACTION_RETIRE && random_below(10)) {
		vmcs_write(v, VMCS_GUEST_RIP, v->vmcs[VMCS_GUEST_RIP] + v->vmcs[VMCS_EXIT_INSTRUCTION_LEN]);
		vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, v->vmcs[VMCS_GUEST_INTERRUPTIBILITY] & ~UINT64_C(3));
	}
	if (random_below(20) == 0) {
		f->log[n].insn_len = 3;
		encoder_note_insn(&f->e, (const uint8_t *)"\x0f\xa2\x90", 3);
	}
	f->log[n].action = action;
	f->log[n].handler_cycles = 100 + random_below(2);
	f->log[n].tsc_entry = v->tsc - 10;
	f->log[n].tracer_cycles = random_below(2) * 1000;
	note_state(f, v);
	encoder_end_exit(&f->e, v, &f->vm, action, f->log[n].tsc_entry, f->log[n].handler_cycles, f->log[n].tracer_cycles);
}

/* Enter with no deadline: what steps do in which nothing happens. */
static void settle(struct codec *f, struct vcpu *v)
{
	encoder_begin(&f->e, v, STEP_ENTRY);
	v->entry = ENTRY_ENTER;
	v->deadline = v->wake_at = TIME_NONE;
	if (v->vmcs[VMCS_PREEMPTION_TIMER_VALUE] != f->e.timer_cap)
		vmcs_write(v, VMCS_PREEMPTION_TIMER_VALUE, f->e.timer_cap);
	note_state(f, v);
	encoder_end_entry(&f->e, v, &f->vm);
}

/* Only time passes again, towards the same deadline; the short way to its record is taken if it can be. */
static bool quiet(struct codec *f, struct vcpu *v)
{
	if (v->entry != ENTRY_ENTER || v->wake_at != TIME_NONE || !encoder_quiet_entry(&f->e, v))
		return false;
	v->vmcs[VMCS_PREEMPTION_TIMER_VALUE] = vm_preemption_timer(&f->vm.config, v->deadline, v->tsc);
	f->quiet_steps++;
	note_state(f, v);
	return true;
}

static void random_entry(struct codec *f, struct vcpu *v)
{
	f->log[f->steps].at = *v;
	if (random_below(2) && quiet(f, v))
		return;
	if (random_below(2)) {
		settle(f, v);
		return;
	}
	encoder_begin(&f->e, v, STEP_ENTRY);
	v->entry = (enum entry_result)random_below(3);
	if (random_below(4) == 0)
		v->deadline = random_below(2) ? TIME_NONE : v->tsc + random_below(1000000);
	if (random_below(4) == 0)
		v->wake_at = random_below(2) ? TIME_NONE : v->tsc + random_below(1000000);
	random_handler(f, v);
	if (v->entry == ENTRY_ENTER && random_below(8))
		vmcs_write(v, VMCS_PREEMPTION_TIMER_VALUE, vm_preemption_timer(&f->vm.config, v->deadline, v->tsc));
	note_state(f, v);
	encoder_end_entry(&f->e, v, &f->vm);
}

void codec_encode_frame(struct codec *f, struct frame_header *h)
{
	uint64_t tsc = f->cpu[0].tsc;

	f->steps = 0;
	encoder_open(&f->e, f->raw, FRAME_RAW_CAP, f->cpu, &f->vm);
	while (f->steps < CODEC_STEPS && !encoder_full(&f->e)) {
		struct vcpu *v = &f->cpu[random_below(5) ? 0 : random_below(CODEC_CPUS)];
		unsigned n = f->steps;

		tsc += random_below(2) ? 500 : random_below(100000);
		memset(&f->log[n], 0, sizeof(f->log[n]));
		vcpu_begin_step(v, tsc);
		f->log[n].vcpu = v->index;
		f->log[n].kind = random_below(2) ? STEP_EXIT : STEP_ENTRY;
		if (f->log[n].kind == STEP_EXIT)
			random_exit(f, v);
		else
			random_entry(f, v);
	}
	assert_false(f->e.overflow);
	assert_true(encoder_close(&f->e, f->s.id, h));
	assert_int_equal(h->steps, f->steps);
}
