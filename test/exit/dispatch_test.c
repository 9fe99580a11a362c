/*
 * Dispatch: bit 31, bounds, what retiring an instruction does, re-injection of interrupted events, double
 * faults.
 */
#include "support/fake.h"

static struct vcpu *bsp(void **state)
{
	return &((struct fake *)*state)->cpu[0];
}

/* SDM, "Basic VM-Exit Information": bit 31 says that the entry failed, whatever the basic reason is. */
static void entry_failure_stops(void **state)
{
	struct fake *f = *state;

	assert_int_equal(fake_exit(f, bsp(state), REASON_CPUID | EXIT_REASON_ENTRY_FAILURE, 4, 2),
			 ACTION_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_ENTRY_FAILURE);
	assert_int_equal(f->vm.stop.value, 4);
}

static void unknown_reason_stops(void **state)
{
	struct fake *f = *state;

	assert_int_equal(fake_exit(f, bsp(state), 200, 0, 2), ACTION_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_UNHANDLED);
	assert_int_equal(f->vm.stop.value, 200);
}

/* Every reason of exits.def: the instructions that CPUID hides give #UD (SDM, "Interrupt 6"). */
static void hidden_instructions_are_undefined(void **state)
{
	static const uint8_t reasons[] = {
		REASON_GETSEC, REASON_RSM, REASON_VMCLEAR, REASON_VMLAUNCH, REASON_VMXON, REASON_MWAIT,
		REASON_MONITOR, REASON_INVEPT, REASON_RDRAND, REASON_RDSEED,
	};
	struct vcpu *v = bsp(state);

	for (unsigned i = 0; i < sizeof(reasons); i++) {
		uint64_t rip = vmcs_read(v, VMCS_GUEST_RIP);

		assert_int_equal(fake_exit(*state, v, reasons[i], 0, 3), ACTION_INJECT);
		fake_assert_injected(v, VECTOR_UD, -1);
		assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), rip);
	}
}

static void impossible_exits_stop(void **state)
{
	static const uint8_t reasons[] = {
		REASON_INIT_SIGNAL, REASON_MOV_DR, REASON_RDTSC, REASON_EPT_MISCONFIGURATION, REASON_TASK_SWITCH,
		REASON_RESERVED_35,
	};

	for (unsigned i = 0; i < sizeof(reasons); i++) {
		struct fake *f = fake_new(1);

		assert_int_equal(fake_exit(f, &f->cpu[0], reasons[i], 0, 3), ACTION_STOP);
		assert_int_equal(f->vm.stop.kind, STOP_UNHANDLED);
		assert_int_equal(f->vm.stop.value, reasons[i]);
		fake_free(f);
	}
	(void)state;
}

static void retiring_advances_rip(void **state)
{
	struct vcpu *v = bsp(state);

	assert_int_equal(fake_exit(*state, v, REASON_PAUSE, 0, 2), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE + 2);
	assert_int_equal(fake_changes(v), 1);
}

/* Outside 64-bit mode EIP is 32 bits; in it, RIP is 64. */
static void rip_wraps_at_4g(void **state)
{
	struct vcpu *v = bsp(state);

	fake_set(v, VMCS_GUEST_RIP, 0xfffffffe);
	fake_exit(*state, v, REASON_PAUSE, 0, 2);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), 0);
	fake_long_mode(*state, v);
	fake_set(v, VMCS_GUEST_RIP, 0xfffffffe);
	fake_exit(*state, v, REASON_PAUSE, 0, 2);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), UINT64_C(0x100000000));
	fake_set(v, VMCS_GUEST_RIP, UINT64_C(0xffffffff81000000));
	fake_exit(*state, v, REASON_PAUSE, 0, 2);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), UINT64_C(0xffffffff81000002));
}

/*
 * SDM, "Guest Non-Register State": blocking by STI and by MOV SS ends with the instruction, NMI blocking
 * stays.
 */
static void retiring_ends_blocking(void **state)
{
	struct vcpu *v = bsp(state);

	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI | BLOCKING_NMI);
	fake_exit(*state, v, REASON_PAUSE, 0, 2);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), BLOCKING_NMI);
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	fake_exit(*state, v, REASON_GETSEC, 0, 2);	/* a fault retires nothing */
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), BLOCKING_MOV_SS);
}

