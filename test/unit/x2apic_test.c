/*
 * The local APIC in x2APIC mode (SDM, "Extended XAPIC (x2APIC)"), and the timer's TSC-deadline mode.
 */
#include "support/fake.h"
#include "dev/timers.h"

enum {
	ID = 0x802, VERSION = 0x803, TPR = 0x808, PPR = 0x80a, EOI = 0x80b, LDR = 0x80d, DFR = 0x80e, SVR = 0x80f,
	ISR = 0x810, TMR = 0x818, IRR = 0x820, ESR = 0x828, ICR = 0x830, ICR_HIGH = 0x831, TIMER = 0x832, LINT0 = 0x835,
	ERROR = 0x837, INITIAL = 0x838, CURRENT = 0x839, DIVIDE = 0x83e, SELF_IPI = 0x83f,
};

#define BASE		0xfee00000u
#define XAPIC		0x800u
#define X2APIC		0xc00u
#define MASKED		0x10000
#define TSC_DEADLINE	0x40000
#define OTHERS		0xc0000

static bool wr(struct fake *f, unsigned cpu, uint32_t msr, uint64_t value)
{
	return lapic_msr_write(&f->vm, &f->world, cpu, msr, value, f->now);
}

static uint64_t rd(struct fake *f, unsigned cpu, uint32_t msr)
{
	uint64_t value = 0xdead;

	assert_true(lapic_msr_read(&f->vm, cpu, msr, &value, f->now));
	return value;
}

static bool readable(struct fake *f, uint32_t msr)
{
	uint64_t value;

	return lapic_msr_read(&f->vm, 0, msr, &value, f->now);
}

static bool set_mode(struct fake *f, unsigned cpu, uint32_t mode)
{
	return lapic_set_base(&f->vm, &f->world, cpu, BASE | mode);
}

/* All four in x2APIC mode and enabled. */
static void enter(struct fake *f)
{
	for (unsigned i = 0; i < 4; i++) {
		assert_true(set_mode(f, i, X2APIC));
		assert_true(wr(f, i, SVR, 0x1ff));
	}
}

static bool requested(struct fake *f, unsigned cpu, unsigned vector)
{
	return rd(f, cpu, IRR + vector / 32) >> vector % 32 & 1;
}

static unsigned receivers(struct fake *f, unsigned vector)
{
	unsigned set = 0;

	for (unsigned i = 0; i < 4; i++)
		set |= (unsigned)requested(f, i, vector) << i;
	return set;
}

/* SDM, "x2APIC State Transitions" */
static void transitions(void **state)
{
	struct fake *f = *state;

	assert_false(set_mode(f, 1, 0x400));		/* EXTD without EN */
	assert_true(set_mode(f, 1, X2APIC));
	assert_false(set_mode(f, 1, XAPIC));		/* back only through disabled */
	assert_false(set_mode(f, 1, 0x400));
	assert_true(set_mode(f, 1, X2APIC));		/* as it is */
	assert_true(set_mode(f, 1, 0));
	assert_false(set_mode(f, 1, X2APIC));		/* disabled: through xAPIC alone */
	assert_true(set_mode(f, 1, XAPIC));
	assert_true(set_mode(f, 1, X2APIC));
}

/* SDM, "State Changes From xAPIC Mode to x2APIC Mode"; "Enabling or Disabling the Local APIC" */
static void what_transitions_keep(void **state)
{
	struct fake *f = *state;

	fake_apic_write(f, 2, 0x0f0, 0x1fe);
	fake_apic_write(f, 2, 0x080, 0x20);
	fake_apic_write(f, 2, 0x0d0, 0x55000000);
	fake_apic_write(f, 2, 0x310, 0x03000000);
	set_mode(f, 2, X2APIC);
	assert_int_equal(rd(f, 2, SVR), 0x1fe);
	assert_int_equal(rd(f, 2, TPR), 0x20);
	assert_int_equal(rd(f, 2, ID), 2);
	assert_int_equal(rd(f, 2, LDR), 1 << 2);
	assert_int_equal(rd(f, 2, ICR), 0);
	wr(f, 2, INITIAL, 1000);
	set_mode(f, 2, 0);
	set_mode(f, 2, XAPIC);
	assert_int_equal(fake_apic_read(f, 2, 0x0f0), 0xff);
	assert_int_equal(fake_apic_read(f, 2, 0x080), 0);
	assert_int_equal(fake_apic_read(f, 2, 0x020), 2 << 24);
	assert_int_equal(fake_apic_read(f, 2, 0x380), 0);
}

