/*
 * Exits about events: exceptions and NMIs, windows, the host's interrupts, HLT, and the one-line
 * instructions.
 */
#include "support/fake_irq.h"

static enum exit_action exception(struct fake *f, uint32_t info, uint32_t error_code, uint64_t qualification,
				  unsigned length)
{
	fake_set(&f->cpu[0], VMCS_EXIT_INTR_INFO, info | INTR_INFO_VALID);
	fake_set(&f->cpu[0], VMCS_EXIT_INTR_ERROR_CODE, error_code);
	return fake_exit(f, &f->cpu[0], REASON_EXCEPTION_OR_NMI, qualification, length);
}

/* SDM, "Information for VM Exits Due to Vectored Events": the guest gets what it would have had. */
static void exceptions_are_reflected(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	assert_int_equal(exception(f, INTR_TYPE_HARDWARE | VECTOR_UD, 0, 0, 0), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_UD, -1);
	assert_int_equal(exception(f, INTR_TYPE_HARDWARE | INTR_INFO_ERROR_CODE | VECTOR_AC, 0, 0, 0),
			 ACTION_INJECT);
	fake_assert_injected(v, VECTOR_AC, 0);
	assert_int_equal(exception(f, INTR_TYPE_HARDWARE | INTR_INFO_ERROR_CODE | VECTOR_GP, 0x28, 0, 0),
			 ACTION_INJECT);
	fake_assert_injected(v, VECTOR_GP, 0x28);
}

/* SDM, "Exit Qualification" for page faults: the linear address; CR2 isn't updated by the processor. */
static void page_fault_sets_cr2(void **state)
{
	struct fake *f = *state;

	assert_int_equal(exception(f, INTR_TYPE_HARDWARE | INTR_INFO_ERROR_CODE | VECTOR_PF, 6, 0xdead000,
				   0), ACTION_INJECT);
	fake_assert_injected(&f->cpu[0], VECTOR_PF, 6);
	assert_int_equal(f->cpu[0].gpr[GPR_CR2], 0xdead000);
}

/* SDM, "Architectural State Before a VM Exit": DR6, DR7.GD and DEBUGCTL are as before the debug exception. */
static void debug_exception_updates_registers(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	f->dr[6] = DR6_FIXED | 1;
	fake_set(v, VMCS_GUEST_DR7, DR7_FIXED | DR7_GD);
	assert_int_equal(exception(f, INTR_TYPE_HARDWARE | VECTOR_DB, 0, 0x4002, 0), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_DB, -1);
	assert_int_equal(f->dr[6], DR6_FIXED | 0x4002);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_DR7), DR7_FIXED);
	assert_false(vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_RF);
}

/* INT3: a software exception, with the instruction's length. */
static void breakpoint_keeps_its_length(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	assert_int_equal(exception(f, INTR_TYPE_SOFTWARE_EXC | VECTOR_BP, 0, 0, 1), ACTION_INJECT);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO),
			 INTR_INFO_VALID | INTR_TYPE_SOFTWARE_EXC | VECTOR_BP);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INSTRUCTION_LEN), 1);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE);
}

static void host_nmi_is_metals(void **state)
{
	assert_int_equal(exception(*state, INTR_TYPE_NMI | VECTOR_NMI, 0, 0, 0), ACTION_RESUME);
	assert_int_equal(fake_changes(&((struct fake *)*state)->cpu[0]), 0);
}

static void machine_check_stops(void **state)
{
	struct fake *f = *state;

	assert_int_equal(exception(f, INTR_TYPE_HARDWARE | VECTOR_MC, 0, 0, 0), ACTION_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_UNHANDLED);
}

/* SDM: "NMI unblocking due to IRET", but for a double fault, and in the middle of a delivery */
static void nmi_blocking_is_restored(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	exception(f, INTR_TYPE_HARDWARE | INTR_INFO_ERROR_CODE | INTR_INFO_NMI_UNBLOCK | VECTOR_GP, 0, 0, 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), BLOCKING_NMI);
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, 0);
	exception(f, INTR_TYPE_HARDWARE | INTR_INFO_ERROR_CODE | INTR_INFO_NMI_UNBLOCK | VECTOR_DF, 0, 0, 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), 0);
	fake_set(v, VMCS_IDT_VECTORING_INFO, INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x30);
	exception(f, INTR_TYPE_HARDWARE | INTR_INFO_ERROR_CODE | INTR_INFO_NMI_UNBLOCK | VECTOR_GP, 0, 0, 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), 0);
}

