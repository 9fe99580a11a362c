/*
 * Entry steps and time: the deadline that the VMX-preemption timer is set to (SDM, "VMX-Preemption
 * Timer"), slices, the TSC offset that hides what tracing takes, and input, which is asked for at times.
 */
#include "exit/entry.h"
#include "dev/uart.h"
#include "support/fake_irq.h"

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

static void timer_sets_the_deadline(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t start = f->now;

	fake_interrupts_on(v);
	fake_start_timer(f, 0, 0x40, 5000);
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

	fake_start_timer(f, 0, 0x40, FAKE_KHZ * 500 + 1);
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

	fake_interrupts_on(v);
	fake_start_timer(f, 0, 0x40, 5000);
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
	fake_apic_write(f, 0, APIC_INITIAL, 9000);
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

	fake_start_timer(f, 0, 0x40, 2 * cap);
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
	fake_start_timer(f, 0, 0x40, 200);
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

	fake_interrupts_on(v);
	fake_start_timer(f, 0, 0x40, 5000);
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

#define ONE(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, fake_setup_smp, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(nothing_to_do),
		ONE(timer_sets_the_deadline),
		ONE(far_deadline_is_none),
		ONE(goes_on_towards_a_deadline),
		ONE(far_deadline_comes_near),
		FOUR(slice_ends),
		ONE(no_slice_for_one),
		ONE(tracing_time_is_hidden),
		ONE(hidden_time_moves_the_timer),
		ONE(console_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
