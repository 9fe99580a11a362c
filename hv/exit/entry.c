/*
 * entry.c: what is decided between an exit and the next entry: time, events, sleep, timers.
 *
 * Called by metal when the scheduler picks a vCPU, and by replay. The common case, in which nothing is due,
 * reads a few words and writes nothing. What makes a vCPU run again is in struct vm alone, so that any
 * vCPU's step can post it: cpu->attention says that its owner must look.
 */
#include "exit/entry.h"
#include "exit/exit.h"
#include "exit/startup.h"
#include "dev/lapic.h"
#include "dev/pic.h"
#include "dev/pv_eoi.h"
#include "dev/timers.h"
#include "dev/vm_state.h"

#define WINDOWS (PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW)

/* Most steps find every field as it must be; a write is an effect to flush and to record. */
static __attribute__((noinline)) void vmcs_change(struct vcpu *v, enum vmcs_slot slot, uint64_t value)
{
	if (vmcs_read(v, slot) != value)
		vmcs_write(v, slot, value);
}

static inline void vmcs_update(struct vcpu *v, enum vmcs_slot slot, uint64_t value)
{
	if (__builtin_expect(!slot_test(v->loaded, slot) || v->vmcs[slot] != value, 0))
		vmcs_change(v, slot, value);
}

bool vm_cpu_wants_step(const struct vm *vm, unsigned index, uint64_t now)
{
	const struct vm_cpu *cpu = &vm->cpu[index];

	return cpu->activity == CPU_RUNNING || cpu->attention || cpu->wake_at <= vm_time(vm, now);
}

/* ---- Events ---- */

static bool can_take_nmi(struct vcpu *v)
{
	/* SDM, "Checks on Guest Non-Register State": some processors want no blocking by STI either. */
	return !vcpu_has_event(v) && !(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY) &
				       (BLOCKING_NMI | BLOCKING_MOV_SS | BLOCKING_STI));
}

static bool can_take_interrupt(struct vcpu *v)
{
	return !vcpu_has_event(v) && (vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_IF) &&
	       !(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_MOV_SS | BLOCKING_STI));
}

/*
 * SDM, "NMI-Window Exiting": it may be set only with virtual NMIs. Without them the NMI waits for another
 * exit.
 */
static uint32_t nmi_window(struct vcpu *v)
{
	return vmcs_read(v, VMCS_PIN_CONTROLS) & PIN_VIRTUAL_NMIS ? PROC_NMI_WINDOW : 0;
}

/* Inject the NMI or the interrupt that may be delivered now; ask to be told when the others may be. */
static void deliver(struct vcpu *v, struct vm *vm, struct world *w)
{
	struct vm_cpu *cpu = &vm->cpu[v->index];
	uint64_t controls = vmcs_read(v, VMCS_PROC_CONTROLS) & ~(uint64_t)WINDOWS;
	int vector = lapic_pending(cpu);
	bool extint = lapic_extint(vm, cpu);

	if (cpu->nmi_pending) {
		if (can_take_nmi(v)) {
			vcpu_queue_event(v, INTR_TYPE_NMI | VECTOR_NMI, 0, 0);
			cpu->nmi_pending = 0;
			vm_touch_cpu(vm, v->index);
		} else {
			controls |= nmi_window(v);
		}
	}
	if (extint || vector >= 0) {
		if (can_take_interrupt(v) && extint) {
			cpu->extint_pending = 0;
			vm_touch_cpu(vm, v->index);
			vcpu_queue_event(v, INTR_TYPE_EXTERNAL | pic_acknowledge(vm, w, v->index), 0, 0);
		} else if (can_take_interrupt(v)) {
			vcpu_queue_event(v, INTR_TYPE_EXTERNAL | (uint32_t)vector, 0, 0);
			lapic_accept(vm, v->index, (unsigned)vector);
		} else {
			controls |= PROC_INTERRUPT_WINDOW;
		}
	}
	vmcs_update(v, VMCS_PROC_CONTROLS, controls);
}

static bool ends_halt(struct vcpu *v, const struct vm *vm, const struct vm_cpu *cpu)
{
	if (cpu->nmi_pending && can_take_nmi(v))
		return true;
	return cpu->activity == CPU_HALTED && (lapic_pending(cpu) >= 0 || lapic_extint(vm, cpu));
}

static void set_activity(struct vm *vm, unsigned index, enum cpu_activity activity)
{
	vm->cpu[index].activity = activity;
	vm_touch_cpu(vm, index);
}

