/*
 * run.c: the life of the VM: somebody is chosen, entered, exits, is handled, until the VM stops.
 *
 * Called once by vmx_main(). The decisions are the core's (vcpu_prepare_entry, exit_dispatch); this is the
 * order of things, and their record.
 */
#include "boot/serial.h"
#include "boot/x86.h"
#include "exit/entry.h"
#include "exit/exit.h"
#include "vmx/backend.h"
#include "vmx/guest_code.h"
#include "vmx/host.h"
#include "vmx/region.h"
#include "vmx/run.h"
#include "vmx/schedule.h"
#include "vmx/vmx.h"

#define REQUEST_STOP		0x03	/* a byte from the recorder, on the log's port */
#define REQUEST_EXITS		64u	/* looked for once in so many exits, and when the timer expires */

/* A new frame: each vCPU's first exit in it is read whole. */
static __attribute__((noinline, cold)) void open_frame(struct vmx *x, const struct vcpu *v)
{
	tracer_open(&x->tracer, x, v);
	for (unsigned i = 0; i < x->vm.config.cpu_count; i++)
		x->cpu[i].exit_due |= DUE_WHOLE;
}

/*
 * The tracer's time is a stopwatch: from the end of a step's handler to the next step, or to the entry.
 * Between the two calls tracer_cycles is off by the time at which it was started.
 */
static inline void tracer_begins(struct vmx_cpu *c, uint64_t now)
{
	c->tracer_cycles -= now;
}

static inline void tracer_ends(struct vmx_cpu *c, uint64_t now)
{
	c->tracer_cycles += now;
}

/*
 * It isn't entered now: what the step wrote is kept for when it is, and the tracer's time for it ends here.
 */
static __attribute__((noinline, cold)) void wait(struct vmx_cpu *c, enum trace_level level)
{
	backend_flush_later(c);
	if (level == TRACE_OFF)
		return;
	tracer_step_done(&c->vmx->tracer, c->v->tsc);
	tracer_ends(c, x86_rdtsc());
}

/* ---- Entry steps ---- */

/*
 * `changed`: the step wrote something that must reach the hardware before the entry. The tracer's stopwatch
 * doesn't run, and does so afterwards if the vCPU is entered.
 */
static __attribute__((noinline)) enum entry_result entry_step(struct vmx *x, struct vmx_cpu *c, uint64_t now,
							      bool *changed)
{
	enum trace_level level = x->tracer.level;
	enum entry_result result;
	struct vcpu *v = c->v;

	v->tsc = now;	/* nothing is dirty: see backend_flush() */
	if (level == TRACE_OFF) {
		result = vcpu_prepare_entry(v, &x->vm, &x->world);
		*changed = true;
	} else {
		if (!x->tracer.encoder.open)
			open_frame(x, v);
		tracer_begin(&x->tracer, v, STEP_ENTRY);
		result = vcpu_prepare_entry(v, &x->vm, &x->world);
		tracer_begins(c, x86_rdtsc());
		*changed = !encoder_end_entry(&x->tracer.encoder, v, &x->vm);
		x->tracer.step = NULL;	/* whether the frame is full, its exit asks, or wait() */
	}
	if (__builtin_expect(result != ENTRY_ENTER, 0))
		wait(c, level);
	else if (v->vmcs[VMCS_GUEST_ACTIVITY_STATE] == ACTIVITY_HLT)
		x->time.idle_since = now;
	return result;
}

/*
 * The usual entry step: only time passes in it, so it is not called, nothing but the timer's value reaches the
 * hardware, and the stopwatch runs on. False: nothing was done.
 */
static inline HOT bool entry_step_quiet(struct vmx *x, struct vmx_cpu *c, struct vcpu *v, uint64_t now,
				       enum trace_level level)
{
	v->tsc = now;
	if (__builtin_expect(!vcpu_goes_on(v, &x->vm), 0) ||
	    (level != TRACE_OFF && !encoder_quiet_entry(&x->tracer.encoder, v)))
		return false;
	if (v->deadline != TIME_NONE)
		backend_set_timer(c, v, vm_timer_value(&x->vm.config, v->deadline, now));
	return true;
}

