/*
 * Entry steps: what is injected and when, windows, sleep and wake-up, INIT and SIPI, timers, input, TSC
 * offset.
 */
#include "support/fake.h"
#include "exit/entry.h"
#include "dev/irq.h"
#include "dev/uart.h"

#define SVR	0xf0
#define TIMER	0x320
#define INITIAL	0x380
#define DIVIDE	0x3e0
#define ICR	0x300
#define ICR_HIGH 0x310
#define SELF	0x40000

static void enable(struct fake *f, unsigned cpu)
{
	fake_apic_write(f, cpu, SVR, 0x1ff);
}

static void interrupts_on(struct vcpu *v)
{
	fake_set(v, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
}

static void request(struct fake *f, unsigned vector)
{
	fake_apic_write(f, 0, ICR, SELF | vector);
}

static void start_timer(struct fake *f, unsigned cpu, unsigned vector, uint32_t cycles)
{
	enable(f, cpu);
	fake_apic_write(f, cpu, DIVIDE, 0xb);
	fake_apic_write(f, cpu, TIMER, vector);
	fake_apic_write(f, cpu, INITIAL, cycles);
}

static void halt(struct fake *f, unsigned cpu, bool masked)
{
	fake_set(&f->cpu[cpu], VMCS_GUEST_RFLAGS, RFLAGS_FIXED | (masked ? 0 : RFLAGS_IF));
	fake_exit(f, &f->cpu[cpu], REASON_HLT, 0, 1);
}

/* Of the entry that came before, its event and activity are the processor's: taken. */
static void taken(struct vcpu *v)
{
	fake_set(v, VMCS_ENTRY_INTR_INFO, vmcs_read(v, VMCS_ENTRY_INTR_INFO) & ~(uint64_t)INTR_INFO_VALID);
}

/* The common step, in which only time passed, writes nothing and asks nothing. */
static void nothing_to_do(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	assert_int_equal(fake_enter(f, v), ENTRY_ENTER);
	assert_int_equal(v->deadline, TIME_NONE);
	assert_int_equal(vmcs_read(v, VMCS_PREEMPTION_TIMER_VALUE), FAKE_KHZ * 500);
	for (unsigned i = 0; i < 5; i++) {
		f->now += 100000 + i;
		assert_true(vcpu_goes_on(v, &f->vm));	/* fake_enter() holds it to that */
		assert_int_equal(fake_enter(f, v), ENTRY_ENTER);
	}
}

/* ---- Interrupts ---- */

static void interrupt_is_injected(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	enable(f, 0);
	interrupts_on(v);
	request(f, 0x41);
	assert_int_equal(fake_enter(f, v), ENTRY_ENTER);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x41);
	assert_int_equal(f->vm.cpu[0].attention, 0);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
}

/* The highest first; the next one of its class waits for EOI without a window. */
static void interrupts_by_priority(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	enable(f, 0);
	interrupts_on(v);
	request(f, 0x41);
	request(f, 0x92);
	request(f, 0x93);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x93);
	taken(v);
	fake_enter(f, v);
	assert_false(vcpu_has_event(v));
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
	fake_apic_write(f, 0, 0xb0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x92);
}

/* SDM, "Checks on Guest RIP, RFLAGS, and SSP" and on interruptibility: what forbids an external interrupt. */
static void window_instead_of_interrupt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	enable(f, 0);
	request(f, 0x41);
	fake_enter(f, v);			/* IF = 0 */
	assert_false(vcpu_has_event(v));
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
	interrupts_on(v);
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	fake_enter(f, v);
	assert_false(vcpu_has_event(v));
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	fake_enter(f, v);
	assert_false(vcpu_has_event(v));
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, 0);
	fake_exit(f, v, REASON_INTERRUPT_WINDOW, 0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x41);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
}

/* An exception is already queued: the interrupt comes when it has been delivered. */
static void queued_exception_goes_first(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	enable(f, 0);
	interrupts_on(v);
	request(f, 0x41);
	fake_exit(f, v, REASON_RDPMC, 0, 2);
	fake_enter(f, v);
	fake_assert_injected(v, VECTOR_GP, 0);
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
}