/*
 * SDM, "Information for VM Exits That Occur During Event Delivery": the exit came while an interrupt was delivered.
 * It is delivered again and not lost, nor taken from the local APIC a second time; another one waits for a window.
 */
static void interrupted_interrupt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_apic_enable(f, 0);
	fake_set(v, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	fake_apic_write(f, 0, 0x300, 0x40000 | 0x51);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x51);
	fake_apic_write(f, 0, 0x300, 0x40000 | 0x91);
	fake_set(v, VMCS_ENTRY_INTR_INFO, 0);
	fake_set(v, VMCS_IDT_VECTORING_INFO, INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x51);
	fake_exit(f, v, REASON_PREEMPTION_TIMER, 0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x51);
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
	assert_int_equal(f->vm.cpu[0].lapic.isr[0x51 / 32], 1u << 0x51 % 32);
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), 0x91);
	fake_set(v, VMCS_ENTRY_INTR_INFO, 0);
	fake_exit(f, v, REASON_INTERRUPT_WINDOW, 0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x91);
}

static void windows_close(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_PROC_CONTROLS, PROC_HLT | PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW);
	assert_int_equal(fake_exit(f, v, REASON_INTERRUPT_WINDOW, 0, 0), ACTION_RESUME);
	assert_int_equal(vmcs_read(v, VMCS_PROC_CONTROLS), PROC_HLT | PROC_NMI_WINDOW);
	assert_int_equal(fake_exit(f, v, REASON_NMI_WINDOW, 0, 0), ACTION_RESUME);
	assert_int_equal(vmcs_read(v, VMCS_PROC_CONTROLS), PROC_HLT);
}

static void time_passes(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	assert_int_equal(fake_exit(f, v, REASON_EXTERNAL_INTERRUPT, 0, 0), ACTION_RESUME);
	assert_int_equal(fake_changes(v), 0);
	assert_int_equal(fake_exit(f, v, REASON_PREEMPTION_TIMER, 0, 0), ACTION_RESUME);
	assert_int_equal(fake_changes(v), 0);
	assert_int_equal(f->vm.touched, 0);
}

static void triple_fault_stops(void **state)
{
	struct fake *f = *state;

	assert_int_equal(fake_exit(f, &f->cpu[0], REASON_TRIPLE_FAULT, 0, 0), ACTION_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_TRIPLE_FAULT);
}

/* ---- HLT ---- */

static void hlt_sleeps(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);	/* STI; HLT */
	assert_int_equal(fake_exit(f, v, REASON_HLT, 0, 1), ACTION_RETIRE);
	assert_int_equal(f->vm.cpu[0].activity, CPU_HALTED);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE + 1);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_int_equal(f->vm.touched, 1 << VM_DEVICE_CPU0);
}

static void hlt_with_interrupts_off(void **state)
{
	struct fake *f = *state;

	fake_exit(f, &f->cpu[0], REASON_HLT, 0, 1);
	assert_int_equal(f->vm.cpu[0].activity, CPU_HALTED_MASKED);
}

/* The trap after HLT comes before the sleep. */
static void hlt_under_single_step(void **state)
{
	struct fake *f = *state;

	fake_set(&f->cpu[0], VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
	assert_int_equal(fake_exit(f, &f->cpu[0], REASON_HLT, 0, 1), ACTION_RETIRE);
	assert_int_equal(f->vm.cpu[0].activity, CPU_RUNNING);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_GUEST_PENDING_DBG_EXCEPTIONS), PENDING_DBG_BS);
}

static void cache_instructions_retire(void **state)
{
	struct fake *f = *state;

	assert_int_equal(fake_exit(f, &f->cpu[0], REASON_WBINVD, 0, 2), ACTION_RETIRE);
	assert_int_equal(fake_exit(f, &f->cpu[0], REASON_INVD, 0, 2), ACTION_RETIRE);
	assert_int_equal(fake_exit(f, &f->cpu[0], REASON_RDPMC, 0, 2), ACTION_INJECT);
	fake_assert_injected(&f->cpu[0], VECTOR_GP, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exceptions_are_reflected),
		TEST(page_fault_sets_cr2),
		TEST(debug_exception_updates_registers),
		TEST(breakpoint_keeps_its_length),
		TEST(host_nmi_is_metals),
		TEST(machine_check_stops),
		TEST(nmi_blocking_is_restored),
		TEST(interrupted_interrupt),
		TEST(windows_close),
		TEST(time_passes),
		TEST(triple_fault_stops),
		TEST(hlt_sleeps),
		TEST(hlt_with_interrupts_off),
		TEST(hlt_under_single_step),
		TEST(cache_instructions_retire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