enum entry_result run_entry_step(struct vmx_cpu *c, uint64_t now)
{
	bool changed;

	c->vmx->running = c;
	c->step_due = false;
	return entry_step(c->vmx, c, now, &changed);
}

/* ---- Exits ---- */

static inline HOT void remember(struct exit_history *h, const struct vcpu *v, uint64_t reason)
{
	struct exit_memory *m = &h->exit[h->count++ & (EXIT_HISTORY - 1)];

	m->tsc = v->tsc;
	m->rip = v->vmcs[VMCS_GUEST_RIP];
	m->reason = reason;
	m->v = v;
}

static inline HOT enum exit_action exit_untraced(struct vmx *x, struct vmx_cpu *c, struct vcpu *v)
{
	enum exit_action action;
	uint64_t reason;

	backend_load_untraced(c, v);
	reason = v->vmcs[VMCS_EXIT_REASON];
	remember(&x->history, v, reason);
	x->tracer.encoder.reasons[reason % CLOSING_REASONS]++;
	action = exit_dispatch(v, &x->vm, &x->world);
	backend_flush_exit(c, v);
	return action;
}

/* What the tracer spent since the vCPU's exit before, and it begins to spend again. */
static inline HOT uint64_t tracer_cycles(struct vmx_cpu *c, uint64_t now)
{
	uint64_t all = c->tracer_cycles, since = all - c->tracer_cycles_told;

	c->tracer_cycles_told = all;
	c->tracer_cycles = all - now;
	return since;
}

/*
 * No frame can have to be opened here, after registers have changed: the entry step has opened it, or used an
 * open one, and frames close only after exits and when a vCPU waits.
 */
static inline HOT enum exit_action exit_traced(struct vmx *x, struct vmx_cpu *c, struct vcpu *v,
					       enum trace_level level, struct item *items)
{
	struct encoder *e = &x->tracer.encoder;
	enum exit_action action;
	uint64_t now;
	bool plain;

	tracer_begin(&x->tracer, v, STEP_EXIT);
	if (level == TRACE_FULL) {
		backend_load_full(c, items);
		if (__builtin_expect(encoder_loaded(e, v), 0))
			guest_code_note(c);
	} else {	/* no notes: the walk would ask for fields that no handler asked for */
		backend_load_touched(c, items);
		encoder_loaded(e, v);
	}
	remember(&x->history, v, v->vmcs[VMCS_EXIT_REASON]);
	action = exit_dispatch(v, &x->vm, &x->world);
	now = x86_rdtsc();
	plain = encoder_end_exit(e, v, &x->vm, action, c->tsc_entry, now - v->tsc, tracer_cycles(c, now));
	tracer_step_done(&x->tracer, v->tsc);
	if (plain)
		backend_flush_rip(c, v);
	else
		backend_flush_exit(c, v);
	return action;
}

static inline HOT enum exit_action handle_exit(struct vmx *x, struct vmx_cpu *c, struct vcpu *v,
					       enum trace_level level, struct item *items)
{
	uint64_t now = x86_rdtsc();

	if (level == TRACE_OFF)
		x->time.guest += now - v->tsc;
	v->tsc = now;
	return level == TRACE_OFF ? exit_untraced(x, c, v) : exit_traced(x, c, v, level, items);
}

/* ---- The loop ---- */

static __attribute__((noinline, cold)) bool stop_requested(void)
{
	uint8_t byte;

	while (serial_receive(&serial_log, &byte))
		if (byte == REQUEST_STOP)
			return true;
	return false;
}

/*
 * Exits that are about the machine, not the guest: its interrupts, time, a vCPU that gives way. All but PAUSE
 * retire nothing.
 */
