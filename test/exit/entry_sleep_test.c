/*
 * Entry steps and sleep: HLT, in the guest (SDM, "Activity State" of the guest's non-register state) or
 * outside it while other vCPUs run; what ends it, and when nothing can.
 */
#include "exit/entry.h"
#include "support/fake_irq.h"

/* The only vCPU sleeps in the guest, until its timer is due. */
static void alone_in_hlt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t start = f->now;

	fake_start_timer(f, 0, 0x40, 7000);
	fake_halt(f, 0, false);
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

	fake_apic_enable(f, 0);
	fake_request(f, 0x41);
	fake_halt(f, 0, false);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_ENTER);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_ENTRY_INTR_INFO) & 0xff, 0x41);
	assert_int_equal(f->vm.cpu[0].activity, CPU_RUNNING);
}

static void extint_ends_halt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_start_pic(f);
	fake_halt(f, 0, false);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
	fake_raise_irq(f, 4);
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

	fake_start_pic(f);
	fake_out(f, PORT_PIT + 3, 1, 0x34);
	fake_out(f, PORT_PIT, 1, 0xe8);
	fake_out(f, PORT_PIT, 1, 0x03);
	due = f->vm.timer_next;
	assert_true(due > f->now && due < f->now + FAKE_KHZ * 2);
	fake_halt(f, 0, false);
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

	fake_start_timer(f, 0, 0x40, 7000);
	fake_halt(f, 0, true);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_DEADLOCK);
}

static void nmi_ends_masked_hlt(void **state)
{
	struct fake *f = *state;

	fake_halt(f, 0, true);
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
	fake_start_timer(f, 1, 0x40, 3000);
	fake_halt(f, 1, false);
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
	fake_interrupts_on(&f->cpu[1]);
	assert_int_equal(fake_enter(f, &f->cpu[1]), ENTRY_ENTER);
	assert_int_equal(vmcs_read(&f->cpu[1], VMCS_ENTRY_INTR_INFO) & 0xff, 0x40);
}

/* The last one to fall asleep sleeps in the guest, with the timer at the nearest wake-up of all. */
static void last_one_sleeps_in_the_guest(void **state)
{
	struct fake *f = *state;
	uint64_t start = f->now;

	f->vm.cpu[1].activity = CPU_RUNNING;
	fake_start_timer(f, 1, 0x40, 3000);
	fake_start_timer(f, 0, 0x41, 9000);
	fake_halt(f, 1, false);
	assert_int_equal(fake_enter(f, &f->cpu[1]), ENTRY_WAIT);
	fake_halt(f, 0, false);
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

	fake_halt(f, 0, true);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_DEADLOCK);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, fake_setup_smp, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(alone_in_hlt),
		ONE(hlt_with_interrupt_waiting),
		ONE(extint_ends_halt),
		ONE(other_timers_end_halt),
		ONE(hlt_for_ever),
		ONE(nmi_ends_masked_hlt),
		FOUR(waits_while_others_run),
		FOUR(last_one_sleeps_in_the_guest),
		FOUR(all_wait_for_sipi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
