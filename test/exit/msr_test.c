/*
 * RDMSR and WRMSR: the policy of msrs.def, and the checks that give #GP(0) (SDM, "RDMSR", "WRMSR", and
 * volume 4).
 */
#include "support/fake.h"

static enum exit_action rdmsr(struct fake *f, uint32_t msr, uint64_t *value)
{
	struct vcpu *v = &f->cpu[0];
	enum exit_action action;

	v->gpr[GPR_RCX] = msr | UINT64_C(0xabcd) << 32;
	v->gpr[GPR_RAX] = v->gpr[GPR_RDX] = UINT64_MAX;
	action = fake_exit(f, v, REASON_RDMSR, 0, 2);
	if (action == ACTION_RETIRE) {
		assert_true(v->gpr[GPR_RAX] <= UINT32_MAX && v->gpr[GPR_RDX] <= UINT32_MAX);
		*value = v->gpr[GPR_RDX] << 32 | v->gpr[GPR_RAX];
	} else {
		fake_assert_injected(v, VECTOR_GP, 0);
		assert_true(v->gpr[GPR_RAX] == UINT64_MAX);
	}
	return action;
}

static enum exit_action wrmsr(struct fake *f, uint32_t msr, uint64_t value)
{
	struct vcpu *v = &f->cpu[0];
	enum exit_action action;

	v->gpr[GPR_RCX] = msr;
	v->gpr[GPR_RAX] = (uint32_t)value | UINT64_C(0x1111) << 32;
	v->gpr[GPR_RDX] = value >> 32 | UINT64_C(0x2222) << 32;
	action = fake_exit(f, v, REASON_WRMSR, 0, 2);
	if (action == ACTION_INJECT) {
		fake_assert_injected(v, VECTOR_GP, 0);
		assert_int_equal(f->log_count, 0);
		assert_int_equal(f->vm.touched, 0);
	}
	return action;
}

static void assert_reads(struct fake *f, uint32_t msr, uint64_t expected)
{
	uint64_t value;

	assert_int_equal(rdmsr(f, msr, &value), ACTION_RETIRE);
	assert_int_equal(value, expected);
}

static void unknown_msrs(void **state)
{
	static const uint32_t msrs[] = {
		0x2, 0x480, 0x48b, 0x800, 0x802, 0x8ff, 0x900, 0xc0010000, 0xe2, 0xffffffff,
	};
	uint64_t value;

	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		assert_int_equal(rdmsr(*state, msrs[i], &value), ACTION_INJECT);
		assert_int_equal(wrmsr(*state, msrs[i], 0), ACTION_INJECT);
	}
}

static void constants(void **state)
{
	assert_reads(*state, 0x3a, 1);
	assert_int_equal(wrmsr(*state, 0x3a, 5), ACTION_INJECT);
	assert_reads(*state, 0xfe, 0x508);
	assert_int_equal(wrmsr(*state, 0xfe, 0), ACTION_INJECT);
	assert_int_equal(wrmsr(*state, 0x79, 0), ACTION_RETIRE);	/* microcode: ignored */
	assert_int_equal(wrmsr(*state, 0x8b, 0), ACTION_RETIRE);
	assert_reads(*state, 0x8b, 0);
}

/* SDM, "IA32_ARCH_CAPABILITIES": read-only; its value is the session's */
static void arch_capabilities(void **state)
{
	struct fake *f = *state;
	uint64_t value;

	f->vm.config.arch_capabilities = UINT64_C(0x4000000000000021);
	assert_reads(f, 0x10a, UINT64_C(0x4000000000000021));
	assert_int_equal(wrmsr(f, 0x10a, UINT64_C(0x4000000000000021)), ACTION_INJECT);
	assert_reads(f, 0x10a, UINT64_C(0x4000000000000021));
	f->vm.config.arch_capabilities = 0;
	assert_int_equal(rdmsr(f, 0x10a, &value), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0x10a, 0), ACTION_INJECT);
}

/* SDM, "IA32_APIC_BASE" and "Local APIC Status and Location" */
static void apic_base(void **state)
{
	struct fake *f = *state;

	assert_reads(f, 0x1b, 0xfee00900);
	assert_int_equal(wrmsr(f, 0x1b, 0xfee00000), ACTION_RETIRE);
	assert_reads(f, 0x1b, 0xfee00100);				/* off; BSP stays */
	assert_int_equal(wrmsr(f, 0x1b, 0xfed00900), ACTION_RETIRE);	/* it can move … */
	assert_int_equal(wrmsr(f, 0x1b, 0x00001900), ACTION_INJECT);	/* … but not over RAM */
	assert_int_equal(wrmsr(f, 0x1b, 0xfee00901), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0x1b, UINT64_C(1) << 46 | 0x900), ACTION_INJECT);
	assert_reads(f, 0x1b, 0xfed00900);
}

