/*
 * run.c: the life of the VM: somebody is chosen, entered, exits, is handled, until the VM stops.
 *
 * Called once by vmx_main(). The decisions are the core's (vcpu_prepare_entry, exit_dispatch); this is the order of things,
 * and their record.
 */
#include "boot/serial.h"
#include "boot/x86.h"
#include "vmx/backend.h"
#include "vmx/guest_code.h"
#include "vmx/region.h"
#include "vmx/run.h"
#include "vmx/schedule.h"
#include "vmx/vmx.h"

#define REQUEST_STOP		0x03	/* a byte from the recorder, on the log's port */
#define REQUEST_EXITS		64u	/* looked for once in so many exits, and at each preemption-timer exit */
#define REASON_PREEMPTION_TIMER	52
#define REASON_PAUSE		40

/* ---- Entry steps ---- */

enum entry_result run_entry_step(struct vmx_cpu *c, uint64_t now)
{
	struct vmx *x = c->vmx;
	enum entry_result result;
	uint64_t done;

	x->running = c;
	vcpu_begin_step(c->v, now);
	if (x->tracer.level == TRACE_OFF) {
		result = vcpu_prepare_entry(c->v, &x->vm, &x->world);
		x->vm.touched = 0;
	} else {
		if (tracer_begin(x, c->v, STEP_ENTRY))
			for (unsigned i = 0; i < x->vm.config.cpu_count; i++)
				x->cpu[i].whole_due = true;
		result = vcpu_prepare_entry(c->v, &x->vm, &x->world);
		done = x86_rdtsc();
		encoder_end_entry(&x->tracer.encoder, c->v, &x->vm);
		tracer_step_done(x, now);
		c->tracer_cycles += x86_rdtsc() - done;
	}
	backend_collect(c);
	c->step_due = false;
	return result;
}

/* ---- Exits ---- */

static inline void remember(struct vmx *x, const struct vcpu *v)
{
	unsigned i = x->history.count++ & (EXIT_HISTORY - 1);

	x->history.exit[i].tsc = v->tsc;
	x->history.exit[i].rip = v->vmcs[VMCS_GUEST_RIP];
	x->history.exit[i].qualification = v->vmcs[VMCS_EXIT_QUALIFICATION];
	x->history.exit[i].reason = (uint32_t)v->vmcs[VMCS_EXIT_REASON];
	x->history.exit[i].vcpu = v->index;
}

static enum exit_action exit_untraced(struct vmx_cpu *c)
{
	struct vmx *x = c->vmx;
	enum exit_action action;

	backend_load(c);
	action = exit_dispatch(c->v, &x->vm, &x->world);
	x->vm.touched = 0;
	x->tracer.encoder.next_seq++;
	x->tracer.encoder.reasons[c->v->vmcs[VMCS_EXIT_REASON] % CLOSING_REASONS]++;
	return action;
}

static enum exit_action exit_traced(struct vmx_cpu *c)
{
	struct vmx *x = c->vmx;
	struct encoder *e = &x->tracer.encoder;
	uint64_t reported = c->tracer_cycles - c->tracer_cycles_told, handled;
	enum exit_action action;

	if (tracer_begin(x, c->v, STEP_EXIT))
		for (unsigned i = 0; i < x->vm.config.cpu_count; i++)
			x->cpu[i].whole_due = true;
	backend_load(c);
	if (encoder_wants_insn(e, c->v))
		guest_code_note(c);
	action = exit_dispatch(c->v, &x->vm, &x->world);
	handled = x86_rdtsc();
	encoder_end_exit(e, c->v, &x->vm, action, c->tsc_entry, handled - c->v->tsc, reported);
	c->tracer_cycles_told = c->tracer_cycles;
	tracer_step_done(x, c->v->tsc);
	c->tracer_cycles += x86_rdtsc() - handled;
	return action;
}

static enum exit_action handle_exit(struct vmx_cpu *c, uint64_t now)
{
	struct vmx *x = c->vmx;
	enum exit_action action;

	vcpu_begin_step(c->v, now);
	action = x->tracer.level == TRACE_OFF ? exit_untraced(c) : exit_traced(c);
	backend_collect(c);
	c->step_due = true;
	remember(x, c->v);
	if ((c->v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC) == REASON_PAUSE)
		schedule_yield(x);
	return action;
}

/* ---- The loop ---- */

static bool stop_requested(struct vmx *x, const struct vcpu *v)
{
	uint8_t byte;

	if (++x->exits % REQUEST_EXITS &&
	    (v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC) != REASON_PREEMPTION_TIMER)
		return false;
	while (serial_receive(&serial_log, &byte))
		if (byte == REQUEST_STOP)
			return true;
	return false;
}

struct vm_stop run(struct vmx *x)
{
	for (;;) {
		struct vmx_cpu *c = schedule_next(x);

		if (!c)
			return x->vm.stop;
		backend_enter(c);
		if (handle_exit(c, x86_rdtsc()) == ACTION_STOP)
			return x->vm.stop;
		if (stop_requested(x, c->v))
			return (struct vm_stop){ .kind = STOP_STOPPED };
	}
}