/* SDM, "Pending Debug Exceptions After VM Entry": BS, if TF is set and BTF is not. */
static void retiring_pends_single_step(void **state)
{
	struct vcpu *v = bsp(state);

	fake_set(v, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	fake_exit(*state, v, REASON_PAUSE, 0, 2);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_PENDING_DBG_EXCEPTIONS), PENDING_DBG_BS);
	fake_set(v, VMCS_GUEST_PENDING_DBG_EXCEPTIONS, 0);
	fake_set(v, VMCS_GUEST_DEBUGCTL, DEBUGCTL_BTF);
	fake_exit(*state, v, REASON_PAUSE, 0, 2);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_PENDING_DBG_EXCEPTIONS), 0);
}

/*
 * There is no SMM outside of which to block; an entry with the bit set fails (SDM, "Checks on Guest
 * Non-Register State").
 */
static void smi_blocking_is_cleared(void **state)
{
	struct vcpu *v = bsp(state);

	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_SMI);
	fake_exit(*state, v, REASON_PREEMPTION_TIMER, 0, 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), 0);
}

/* ---- SDM, "Information for VM Exits That Occur During Event Delivery" ---- */

static void vectoring(struct vcpu *v, uint32_t info, uint32_t error_code)
{
	fake_set(v, VMCS_IDT_VECTORING_INFO, info | INTR_INFO_VALID);
	fake_set(v, VMCS_IDT_VECTORING_ERROR_CODE, error_code);
}

static void interrupted_event_is_queued_again(void **state)
{
	struct vcpu *v = bsp(state);

	/* Bit 12 is undefined there and must not be set at entry. */
	vectoring(v, INTR_TYPE_EXTERNAL | 0x51 | INTR_INFO_NMI_UNBLOCK, 0);
	assert_int_equal(fake_exit(*state, v, REASON_PREEMPTION_TIMER, 0, 0), ACTION_RESUME);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x51);
}

static void error_code_is_queued_again(void **state)
{
	struct vcpu *v = bsp(state);

	vectoring(v, INTR_TYPE_HARDWARE | VECTOR_GP | INTR_INFO_ERROR_CODE, 0x1234);
	fake_exit(*state, v, REASON_PREEMPTION_TIMER, 0, 0);
	fake_assert_injected(v, VECTOR_GP, 0x1234);
}

static void software_event_keeps_its_length(void **state)
{
	struct vcpu *v = bsp(state);

	vectoring(v, INTR_TYPE_SOFTWARE | 0x80, 0);
	fake_exit(*state, v, REASON_PREEMPTION_TIMER, 0, 2);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_SOFTWARE | 0x80);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INSTRUCTION_LEN), 2);
}

/* SDM, "Checks on Guest Non-Register State": blocking by NMI must be 0 when an NMI is injected. */
static void interrupted_nmi_is_unblocked(void **state)
{
	struct vcpu *v = bsp(state);

	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	vectoring(v, INTR_TYPE_NMI | 2, 0);
	fake_exit(*state, v, REASON_PREEMPTION_TIMER, 0, 0);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_NMI | 2);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), 0);
}

/*
 * ---- SDM, "Interrupt 8—Double Fault Exception (#DF)": table "Conditions for Generating a Double Fault"
 * ----
 */

/* `second` arises while `first` is delivered: by an exit for an intercepted exception. */
static enum exit_action combine(struct fake *f, uint32_t first, unsigned second)
{
	struct vcpu *v = &f->cpu[0];

	vectoring(v, first, 0);
	fake_set(v, VMCS_EXIT_INTR_INFO,
		 INTR_INFO_VALID | INTR_TYPE_HARDWARE | INTR_INFO_ERROR_CODE | second);
	fake_set(v, VMCS_EXIT_INTR_ERROR_CODE, 0);
	return fake_exit(f, v, REASON_EXCEPTION_OR_NMI, 0x5000, 0);
}