/* Something was posted for this vCPU, or is still waiting to be delivered. Gives false when the VM ended. */
static bool attend(struct vcpu *v, struct vm *vm, struct world *w)
{
	struct vm_cpu *cpu = &vm->cpu[v->index];
	uint32_t attention;

	pv_eoi_take(vm, w, v->index);
	if (cpu->init_pending && !vcpu_take_init(v, vm, w))
		return false;
	if (cpu->activity == CPU_WAIT_SIPI && cpu->sipi_pending)
		vcpu_take_sipi(v, vm);
	if ((cpu->activity == CPU_HALTED || cpu->activity == CPU_HALTED_MASKED) && ends_halt(v, vm, cpu)) {
		set_activity(vm, v->index, CPU_RUNNING);
		vmcs_update(v, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	}
	if (cpu->activity == CPU_RUNNING) {
		deliver(v, vm, w);
		pv_eoi_offer(vm, w, v->index);
	}
	/* What a sleeping vCPU can't take now it will see when it wakes. */
	attention = cpu->activity == CPU_RUNNING &&
		    (cpu->nmi_pending || cpu->pv_eoi_offered || lapic_requested(&cpu->lapic) ||
		     lapic_extint(vm, cpu));
	if (attention != cpu->attention) {
		cpu->attention = attention;
		vm_touch_cpu(vm, v->index);
	}
	return true;
}

/* ---- The entry itself ---- */

/* `deadline`: host TSC. */
static inline enum entry_result enter(struct vcpu *v, struct vm *vm, uint64_t deadline)
{
	const struct vm_config *config = &vm->config;

	/* Beyond the cap the timer's value is a constant, whatever the time is. */
	if (deadline > v->tsc && deadline - v->tsc >= vm_timer_cap(config))
		deadline = TIME_NONE;
	vmcs_update(v, VMCS_PREEMPTION_TIMER_VALUE, vm_timer_value(config, deadline, v->tsc));
	vmcs_update(v, VMCS_TSC_OFFSET, vm->cpu[v->index].tsc_offset - vm->hidden);
	v->deadline = deadline;
	v->wake_at = TIME_NONE;
	v->entry = ENTRY_ENTER;
	return ENTRY_ENTER;
}

static enum entry_result stop(struct vcpu *v)
{
	v->deadline = TIME_NONE;
	v->wake_at = TIME_NONE;
	v->entry = ENTRY_STOP;
	return ENTRY_STOP;
}

/* Whether anything that this VM has can still wake vCPU `cpu`. */
static bool can_wake(const struct vm_cpu *cpu)
{
	return cpu->activity == CPU_HALTED;
}

/*
 * It has nothing to run. While another vCPU has, it waits. If it is the last one awake it sleeps in the
 * guest, in activity state HLT, where time costs nothing, until the first of all is due.
 */
static enum entry_result idle(struct vcpu *v, struct vm *vm)
{
	struct vm_cpu *cpu = &vm->cpu[v->index];
	uint64_t wake_at = cpu->activity == CPU_HALTED ? cpu->lapic.timer_deadline : TIME_NONE;
	/*
	 * Whom the timers of the PC wake, their interrupts' ways decide: whoever sleeps last watches for
	 * all.
	 */
	uint64_t nearest = vm->timer_next;
	bool wakes = can_wake(cpu);

	if (cpu->wake_at != wake_at) {
		cpu->wake_at = wake_at;
		vm_touch_cpu(vm, v->index);
	}
	for (unsigned i = 0; i < vm_cpus(vm); i++) {
		if (i == v->index)
			continue;
		if (vm_cpu_wants_step(vm, i, v->tsc)) {
			v->deadline = TIME_NONE;
			v->wake_at = vm_host_time(vm, wake_at);
			v->entry = ENTRY_WAIT;
			return ENTRY_WAIT;
		}
		wakes |= can_wake(&vm->cpu[i]);
	}
	if (!wakes) {
		vm_end(vm, STOP_DEADLOCK, 0);
		return stop(v);
	}
	vmcs_update(v, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	return enter(v, vm, vm_host_time(vm, nearest));
}

static inline enum entry_result enter_running(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t deadline = vm_host_time(vm, vm->timer_next);

	if (vm->config.cpu_count > 1) {
		uint64_t slice_end = w->ops->slice_end(w);

		if (slice_end < deadline)
			deadline = slice_end;
	}
	return enter(v, vm, deadline);
}

/* The VM's time stands still while the tracer works. */
static void hide_tracing_time(struct vm *vm, struct world *w)
{
	uint64_t hidden = vm->config.tsc_start + w->ops->tracer_cycles(w);

	if (hidden == vm->hidden)
		return;
	vm->hidden = hidden;
	vm_touch(vm, VM_DEVICE_VM);
}

/*
 * Metal takes a shorter way where vcpu_goes_on(); replay doesn't, and so sees to it that nothing is missed
 * there.
 */
enum entry_result vcpu_prepare_entry(struct vcpu *v, struct vm *vm, struct world *w)
{
	struct vm_cpu *cpu = &vm->cpu[v->index];
	uint64_t now;

	if (vm->config.hide_tracing_time)
		hide_tracing_time(vm, w);
	now = vm_time(vm, v->tsc);
	if (now >= vm->timer_next)
		timers_run(vm, w, v->index, now);
	if (cpu->attention && !attend(v, vm, w))
		return stop(v);
	if (cpu->activity != CPU_RUNNING)
		return idle(v, vm);
	return enter_running(v, vm, w);
}
