/*
 * Ends of interrupts without an exit (Linux, Documentation/virt/kvm/x86/msr.rst, MSR_KVM_EOI_EN): offered only
 * where nothing waits for the end, taken before the APIC is looked at, and an EOI that is written counts as ever.
 */
#include "support/fake_irq.h"
#include "dev/pv_eoi.h"

enum { TPR = 0x80, EOI = 0xb0, ISR = 0x100, ICR = 0x300 };

#define WORD		0x210040	/* guest-physical, in FAKE_DATA */
#define SELF		0x40000
#define MSR_KVM_EOI_EN	0x4b564d04

static uint32_t word(const struct fake *f)
{
	uint32_t value;

	memcpy(&value, f->memory + WORD, 4);
	return value;
}

/* What the guest's handler does: BTR; true: it need not write EOI. */
static bool guest_ends(struct fake *f)
{
	bool was = word(f) & 1;

	f->memory[WORD] &= 0xfe;
	return was;
}

static bool in_service(const struct fake *f, unsigned vector)
{
	return f->vm.cpu[0].lapic.isr[vector / 32] >> vector % 32 & 1;
}

static enum exit_action wrmsr(struct fake *f, uint64_t value)
{
	struct vcpu *v = &f->cpu[0];

	v->gpr[GPR_RCX] = MSR_KVM_EOI_EN;
	v->gpr[GPR_RAX] = (uint32_t)value;
	v->gpr[GPR_RDX] = value >> 32;
	return fake_exit(f, v, REASON_WRMSR, 0, 2);
}

/* A VM that can take interrupts, with its word named. */
static int setup(void **state)
{
	struct fake *f;

	fake_setup(state);
	f = *state;
	fake_apic_enable(f, 0);
	fake_set(&f->cpu[0], VMCS_GUEST_RFLAGS, 0x202);
	assert_int_equal(wrmsr(f, WORD | 1), ACTION_RETIRE);
	return 0;
}

static void interrupt(struct fake *f, unsigned vector)
{
	fake_apic_write(f, 0, ICR, SELF | vector);
	fake_set(&f->cpu[0], VMCS_ENTRY_INTR_INFO, 0);
	fake_enter(f, &f->cpu[0]);
}

static void ends_without_an_exit(void **state)
{
	struct fake *f = *state;

	interrupt(f, 0x40);
	assert_true(in_service(f, 0x40));
	assert_int_equal(word(f), 1);
	/* While it runs, steps look at the word and change nothing. */
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(fake_count(f, CROSSING_MEM_READ), 1);
	assert_int_equal(fake_count(f, CROSSING_MEM_WRITE), 0);
	assert_true(in_service(f, 0x40));
	assert_true(guest_ends(f));
	fake_enter(f, &f->cpu[0]);
	assert_false(in_service(f, 0x40));
	/* Nothing is in service: nothing to look at. */
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(fake_count(f, CROSSING_MEM_READ), 0);
}

static void written_eoi_counts(void **state)
{
	struct fake *f = *state;

	interrupt(f, 0x40);
	fake_apic_write(f, 0, EOI, 0);
	assert_false(in_service(f, 0x40));
	fake_enter(f, &f->cpu[0]);
	assert_int_equal(word(f), 0);
}

/* The guest ended the upper one by its word: a written EOI that follows is the lower one's. */
static void seen_before_the_apic_is(void **state)
{
	struct fake *f = *state;

	interrupt(f, 0x40);
	interrupt(f, 0x60);
	assert_int_equal(word(f), 1);
	assert_true(guest_ends(f));
	assert_false(guest_ends(f));
	pv_eoi_take(&f->vm, &f->world, 0);
	assert_false(in_service(f, 0x60));
	assert_true(in_service(f, 0x40));
	fake_apic_write(f, 0, EOI, 0);
	assert_false(in_service(f, 0x40));
}

/* A request that waits for the end needs it to be an exit. */
static void not_with_a_request_behind(void **state)
{
	struct fake *f = *state;

	interrupt(f, 0x60);
	assert_int_equal(word(f), 1);
	interrupt(f, 0x40);
	assert_int_equal(word(f), 0);
	fake_apic_write(f, 0, EOI, 0);
	fake_set(&f->cpu[0], VMCS_ENTRY_INTR_INFO, 0);
	fake_enter(f, &f->cpu[0]);
	assert_true(in_service(f, 0x40));
	assert_int_equal(word(f), 1);
}

/* The I/O APIC must hear the end of a level-triggered one. */
static void not_for_level(void **state)
{
	struct fake *f = *state;

	lapic_request(&f->vm, &f->world, 0, 0, 0x40, true);
	fake_enter(f, &f->cpu[0]);
	assert_true(in_service(f, 0x40));
	assert_int_equal(word(f), 0);
}

static void switched_off(void **state)
{
	struct fake *f = *state;

	interrupt(f, 0x40);
	assert_int_equal(wrmsr(f, 0), ACTION_RETIRE);
	assert_int_equal(word(f), 0);
	fake_apic_write(f, 0, EOI, 0);
	interrupt(f, 0x40);
	assert_int_equal(word(f), 0);
}

static void bad_values(void **state)
{
	struct fake *f = *state;

	assert_int_equal(wrmsr(f, WORD | 3), ACTION_INJECT);
	assert_int_equal(wrmsr(f, FAKE_MEMORY | 1), ACTION_INJECT);
	assert_int_equal(wrmsr(f, UINT64_MAX - 2), ACTION_INJECT);
	assert_int_equal(wrmsr(f, (FAKE_MEMORY - 4) | 1), ACTION_RETIRE);
	assert_int_equal(f->vm.cpu[0].pv_eoi, (FAKE_MEMORY - 4) | 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ends_without_an_exit),
		TEST(written_eoi_counts),
		TEST(seen_before_the_apic_is),
		TEST(not_with_a_request_behind),
		TEST(not_for_level),
		TEST(switched_off),
		TEST(bad_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