static void nmi(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	lapic_notify(&f->vm, &f->world, 0, 0);
	f->vm.cpu[0].nmi_pending = 1;
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	fake_enter(f, v);
	assert_false(vcpu_has_event(v));
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_NMI_WINDOW);
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_NMI | 2);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_NMI_WINDOW);
	assert_int_equal(f->vm.cpu[0].attention, 0);
}

/* SDM, "NMI-Window Exiting": without virtual NMIs the control must be 0. */
static void no_nmi_window_without_virtual_nmis(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT | PIN_NMI);
	f->vm.cpu[0].nmi_pending = f->vm.cpu[0].attention = 1;
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	fake_enter(f, v);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_NMI_WINDOW);
	assert_int_equal(f->vm.cpu[0].attention, 1);
}

/* NMI and interrupt at once: the NMI first, and a window for the other. */
static void nmi_before_interrupt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	enable(f, 0);
	interrupts_on(v);
	request(f, 0x41);
	f->vm.cpu[0].nmi_pending = 1;
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 2);
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
}

/* ---- Time ---- */

static void timer_sets_the_deadline(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t start = f->now;

	interrupts_on(v);
	start_timer(f, 0, 0x40, 5000);
	fake_enter(f, v);
	assert_int_equal(v->deadline, start + 5000);
	assert_int_equal(vmcs_read(v, VMCS_PREEMPTION_TIMER_VALUE), 5000);
	f->now = start + 1000;
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_PREEMPTION_TIMER_VALUE), 4000);
	assert_int_equal(fake_changes(v), 1);
	f->now = start + 5001;
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x40);
	assert_int_equal(v->deadline, TIME_NONE);
	assert_int_equal(vmcs_read(v, VMCS_PREEMPTION_TIMER_VALUE), FAKE_KHZ * 500);
}

/* Beyond half a second the value is the constant cap, and the deadline "none". */
static void far_deadline_is_none(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	start_timer(f, 0, 0x40, FAKE_KHZ * 500 + 1);
	fake_enter(f, v);
	assert_int_equal(v->deadline, TIME_NONE);
	assert_int_equal(vmcs_read(v, VMCS_PREEMPTION_TIMER_VALUE), FAKE_KHZ * 500);
	f->now += 2;
	fake_enter(f, v);
	assert_int_equal(v->deadline, f->now + FAKE_KHZ * 500 - 1);
}

/* Towards a deadline that stays, the short way is enough; not once it has come, or is another. */
static void goes_on_towards_a_deadline(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t start = f->now;

	interrupts_on(v);
	start_timer(f, 0, 0x40, 5000);
	assert_false(vcpu_goes_on(v, &f->vm));		/* the last entry knew of no timer */
	fake_enter(f, v);
	for (v->tsc = start; v->tsc < start + 5000; v->tsc += 499)
		assert_true(vcpu_goes_on(v, &f->vm));
	v->tsc = start + 5000;
	assert_false(vcpu_goes_on(v, &f->vm));
	f->now = start + 4999;
	assert_int_equal(fake_enter(f, v), ENTRY_ENTER);	/* held to what it promised */
	assert_int_equal(vmcs_read(v, VMCS_PREEMPTION_TIMER_VALUE), 1);
	f->now = start + 100;
	fake_apic_write(f, 0, INITIAL, 9000);
	assert_false(vcpu_goes_on(v, &f->vm));
	fake_enter(f, v);
	f->vm.cpu[0].attention = 1;
	v->tsc = f->now;
	assert_false(vcpu_goes_on(v, &f->vm));
	f->vm.cpu[0].attention = 0;
	f->vm.config.hide_tracing_time = 1;
	assert_false(vcpu_goes_on(v, &f->vm));
}

/* As one beyond the cap comes nearer, the deadline becomes one. */
static void far_deadline_comes_near(void **state)
{
	const uint64_t cap = FAKE_KHZ * 500;
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t start = f->now;

	start_timer(f, 0, 0x40, 2 * cap);
	fake_enter(f, v);
	assert_int_equal(v->deadline, TIME_NONE);
	v->tsc = start + cap;
	assert_true(vcpu_goes_on(v, &f->vm));
	v->tsc = start + cap + 1;
	assert_false(vcpu_goes_on(v, &f->vm));
	f->now = start + cap + 1;
	fake_enter(f, v);
	assert_int_equal(v->deadline, start + 2 * cap);
}