/* SDM, "Local APIC Register Address Map Supported by x2APIC": what exists, and which way. */
static void registers(void **state)
{
	static const uint32_t read_only[] = { ID, VERSION, PPR, LDR, ISR, TMR + 7, IRR + 3, CURRENT };
	static const uint32_t none[] = { 0x800, 0x801, 0x809, DFR, 0x82f, ICR_HIGH, 0x83a, 0x840, 0x8ff };
	struct fake *f = *state;

	assert_false(readable(f, ID));		/* in xAPIC mode there are none */
	assert_false(wr(f, 0, TPR, 0));
	enter(f);
	for (unsigned i = 0; i < sizeof(read_only) / 4; i++) {
		assert_true(readable(f, read_only[i]));
		assert_false(wr(f, 0, read_only[i], 0));
	}
	for (unsigned i = 0; i < sizeof(none) / 4; i++) {
		assert_false(readable(f, none[i]));
		assert_false(wr(f, 0, none[i], 0));
	}
	assert_false(readable(f, EOI));
	assert_false(readable(f, SELF_IPI));
	assert_int_equal(rd(f, 0, VERSION), 0x00050014);
}

/* SDM, "Reserved Bit Checking" */
static void reserved_bits(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t good, bad;
	} rows[] = {
		{ TPR, 0xff, 0x100 }, { EOI, 0, 1 }, { SVR, 0x1ff, 0x1000 }, { ESR, 0, 1 },
		{ ICR, 0x40000 | 0x51, 0x1000 }, { ICR, 0x40000 | 0x51, 0x100000 }, { TIMER, 0x70030, 0x80030 },
		{ LINT0, 0x1f7ff, 0x20000 }, { ERROR, 0x110fe, 0x400 }, { INITIAL, 0xffffffff, 0x100000000 },
		{ DIVIDE, 0xb, 0x4 }, { SELF_IPI, 0xff, 0x100 },
	};
	struct fake *f = *state;

	enter(f);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(wr(f, 0, rows[i].msr, rows[i].good));
		assert_false(wr(f, 0, rows[i].msr, rows[i].bad));
		assert_false(wr(f, 0, rows[i].msr, rows[i].good | UINT64_C(1) << 32) && rows[i].msr != ICR);
	}
	/* Status bits are read-only, not reserved: they are ignored. */
	wr(f, 0, LINT0, 0x15123);
	assert_int_equal(rd(f, 0, LINT0), 0x10123);
}

/* SDM, "ICR Operation in x2APIC Mode", "Logical Destination Mode in x2APIC Mode" */
static void commands(void **state)
{
	const uint64_t to_2 = UINT64_C(2) << 32, all = UINT64_C(0xffffffff) << 32, logical = 0x800;
	struct fake *f = *state;

	enter(f);
	wr(f, 0, ICR, to_2 | 0x51);
	assert_int_equal(receivers(f, 0x51), 1 << 2);
	assert_int_equal(rd(f, 0, ICR), to_2 | 0x51);
	wr(f, 0, ICR, all | 0x52);
	assert_int_equal(receivers(f, 0x52), 15);
	wr(f, 0, ICR, UINT64_C(0xff) << 32 | 0x53);	/* 0xff is no broadcast here */
	assert_int_equal(receivers(f, 0x53), 0);
	wr(f, 0, ICR, UINT64_C(0xa) << 32 | logical | 0x54);
	assert_int_equal(receivers(f, 0x54), 0xa);
	wr(f, 0, ICR, UINT64_C(0x1000f) << 32 | logical | 0x55);	/* another cluster */
	assert_int_equal(receivers(f, 0x55), 0);
	wr(f, 0, ICR, OTHERS | 0x56);
	assert_int_equal(receivers(f, 0x56), 0xe);
	wr(f, 0, ICR, to_2 | 0x500);
	assert_int_equal(f->vm.cpu[2].init_pending, 1);
	wr(f, 0, ICR, to_2 | 0x600 | 0x9a);
	assert_int_equal(f->vm.cpu[2].sipi_pending, 0x9b);
}

/* SDM, "SELF IPI Register" */
static void self_ipi(void **state)
{
	struct fake *f = *state;

	enter(f);
	wr(f, 1, ICR, UINT64_C(3) << 32 | 0x60);
	wr(f, 1, SELF_IPI, 0x61);
	assert_int_equal(receivers(f, 0x61), 1 << 1);
	assert_int_equal(rd(f, 1, ICR), UINT64_C(3) << 32 | 0x60);
	wr(f, 1, SELF_IPI, 0x0f);
	wr(f, 1, ESR, 0);
	assert_int_equal(rd(f, 1, ESR), 0x20);
}

/* Modes may differ: 8-bit destinations of an xAPIC reach x2APICs, and the other way round. */
static void mixed_modes(void **state)
{
	struct fake *f = *state;

	enter(f);
	set_mode(f, 3, 0);
	set_mode(f, 3, XAPIC);
	fake_apic_write(f, 3, 0x0f0, 0x1ff);
	fake_apic_write(f, 3, 0x0d0, 0x08000000);
	fake_apic_write(f, 3, 0x310, 0xff000000);
	fake_apic_write(f, 3, 0x300, 0x51);
	assert_true(requested(f, 0, 0x51) && requested(f, 2, 0x51));
	assert_true(fake_apic_read(f, 3, 0x220) >> 17 & 1);
	wr(f, 0, ICR, UINT64_C(8) << 32 | 0x800 | 0x72);
	assert_true(fake_apic_read(f, 3, 0x230) >> 18 & 1);
	wr(f, 0, ICR, UINT64_C(0x108) << 32 | 0x800 | 0x73);
	assert_false(fake_apic_read(f, 3, 0x230) >> 19 & 1);
}