/* SDM, "x2APIC State Transitions", and registers that exist in the mode alone */
static void x2apic(void **state)
{
	struct fake *f = *state;

	assert_int_equal(wrmsr(f, 0x1b, 0xfee00500), ACTION_INJECT);	/* EXTD without EN */
	assert_int_equal(wrmsr(f, 0x1b, 0xfee00d00), ACTION_RETIRE);
	assert_reads(f, 0x1b, 0xfee00d00);
	assert_reads(f, 0x802, 0);
	assert_int_equal(wrmsr(f, 0x80f, 0x1fe), ACTION_RETIRE);
	assert_reads(f, 0x80f, 0x1fe);
	assert_int_equal(wrmsr(f, 0x80f, 0x11fe), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0x830, UINT64_C(0) << 32 | 0x41), ACTION_RETIRE);
	assert_reads(f, 0x830, 0x41);
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), 0x41);
	assert_int_equal(wrmsr(f, 0x1b, 0xfee00900), ACTION_INJECT);	/* back to xAPIC only by way of disabled */
	assert_int_equal(wrmsr(f, 0x1b, 0xfee00100), ACTION_RETIRE);
	assert_int_equal(wrmsr(f, 0x1b, 0xfee00d00), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0x1b, 0xfee00900), ACTION_RETIRE);
	assert_reads(f, 0x1b, 0xfee00900);
}

/* SDM, "TSC-Deadline Mode": a guest TSC, which is not the VM's time */
static void tsc_deadline(void **state)
{
	struct fake *f = *state;
	uint64_t now = vm_time(&f->vm, f->now);

	assert_int_equal(wrmsr(f, 0x6e0, 12345), ACTION_RETIRE);
	assert_reads(f, 0x6e0, 0);		/* another mode: ignored */
	fake_apic_write(f, 0, 0x320, 0x40040);
	assert_int_equal(wrmsr(f, 0x10, 1000000), ACTION_RETIRE);
	assert_int_equal(wrmsr(f, 0x6e0, 1003000), ACTION_RETIRE);
	assert_reads(f, 0x6e0, 1003000);
	assert_int_equal(f->vm.timer_next, now + 3000);
	assert_int_equal(wrmsr(f, 0x10, 1002000), ACTION_RETIRE);
	assert_int_equal(f->vm.timer_next, now + 1000);
	f->now += 1000;
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), 0x40);
	assert_reads(f, 0x6e0, 0);
}

/* SDM, "IA32_EFER" */
static void efer(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	assert_reads(f, 0xc0000080, 0);
	assert_int_equal(wrmsr(f, 0xc0000080, EFER_LME | EFER_NXE | EFER_SCE), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_EFER), EFER_LME | EFER_NXE | EFER_SCE);
	assert_int_equal(wrmsr(f, 0xc0000080, EFER_LMA), ACTION_RETIRE);	/* LMA is read-only */
	assert_reads(f, 0xc0000080, 0);
	assert_int_equal(wrmsr(f, 0xc0000080, 1 << 1), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0xc0000080, 1 << 12), ACTION_INJECT);
	fake_long_mode(f, v);
	assert_int_equal(wrmsr(f, 0xc0000080, EFER_LMA | EFER_SCE), ACTION_INJECT);	/* LME under paging */
	assert_int_equal(wrmsr(f, 0xc0000080, EFER_LME), ACTION_RETIRE);
	assert_reads(f, 0xc0000080, EFER_LME | EFER_LMA);
}

static void debugctl(void **state)
{
	struct fake *f = *state;

	assert_int_equal(wrmsr(f, 0x1d9, DEBUGCTL_BTF | DEBUGCTL_LBR), ACTION_RETIRE);
	assert_reads(f, 0x1d9, DEBUGCTL_BTF);
	assert_int_equal(wrmsr(f, 0x1d9, 1 << 6), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0x1d9, 1 << 2), ACTION_INJECT);
}

static void misc_enable(void **state)
{
	struct fake *f = *state;

	assert_reads(f, 0x1a0, 0x1801);
	assert_int_equal(wrmsr(f, 0x1a0, 0x1800), ACTION_RETIRE);
	assert_reads(f, 0x1a0, 0x1800);
	assert_int_equal(wrmsr(f, 0x1a0, 0x1801 | UINT64_C(1) << 34), ACTION_INJECT);
}