static void slice_ends(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	f->slice_end = f->now + 300;
	fake_enter(f, v);
	assert_int_equal(v->deadline, f->now + 300);
	start_timer(f, 0, 0x40, 200);
	fake_enter(f, v);
	assert_int_equal(v->deadline, f->now + 200);
	f->slice_end = f->now - 1;
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_PREEMPTION_TIMER_VALUE), 0);
}

/* Alone, a vCPU has no slice: the world isn't asked. */
static void no_slice_for_one(void **state)
{
	struct fake *f = *state;

	f->slice_end = f->now + 300;
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(fake_count(f, CROSSING_SLICE_END), 0);
	assert_int_equal(f->cpu[0].deadline, TIME_NONE);
}

static void tracing_time_is_hidden(void **state)
{
	struct fake *f = *state;

	f->tracer_cycles = 1000;
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_TSC_OFFSET), 0);
	assert_int_equal(fake_count(f, CROSSING_TRACER_CYCLES), 0);
	f->vm.config.hide_tracing_time = 1;
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_TSC_OFFSET), UINT64_MAX - 999);
	f->vm.cpu[0].tsc_offset = 5000;
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_TSC_OFFSET), 4000);
}

/* A deadline is a time of the VM's: what is hidden of the host's puts it off. */
static void hidden_time_moves_the_timer(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t start = f->now;

	interrupts_on(v);
	start_timer(f, 0, 0x40, 5000);
	f->vm.config.hide_tracing_time = 1;
	f->tracer_cycles = 700;
	fake_enter(f, v);
	assert_int_equal(v->deadline, start + 5700);
	f->now = start + 5699;
	fake_enter(f, v);
	assert_false(vcpu_has_event(v));
	f->now = start + 5700;
	f->tracer_cycles = 800;
	fake_enter(f, v);
	assert_int_equal(v->deadline, start + 5800);
	f->now = start + 5800;
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x40);
}

/* Typed bytes are asked for at intervals, and only when there is room and the guest is ready to receive. */
static void console_input(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	f->vm.config.console_input = 1;
	vm_reset(&f->vm);
	f->input = "ab";
	fake_enter(f, v);
	assert_int_equal(fake_count(f, CROSSING_CONSOLE_IN), 0);
	f->vm.uart.mcr = 2;
	f->now += FAKE_KHZ * UART_POLL_MS;
	fake_enter(f, v);
	assert_int_equal(fake_count(f, CROSSING_CONSOLE_IN), 1);
	assert_int_equal(f->vm.uart.rx[0], 'a');
	assert_true(f->vm.touched & 1 << VM_DEVICE_UART);
	fake_enter(f, v);
	assert_int_equal(f->log_count, 0);
	f->now += FAKE_KHZ * UART_POLL_MS;
	fake_enter(f, v);			/* full: not even asked */
	assert_int_equal(f->log_count, 0);
	f->vm.uart.rx_count = 0;
	f->now += FAKE_KHZ * UART_BUSY_MS;
	fake_enter(f, v);
	assert_int_equal(f->vm.uart.rx[0], 'b');
}

/* ---- Sleep ---- */

/* The only vCPU sleeps in the guest, until its timer is due. */
static void alone_in_hlt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t start = f->now;

	start_timer(f, 0, 0x40, 7000);
	halt(f, 0, false);
	assert_int_equal(fake_enter(f, v), ENTRY_ENTER);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
	assert_int_equal(v->deadline, start + 7000);
	assert_int_equal(f->vm.cpu[0].wake_at, start + 7000);
	/* Woken too early: it sleeps on. */
	f->now = start + 10;
	fake_exit(f, v, REASON_EXTERNAL_INTERRUPT, 0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
	f->now = start + 7000;
	fake_exit(f, v, REASON_PREEMPTION_TIMER, 0, 0);
	assert_int_equal(fake_enter(f, v), ENTRY_ENTER);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x40);
	assert_int_equal(f->vm.cpu[0].activity, CPU_RUNNING);
}