static __attribute__((noinline, cold)) bool machine_exit(struct vmx *x, struct vcpu *v, uint64_t reason)
{
	if (x->time.idle_since) {	/* nothing else ends a halt */
		x->time.idle += v->tsc - x->time.idle_since;
		x->time.idle_since = 0;
	}
	switch (reason) {
	case REASON_EXCEPTION_OR_NMI:
		if ((vmcs_read(v, VMCS_EXIT_INTR_INFO) & INTR_INFO_TYPE) == INTR_TYPE_NMI)
			host_unblock_nmi();
		return false;
	case REASON_EXTERNAL_INTERRUPT:
		host_end_interrupt();
		return false;
	case REASON_PAUSE:
		schedule_yield(x);
		return false;
	case REASON_PREEMPTION_TIMER:
		return stop_requested();
	default:
		return false;
	}
}

/* What is done at such exits, and once in a while: true when the run is to end. */
static inline HOT bool housekeeping(struct vmx *x, struct vcpu *v, enum exit_action action)
{
	uint64_t reason = v->vmcs[VMCS_EXIT_REASON];

	if (__builtin_expect(action != ACTION_RETIRE || reason == REASON_PAUSE, 0) && machine_exit(x, v, reason))
		return true;
	if (__builtin_expect(x->history.count % REQUEST_EXITS, 1))
		return false;
	return stop_requested();
}

/*
 * The next vCPU whose entry step says enter; NULL: the VM has stopped. Not cold: a loop behind a cold call
 * is, too.
 */
static __attribute__((noinline)) struct vmx_cpu *another(struct vmx *x)
{
	struct vmx_cpu *c = schedule_next(x);

	if (c) {
		backend_switch(c);
		backend_flush_entry(c, c->v);
	}
	return c;
}

/* Who is entered after an exit of `c`; NULL: the VM has stopped. */
static inline HOT struct vmx_cpu *next(struct vmx *x, struct vmx_cpu *c, struct vcpu *v,
				       enum trace_level level)
{
	uint64_t now = x86_rdtsc();
	bool goes_on = schedule_goes_on(x, now), changed;

	if (__builtin_expect(goes_on && entry_step_quiet(x, c, v, now, level), 1))
		return c;
	if (level != TRACE_OFF)
		tracer_ends(c, now);
	if (goes_on) {
		enum entry_result result = entry_step(x, c, now, &changed);

		if (result == ENTRY_ENTER) {
			if (changed)
				backend_flush_entry(c, v);
			return c;
		}
		if (result == ENTRY_STOP)
			return NULL;
	} else {
		c->step_due = true;
	}
	return another(x);
}

/* Compiled for each level, so that no exit is asked over and over how it is traced. */
static inline HOT struct vm_stop loop(struct vmx *x, enum trace_level level)
{
	struct vmx_cpu *c = another(x);

	while (c) {
		struct vcpu *v = c->v;
		struct item *items = backend_enter(c, v, level != TRACE_OFF);
		enum exit_action action = handle_exit(x, c, v, level, items);

		if (__builtin_expect(action != ACTION_RETIRE, 0) && action == ACTION_STOP)
			break;
		if (housekeeping(x, v, action))
			return (struct vm_stop){ .kind = STOP_STOPPED };
		c = next(x, c, v, level);
	}
	return x->vm.stop;
}

/*
 * Functions of their own, hot: a compiler that sees run() called once, by a function that never returns,
 * saves space.
 */
#define LOOP(name, level)								\
	static __attribute__((noinline, hot)) struct vm_stop name(struct vmx *x)	\
	{										\
		return loop(x, level);							\
	}
LOOP(loop_full, TRACE_FULL)
LOOP(loop_touched, TRACE_TOUCHED)
LOOP(loop_untraced, TRACE_OFF)

struct vm_stop run(struct vmx *x)
{
	x->time.start = x86_rdtsc();
	switch (x->tracer.level) {
	case TRACE_FULL:
		return loop_full(x);
	case TRACE_TOUCHED:
		return loop_touched(x);
	default:
		return loop_untraced(x);
	}
}