/* ---- SDM, "TSC-Deadline Mode" ---- */

static uint64_t guest_tsc(struct fake *f)
{
	return f->now + f->vm.cpu[0].tsc_offset;
}

static void set_deadline(struct fake *f, uint64_t deadline)
{
	lapic_timer_set_tsc_deadline(&f->vm, 0, deadline, f->now);
}

static void run(struct fake *f, uint64_t cycles)
{
	f->now += cycles;
	if (f->now >= f->vm.timer_next)
		timers_run(&f->vm, &f->world, 0, f->now);
}

static void deadline(void **state)
{
	struct fake *f = *state;

	enter(f);
	f->vm.cpu[0].tsc_offset = UINT64_C(0) - 123456;
	set_deadline(f, guest_tsc(f) + 1000);		/* another mode: ignored */
	assert_int_equal(f->vm.cpu[0].lapic.tsc_deadline, 0);
	wr(f, 0, TIMER, TSC_DEADLINE | 0x40);
	set_deadline(f, guest_tsc(f) + 1000);
	assert_int_equal(f->vm.timer_next, f->now + 1000);
	run(f, 999);
	assert_false(requested(f, 0, 0x40));
	run(f, 1);
	assert_true(requested(f, 0, 0x40));
	assert_int_equal(f->vm.cpu[0].lapic.tsc_deadline, 0);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
	/* In the past: at once. 0: disarmed. Very far: never. */
	wr(f, 0, TIMER, TSC_DEADLINE | 0x41);
	set_deadline(f, guest_tsc(f) - 1);
	run(f, 0);
	assert_true(requested(f, 0, 0x41));
	set_deadline(f, guest_tsc(f) + 1000);
	set_deadline(f, 0);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
	set_deadline(f, UINT64_MAX);
	assert_true(f->vm.timer_next > UINT64_C(1) << 62);
}

/* Its counter registers have no part in it, and a change of mode disarms. */
static void deadline_and_counts(void **state)
{
	struct fake *f = *state;

	enter(f);
	wr(f, 0, TIMER, TSC_DEADLINE | 0x40);
	set_deadline(f, guest_tsc(f) + 1000);
	wr(f, 0, INITIAL, 10);
	assert_int_equal(rd(f, 0, INITIAL), 0);
	assert_int_equal(rd(f, 0, CURRENT), 0);
	assert_int_equal(f->vm.timer_next, f->now + 1000);
	wr(f, 0, TIMER, 0x40);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
	assert_int_equal(f->vm.cpu[0].lapic.tsc_deadline, 0);
	wr(f, 0, INITIAL, 1000);
	wr(f, 0, TIMER, TSC_DEADLINE | 0x40);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
}

/* Masked, a deadline passes in silence: unmasking afterwards brings nothing; before, all. */
static void deadline_masked(void **state)
{
	struct fake *f = *state;

	enter(f);
	wr(f, 0, TIMER, TSC_DEADLINE | MASKED | 0x40);
	set_deadline(f, guest_tsc(f) + 1000);
	run(f, 1000);
	assert_int_equal(f->vm.cpu[0].lapic.tsc_deadline, 0);
	wr(f, 0, TIMER, TSC_DEADLINE | 0x40);
	run(f, 1);
	assert_false(requested(f, 0, 0x40));
	wr(f, 0, TIMER, TSC_DEADLINE | MASKED | 0x40);
	set_deadline(f, guest_tsc(f) + 1000);
	f->now += 2000;		/* due, and no entry step came by */
	wr(f, 0, TIMER, TSC_DEADLINE | 0x40);
	run(f, 1);
	assert_false(requested(f, 0, 0x40));
	wr(f, 0, TIMER, TSC_DEADLINE | MASKED | 0x40);
	set_deadline(f, guest_tsc(f) + 1000);
	wr(f, 0, TIMER, TSC_DEADLINE | 0x40);
	run(f, 1000);
	assert_true(requested(f, 0, 0x40));
}

/* The deadline is a guest TSC: a guest that sets its TSC moves it. */
static void deadline_follows_the_tsc(void **state)
{
	struct fake *f = *state;

	enter(f);
	wr(f, 0, TIMER, TSC_DEADLINE | 0x40);
	set_deadline(f, guest_tsc(f) + 100000);
	f->vm.cpu[0].tsc_offset += 40000;
	lapic_timer_tsc_changed(&f->vm, 0, f->now);
	assert_int_equal(f->vm.timer_next, f->now + 60000);
	f->vm.cpu[0].tsc_offset += 80000;
	lapic_timer_tsc_changed(&f->vm, 0, f->now);
	run(f, 0);
	assert_true(requested(f, 0, 0x40));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup_smp, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(transitions),
		TEST(what_transitions_keep),
		TEST(registers),
		TEST(reserved_bits),
		TEST(commands),
		TEST(self_ipi),
		TEST(mixed_modes),
		TEST(deadline),
		TEST(deadline_and_counts),
		TEST(deadline_masked),
		TEST(deadline_follows_the_tsc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