/* An interrupt that came before HLT ends it at once. */
static void hlt_with_interrupt_waiting(void **state)
{
	struct fake *f = *state;

	enable(f, 0);
	request(f, 0x41);
	halt(f, 0, false);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_ENTER);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_ENTRY_INTR_INFO) & 0xff, 0x41);
	assert_int_equal(f->vm.cpu[0].activity, CPU_RUNNING);
}

/* ---- The 8259 pair's interrupts ("virtual wire"): IRQ 4 at vector 0x34 ---- */

static void start_pic(struct fake *f)
{
	static const uint8_t words[] = { 0x30, 0x04, 0x01 };

	fake_out(f, PORT_PIC_MASTER, 1, 0x11);
	for (unsigned i = 0; i < sizeof(words); i++)
		fake_out(f, PORT_PIC_MASTER + 1, 1, words[i]);
}

static void raise_irq(struct fake *f, unsigned irq)
{
	irq_set(&f->vm, &f->world, 0, irq, true);
}

static void extint_is_injected(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	start_pic(f);
	raise_irq(f, 4);
	fake_enter(f, v);			/* IF = 0: it isn't acknowledged */
	assert_false(vcpu_has_event(v));
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
	assert_int_equal(f->vm.pic.chip[0].isr, 0);
	interrupts_on(v);
	fake_exit(f, v, REASON_INTERRUPT_WINDOW, 0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x34);
	assert_int_equal(f->vm.pic.chip[0].isr, 1 << 4);
	assert_int_equal(f->vm.cpu[0].attention, 0);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
	taken(v);
	fake_enter(f, v);			/* once */
	assert_false(vcpu_has_event(v));
}

/* It goes past TPR, and before what the local APIC has; that one gets a window. */
static void extint_before_fixed(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	start_pic(f);
	interrupts_on(v);
	raise_irq(f, 4);
	request(f, 0x91);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x34);
	assert_int_equal(f->vm.cpu[0].attention, 1);
	taken(v);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x91);
	taken(v);
	fake_apic_write(f, 0, 0x80, 0xff);
	raise_irq(f, 3);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x33);
}

/* SDM, "Enabling or Disabling the Local APIC": the INTR pin of a processor without it. */
static void extint_without_apic(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	start_pic(f);
	interrupts_on(v);
	lapic_set_base(&f->vm, &f->world, 0, 0xfee00100);
	raise_irq(f, 4);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x34);
}

static void extint_ends_halt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	start_pic(f);
	halt(f, 0, false);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
	raise_irq(f, 4);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x34);
}

/* A vCPU in HLT sleeps until any timer of the VM is due, not its own alone. */
static void other_timers_end_halt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t due;

	start_pic(f);
	fake_out(f, PORT_PIT + 3, 1, 0x34);
	fake_out(f, PORT_PIT, 1, 0xe8);
	fake_out(f, PORT_PIT, 1, 0x03);
	due = f->vm.timer_next;
	assert_true(due > f->now && due < f->now + FAKE_KHZ * 2);
	halt(f, 0, false);
	assert_int_equal(fake_enter(f, v), ENTRY_ENTER);
	assert_int_equal(v->deadline, due + f->vm.hidden);
	f->now = v->deadline;
	fake_exit(f, v, REASON_PREEMPTION_TIMER, 0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x30);
	assert_int_equal(f->vm.cpu[0].activity, CPU_RUNNING);
}

/* With interrupts off nothing but NMI and INIT ends it; if nobody can send one, that is the end. */
static void hlt_for_ever(void **state)
{
	struct fake *f = *state;

	start_timer(f, 0, 0x40, 7000);
	halt(f, 0, true);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_DEADLOCK);
}

static void nmi_ends_masked_hlt(void **state)
{
	struct fake *f = *state;

	halt(f, 0, true);
	f->vm.cpu[0].nmi_pending = f->vm.cpu[0].attention = 1;
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_ENTER);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_NMI | 2);
}