/* SDM, "IA32_XSS": the processor's own register is metal's. */
static void xss(void **state)
{
	struct fake *f = *state;

	assert_int_equal(wrmsr(f, 0xda0, 0x100), ACTION_INJECT);
	f->vm.config.xss_allowed = 0x100;
	assert_int_equal(wrmsr(f, 0xda0, 0x100), ACTION_RETIRE);
	assert_int_equal(fake_count(f, CROSSING_MSR_WRITE), 1);
	assert_int_equal(fake_find(f, CROSSING_MSR_WRITE, 0)->addr, 0xda0);
	assert_int_equal(fake_find(f, CROSSING_MSR_WRITE, 0)->value, 0x100);
	assert_reads(f, 0xda0, 0x100);
}

/* A write sets the offset by which this vCPU's TSC differs; the next entry step writes the field. */
static void time_stamp_counter(void **state)
{
	struct fake *f = *state;

	assert_int_equal(wrmsr(f, 0x10, 5), ACTION_RETIRE);
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_TSC_OFFSET), 5 - f->now);
}

/* SDM, "Memory Type Range Registers (MTRRs)" */
static void mtrrs(void **state)
{
	struct fake *f = *state;

	assert_int_equal(wrmsr(f, 0x2ff, 0xc06), ACTION_RETIRE);
	assert_reads(f, 0x2ff, 0xc06);
	assert_int_equal(wrmsr(f, 0x2ff, 0xc02), ACTION_INJECT);	/* no such type */
	assert_int_equal(wrmsr(f, 0x2ff, 0x1006), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0x250, UINT64_C(0x0606060606060606)), ACTION_RETIRE);
	assert_reads(f, 0x250, UINT64_C(0x0606060606060606));
	assert_int_equal(wrmsr(f, 0x250, UINT64_C(0x0603060606060606)), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0x26f, UINT64_C(0x0505050505050505)), ACTION_RETIRE);
	assert_reads(f, 0x26f, UINT64_C(0x0505050505050505));
	assert_reads(f, 0x268, 0);
	assert_int_equal(wrmsr(f, 0x20e, 0xc0000001), ACTION_RETIRE);
	assert_int_equal(wrmsr(f, 0x20e, 0xc0000101), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0x20f, UINT64_C(0x3fffc0000800)), ACTION_RETIRE);
	assert_reads(f, 0x20f, UINT64_C(0x3fffc0000800));
	assert_int_equal(wrmsr(f, 0x20f, UINT64_C(0x7fffc0000800)), ACTION_INJECT);
	assert_int_equal(wrmsr(f, 0x210, 0), ACTION_INJECT);
}

/* SDM, "SYSENTER—Fast System Call": canonical addresses; the selector is kept in the field's 32 bits. */
static void sysenter(void **state)
{
	struct fake *f = *state;

	for (uint32_t msr = 0x175; msr <= 0x176; msr++) {
		assert_int_equal(wrmsr(f, msr, UINT64_C(0xffffffff81000000)), ACTION_RETIRE);
		assert_reads(f, msr, UINT64_C(0xffffffff81000000));
		assert_int_equal(wrmsr(f, msr, UINT64_C(0x00007fffffffffff)), ACTION_RETIRE);
		assert_int_equal(wrmsr(f, msr, UINT64_C(0x0000800000000000)), ACTION_INJECT);
		assert_reads(f, msr, UINT64_C(0x00007fffffffffff));
	}
	assert_int_equal(wrmsr(f, 0x174, UINT64_C(0x100000010)), ACTION_RETIRE);
	assert_reads(f, 0x174, 0x10);
}

/* SDM, "IA32_PAT MSR": types 0, 1, 4, 5, 6, 7; 2, 3 and more than 7 are reserved, in each of eight bytes. */
static void pat(void **state)
{
	struct fake *f = *state;

	assert_int_equal(wrmsr(f, 0x277, UINT64_C(0x0706050401000706)), ACTION_RETIRE);
	assert_reads(f, 0x277, UINT64_C(0x0706050401000706));
	for (unsigned byte = 0; byte < 8; byte++) {
		assert_int_equal(wrmsr(f, 0x277, UINT64_C(2) << 8 * byte), ACTION_INJECT);
		assert_int_equal(wrmsr(f, 0x277, UINT64_C(3) << 8 * byte), ACTION_INJECT);
		assert_int_equal(wrmsr(f, 0x277, UINT64_C(8) << 8 * byte), ACTION_INJECT);
		assert_int_equal(wrmsr(f, 0x277, UINT64_C(0x86) << 8 * byte), ACTION_INJECT);
	}
	assert_reads(f, 0x277, UINT64_C(0x0706050401000706));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unknown_msrs),
		TEST(constants),
		TEST(arch_capabilities),
		TEST(apic_base),
		TEST(x2apic),
		TEST(tsc_deadline),
		TEST(efer),
		TEST(debugctl),
		TEST(misc_enable),
		TEST(xss),
		TEST(time_stamp_counter),
		TEST(mtrrs),
		TEST(sysenter),
		TEST(pat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