static void double_fault_table(void **state)
{
	static const struct { unsigned first, second, result; } rows[] = {
		{ VECTOR_UD, VECTOR_GP, VECTOR_GP },	/* benign first */
		{ VECTOR_GP, VECTOR_DB, VECTOR_DB },	/* benign second */
		{ VECTOR_GP, VECTOR_PF, VECTOR_PF },	/* contributory, then page fault: serially */
		{ 0, VECTOR_GP, VECTOR_DF },
		{ VECTOR_TS, VECTOR_NP, VECTOR_DF },
		{ VECTOR_GP, VECTOR_SS, VECTOR_DF },
		{ VECTOR_PF, VECTOR_GP, VECTOR_DF },
		{ VECTOR_PF, VECTOR_PF, VECTOR_DF },
		{ VECTOR_PF, VECTOR_AC, VECTOR_AC },
		{ VECTOR_DF, VECTOR_UD, VECTOR_UD },
	};
	struct vcpu *v = bsp(state);

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(combine(*state, INTR_TYPE_HARDWARE | rows[i].first, rows[i].second),
				 ACTION_INJECT);
		assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & INTR_INFO_VECTOR, rows[i].result);
		if (rows[i].result == VECTOR_DF)
			fake_assert_injected(v, VECTOR_DF, 0);
	}
}

static void interrupts_are_benign(void **state)
{
	struct vcpu *v = bsp(state);

	/* Vector 14 as an external interrupt is no page fault. */
	assert_int_equal(combine(*state, INTR_TYPE_EXTERNAL | VECTOR_PF, VECTOR_GP), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_GP, 0);
}

static void fault_in_double_fault_is_shutdown(void **state)
{
	static const uint8_t second[] = { VECTOR_GP, VECTOR_PF };

	for (unsigned i = 0; i < sizeof(second); i++) {
		struct fake *f = fake_new(1);

		assert_int_equal(combine(f, INTR_TYPE_HARDWARE | VECTOR_DF | INTR_INFO_ERROR_CODE,
					 second[i]), ACTION_STOP);
		assert_int_equal(f->vm.stop.kind, STOP_TRIPLE_FAULT);
		fake_free(f);
	}
	(void)state;
}

/* An exception in the delivery of an NMI takes its place, and NMIs stay blocked. */
static void replaced_nmi_stays_blocked(void **state)
{
	struct vcpu *v = bsp(state);

	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	assert_int_equal(combine(*state, INTR_TYPE_NMI | 2, VECTOR_PF), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_PF, 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), BLOCKING_NMI);
}

/* ---- Injection ---- */

/* SDM, "VM-Entry Controls for Event Injection": no error code while CR0.PE is 0. */
static void no_error_code_in_real_mode(void **state)
{
	struct vcpu *v = bsp(state);

	fake_real_mode(v);
	assert_int_equal(fake_exit(*state, v, REASON_RDPMC, 0, 2), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_GP, -1);
}

/* SDM, "Instruction-Breakpoint Exception Condition": RF is set in the image that a fault pushes. */
static void faults_set_rf(void **state)
{
	struct vcpu *v = bsp(state);

	fake_exit(*state, v, REASON_RDPMC, 0, 2);
	fake_assert_injected(v, VECTOR_GP, 0);
	assert_true(vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_RF);
}

/* The VM's chain comes first: the strict controller stops at a port that isn't there. */
static void chain_is_asked_first(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = bsp(state);
	uint64_t out_0x80 = UINT64_C(0x80) << 16;

	assert_int_equal(fake_exit(f, v, REASON_IO_INSTRUCTION, out_0x80, 2), ACTION_RETIRE);
	f->vm.chain[0] = CONTROLLER_STRICT_IO;
	assert_int_equal(fake_exit(f, v, REASON_CPUID, 0, 2), ACTION_RETIRE);
	assert_int_equal(fake_exit(f, v, REASON_IO_INSTRUCTION, (uint64_t)PORT_UART << 16, 2), ACTION_RETIRE);
	assert_int_equal(fake_exit(f, v, REASON_IO_INSTRUCTION, out_0x80, 2), ACTION_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_UNHANDLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(entry_failure_stops),
		TEST(unknown_reason_stops),
		TEST(hidden_instructions_are_undefined),
		TEST(impossible_exits_stop),
		TEST(retiring_advances_rip),
		TEST(rip_wraps_at_4g),
		TEST(retiring_ends_blocking),
		TEST(retiring_pends_single_step),
		TEST(smi_blocking_is_cleared),
		TEST(interrupted_event_is_queued_again),
		TEST(error_code_is_queued_again),
		TEST(software_event_keeps_its_length),
		TEST(interrupted_nmi_is_unblocked),
		TEST(double_fault_table),
		TEST(interrupts_are_benign),
		TEST(fault_in_double_fault_is_shutdown),
		TEST(replaced_nmi_stays_blocked),
		TEST(no_error_code_in_real_mode),
		TEST(faults_set_rf),
		TEST(chain_is_asked_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