/* While another vCPU runs, one in HLT waits outside the guest. */
static void waits_while_others_run(void **state)
{
	struct fake *f = *state;
	uint64_t start = f->now;

	f->vm.cpu[1].activity = CPU_RUNNING;
	start_timer(f, 1, 0x40, 3000);
	halt(f, 1, false);
	assert_true(vm_cpu_wants_step(&f->vm, 1, f->now));	/* its own step decides */
	assert_int_equal(fake_enter(f, &f->cpu[1]), ENTRY_WAIT);
	assert_int_equal(f->cpu[1].wake_at, start + 3000);
	assert_false(vm_cpu_wants_step(&f->vm, 1, start + 2999));
	assert_true(vm_cpu_wants_step(&f->vm, 1, start + 3000));
	/* Any vCPU's step brings all timers to its time: the deadline is the sleeper's. */
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(f->cpu[0].deadline, start + 3000);
	f->now = start + 3000;
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(fake_find(f, CROSSING_KICK, 0)->addr, 1);
	assert_true(vm_cpu_wants_step(&f->vm, 1, f->now));
	interrupts_on(&f->cpu[1]);
	assert_int_equal(fake_enter(f, &f->cpu[1]), ENTRY_ENTER);
	assert_int_equal(vmcs_read(&f->cpu[1], VMCS_ENTRY_INTR_INFO) & 0xff, 0x40);
}

/* The last one to fall asleep sleeps in the guest, with the timer at the nearest wake-up of all. */
static void last_one_sleeps_in_the_guest(void **state)
{
	struct fake *f = *state;
	uint64_t start = f->now;

	f->vm.cpu[1].activity = CPU_RUNNING;
	start_timer(f, 1, 0x40, 3000);
	start_timer(f, 0, 0x41, 9000);
	halt(f, 1, false);
	assert_int_equal(fake_enter(f, &f->cpu[1]), ENTRY_WAIT);
	halt(f, 0, false);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_ENTER);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
	assert_int_equal(f->cpu[0].deadline, start + 3000);
	/* Then the other one is due, and this one waits. */
	f->now = start + 3000;
	fake_exit(f, &f->cpu[0], REASON_PREEMPTION_TIMER, 0, 0);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_WAIT);
	assert_true(vm_cpu_wants_step(&f->vm, 1, f->now));
}

static void all_wait_for_sipi(void **state)
{
	struct fake *f = *state;

	halt(f, 0, true);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_DEADLOCK);
}

/* ---- INIT and SIPI (SDM, "MP Initialization") ---- */

static void send(struct fake *f, unsigned from, unsigned to, uint32_t command)
{
	fake_apic_write(f, from, ICR_HIGH, to << 24);
	fake_apic_write(f, from, ICR, command);
}

static void sipi_starts(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[2];

	assert_int_equal(fake_enter(f, v), ENTRY_WAIT);
	assert_false(vm_cpu_wants_step(&f->vm, 2, TIME_NONE - 1));
	send(f, 0, 2, 0x4500);
	assert_true(vm_cpu_wants_step(&f->vm, 2, f->now));
	assert_int_equal(fake_enter(f, v), ENTRY_WAIT);
	assert_int_equal(fake_count(f, CROSSING_DR_WRITE), 5);
	assert_int_equal(fake_count(f, CROSSING_INVVPID), 1);
	send(f, 0, 2, 0x4600 | 0x12);
	send(f, 0, 2, 0x4600 | 0x12);
	assert_int_equal(fake_enter(f, v), ENTRY_ENTER);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_SELECTOR), 0x1200);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_BASE), 0x12000);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), 0);
	assert_int_equal(f->vm.cpu[2].activity, CPU_RUNNING);
	/* A second one finds it running. */
	send(f, 0, 2, 0x4600 | 0x34);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_SELECTOR), 0x1200);
}

/* INIT and SIPI both sent before the target's step. */
static void init_and_sipi_at_once(void **state)
{
	struct fake *f = *state;

	send(f, 0, 3, 0x4500);
	send(f, 0, 3, 0x4600 | 0x08);
	assert_int_equal(fake_enter(f, &f->cpu[3]), ENTRY_ENTER);
	assert_int_equal(vmcs_read(&f->cpu[3], VMCS_GUEST_CS_BASE), 0x8000);
}

/* SDM, "Processor States Following Power-up, Reset, or INIT": from the middle of long mode. */
static void init_resets_state(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[1];

	f->vm.cpu[1].activity = CPU_RUNNING;
	fake_long_mode(f, v);
	v->gpr[GPR_RAX] = 1;
	f->vm.cpu[1].xcr0 = 7;
	f->vm.cpu[1].nmi_pending = 1;
	fake_set(v, VMCS_ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x30);
	fake_set(v, VMCS_PROC_CONTROLS, PROC_INTERRUPT_WINDOW | PROC_HLT);
	fake_set(v, VMCS_GUEST_SYSENTER_CS, 8);
	start_timer(f, 1, 0x40, 1000);
	send(f, 0, 1, 0x4500);
	assert_int_equal(fake_enter(f, v), ENTRY_WAIT);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR0), CR0_ET | CR0_NE);
	assert_int_equal(vcpu_cr0(v), CR0_CD | CR0_NW | CR0_ET);
	assert_int_equal(vcpu_cr4(v), 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR4), CR4_VMXE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_EFER), 0);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_CONTROLS) & ENTRY_IA32E, 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RFLAGS), 2);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_BASE), 0xffff0000);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), 0xfff0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_DR7), 0x400);
	assert_int_equal(v->gpr[GPR_RAX], 0);
	assert_int_equal(v->gpr[GPR_RDX], 0x00050654);	/* the processor's signature */
	assert_false(vcpu_has_event(v));
	assert_int_equal(vmcs_read(v, VMCS_PROC_CONTROLS), PROC_HLT);
	assert_int_equal(f->vm.cpu[1].nmi_pending, 0);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
	assert_int_equal(fake_apic_read(f, 1, 0x20), 1 << 24);
	/* What INIT leaves alone */
	assert_int_equal(f->vm.cpu[1].xcr0, 7);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_SYSENTER_CS), 8);
}

static void init_of_the_bsp_is_a_reset(void **state)
{
	struct fake *f = *state;

	send(f, 1, 0, 0x4500);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_RESET);
}

/* Multiboot: 32-bit flat protected mode, magic and information in EAX and EBX. */
static void multiboot_state(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	assert_int_equal(v->gpr[GPR_RAX], 0x2badb002);
	assert_int_equal(v->gpr[GPR_RBX], 0x9000);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_ACCESS_RIGHTS), 0xc09b);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_LIMIT), 0xffffffff);
	assert_int_equal(vcpu_cr0(v), CR0_PE | CR0_ET);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RFLAGS), RFLAGS_FIXED);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, fake_setup_smp, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(nothing_to_do),
		ONE(interrupt_is_injected),
		ONE(interrupts_by_priority),
		ONE(window_instead_of_interrupt),
		ONE(queued_exception_goes_first),
		ONE(nmi),
		ONE(no_nmi_window_without_virtual_nmis),
		ONE(nmi_before_interrupt),
		ONE(timer_sets_the_deadline),
		ONE(far_deadline_is_none),
		ONE(goes_on_towards_a_deadline),
		ONE(far_deadline_comes_near),
		FOUR(slice_ends),
		ONE(no_slice_for_one),
		ONE(tracing_time_is_hidden),
		ONE(hidden_time_moves_the_timer),
		ONE(console_input),
		ONE(alone_in_hlt),
		ONE(hlt_with_interrupt_waiting),
		ONE(extint_is_injected),
		ONE(extint_before_fixed),
		ONE(extint_without_apic),
		ONE(extint_ends_halt),
		ONE(other_timers_end_halt),
		ONE(hlt_for_ever),
		ONE(nmi_ends_masked_hlt),
		FOUR(waits_while_others_run),
		FOUR(last_one_sleeps_in_the_guest),
		FOUR(all_wait_for_sipi),
		FOUR(sipi_starts),
		FOUR(init_and_sipi_at_once),
		FOUR(init_resets_state),
		FOUR(init_of_the_bsp_is_a_reset),
		ONE(multiboot_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
