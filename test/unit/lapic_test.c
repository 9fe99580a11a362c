/*
 * The local APIC (SDM, "Advanced Programmable Interrupt Controller (APIC)"): registers, priorities,
 * interrupt commands, and the timer by deadlines.
 */
#include "support/fake_irq.h"
#include "dev/timers.h"

enum {
	ID = 0x20, VERSION = 0x30, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0,
	ISR = 0x100, IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR_HIGH = 0x310, TIMER = 0x320, LINT0 = 0x350,
	ERROR = 0x370, INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0,
};

#define MASKED		0x10000
#define PERIODIC	0x20000
#define SELF		0x40000
#define ALL		0x80000
#define OTHERS		0xc0000

static bool requested(struct fake *f, unsigned cpu, unsigned vector)
{
	return fake_apic_read(f, cpu, IRR + (vector / 32) * 16) >> vector % 32 & 1;
}

static bool in_service(struct fake *f, unsigned cpu, unsigned vector)
{
	return fake_apic_read(f, cpu, ISR + (vector / 32) * 16) >> vector % 32 & 1;
}

/* SDM, "Local APIC State After Power-Up or Reset" */
static void after_reset(void **state)
{
	struct fake *f = *state;

	assert_int_equal(fake_apic_read(f, 2, ID), 2 << 24);
	assert_int_equal(fake_apic_read(f, 2, VERSION) & 0xff, 0x14);
	assert_int_equal(fake_apic_read(f, 2, SVR), 0xff);
	assert_int_equal(fake_apic_read(f, 2, DFR), 0xffffffff);
	for (uint32_t lvt = TIMER; lvt <= ERROR; lvt += 0x10)
		assert_int_equal(fake_apic_read(f, 2, lvt), MASKED);
	assert_int_equal(fake_apic_read(f, 2, CURRENT), 0);
}

/* SDM, "Local APIC Register Address Map": parts of a register can be read, what lies between reads as 0. */
static void odd_accesses(void **state)
{
	struct fake *f = *state;

	assert_int_equal(lapic_read(&f->vm, 2, ID + 3, 1, 0), 2);
	assert_int_equal(lapic_read(&f->vm, 2, ID + 2, 2, 0), 0x200);
	assert_int_equal(lapic_read(&f->vm, 2, ID + 4, 4, 0), 0);
	assert_int_equal(lapic_read(&f->vm, 2, ID, 8, 0), 2 << 24);
	lapic_write(&f->vm, &f->world, 2, TPR, 1, 0x20, 0);
	assert_int_equal(fake_apic_read(f, 2, TPR), 0);
}

/*
 * SDM, "Spurious-Interrupt Vector Register": software-disabled, masks can't be cleared and nothing is
 * accepted.
 */
static void software_disable(void **state)
{
	struct fake *f = *state;

	fake_apic_write(f, 1, LINT0, 0x31);
	assert_int_equal(fake_apic_read(f, 1, LINT0), MASKED | 0x31);
	fake_apic_write(f, 1, ICR, SELF | 0x40);
	assert_false(requested(f, 1, 0x40));
	fake_apic_enable(f, 1);
	fake_apic_write(f, 1, LINT0, 0x31);
	fake_apic_write(f, 1, TIMER, 0x32);
	assert_int_equal(fake_apic_read(f, 1, LINT0), 0x31);
	fake_apic_write(f, 1, SVR, 0xff);
	assert_int_equal(fake_apic_read(f, 1, LINT0), MASKED | 0x31);
	assert_int_equal(fake_apic_read(f, 1, TIMER), MASKED | 0x32);
}

/*
 * SDM, "Task and Processor Priorities", "Acceptance of Interrupts", "Signaling Interrupt Servicing
 * Completion"
 */
static void priorities(void **state)
{
	struct fake *f = *state;
	struct vm_cpu *cpu = &f->vm.cpu[0];

	fake_apic_enable(f, 0);
	fake_apic_write(f, 0, ICR, SELF | 0x41);
	fake_apic_write(f, 0, ICR, SELF | 0x95);
	assert_int_equal(lapic_pending(cpu), 0x95);
	fake_apic_write(f, 0, TPR, 0x9f);
	assert_int_equal(lapic_pending(cpu), -1);
	fake_apic_write(f, 0, TPR, 0x8f);
	assert_int_equal(lapic_pending(cpu), 0x95);
	lapic_accept(&f->vm, 0, 0x95);
	assert_true(in_service(f, 0, 0x95));
	assert_false(requested(f, 0, 0x95));
	assert_int_equal(fake_apic_read(f, 0, PPR), 0x90);
	/* The same class waits, a higher one doesn't. */
	fake_apic_write(f, 0, ICR, SELF | 0x9e);
	assert_int_equal(lapic_pending(cpu), -1);
	fake_apic_write(f, 0, ICR, SELF | 0xa0);
	assert_int_equal(lapic_pending(cpu), 0xa0);
	lapic_accept(&f->vm, 0, 0xa0);
	fake_apic_write(f, 0, EOI, 0);
	assert_true(in_service(f, 0, 0x95) && !in_service(f, 0, 0xa0));
	fake_apic_write(f, 0, EOI, 0);
	assert_int_equal(lapic_pending(cpu), 0x9e);
	fake_apic_write(f, 0, TPR, 0);
	assert_int_equal(fake_apic_read(f, 0, PPR), 0);
}

/* ---- SDM, "Interrupt Command Register (ICR)" ---- */

static void send(struct fake *f, unsigned destination, uint32_t command)
{
	fake_apic_write(f, 0, ICR_HIGH, destination << 24);
	fake_apic_write(f, 0, ICR, command);
}

static unsigned receivers(struct fake *f, unsigned vector)
{
	unsigned set = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (requested(f, i, vector))
			set |= 1u << i;
	}
	return set;
}

static void physical_and_shorthands(void **state)
{
	struct fake *f = *state;

	for (unsigned i = 0; i < 4; i++)
		fake_apic_enable(f, i);
	f->log_count = 0;
	send(f, 2, 0x51);
	assert_int_equal(receivers(f, 0x51), 1 << 2);
	assert_int_equal(fake_count(f, CROSSING_KICK), 1);
	assert_int_equal(fake_find(f, CROSSING_KICK, 0)->addr, 2);
	send(f, 0xff, 0x52);
	assert_int_equal(receivers(f, 0x52), 15);
	send(f, 0, SELF | 0x53);
	assert_int_equal(receivers(f, 0x53), 1);
	send(f, 0, ALL | 0x54);
	assert_int_equal(receivers(f, 0x54), 15);
	send(f, 0, OTHERS | 0x55);
	assert_int_equal(receivers(f, 0x55), 14);
	send(f, 9, 0x56);
	assert_int_equal(receivers(f, 0x56), 0);
	assert_int_equal(fake_apic_read(f, 0, ICR) & 0x1000, 0);	/* delivery status: idle */
	assert_int_equal(fake_apic_read(f, 0, ICR_HIGH), 9 << 24);
}

static void logical(void **state)
{
	struct fake *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		fake_apic_enable(f, i);
		fake_apic_write(f, i, LDR, 0x01000000u << i);
	}
	send(f, 0x06, 0x800 | 0x61);
	assert_int_equal(receivers(f, 0x61), 6);
	/* Cluster model: high four bits are the cluster. */
	for (unsigned i = 0; i < 4; i++) {
		fake_apic_write(f, i, DFR, 0);
		fake_apic_write(f, i, LDR, (i / 2 << 4 | 1 << i % 2) << 24);
	}
	send(f, 0x13, 0x800 | 0x62);
	assert_int_equal(receivers(f, 0x62), 12);
	send(f, 0xf2, 0x800 | 0x63);
	assert_int_equal(receivers(f, 0x63), 10);
}

/* SDM, "Lowest Priority Delivery Mode" */
static void lowest_priority(void **state)
{
	struct fake *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		fake_apic_enable(f, i);
		fake_apic_write(f, i, LDR, 0x01000000u << i);
		fake_apic_write(f, i, TPR, 0x40 - 0x10 * i);
	}
	fake_apic_write(f, 3, SVR, 0xff);
	send(f, 0x0f, 0x900 | 0x71);
	assert_int_equal(receivers(f, 0x71), 1 << 2);
}

static void nmi_init_sipi(void **state)
{
	struct fake *f = *state;

	send(f, 1, 0x400);
	assert_int_equal(f->vm.cpu[1].nmi_pending, 1);
	assert_int_equal(f->vm.cpu[1].attention, 1);
	/* A vCPU that waits for SIPI takes the first of two. */
	send(f, 2, 0x600 | 0x12);
	send(f, 2, 0x600 | 0x34);
	assert_int_equal(f->vm.cpu[2].sipi_pending, 0x13);
	/* One that runs takes none, unless INIT came first. */
	f->vm.cpu[3].activity = CPU_RUNNING;
	send(f, 3, 0x600 | 0x12);
	assert_int_equal(f->vm.cpu[3].sipi_pending, 0);
	send(f, 3, 0x4500);
	send(f, 3, 0x600 | 0x12);
	assert_int_equal(f->vm.cpu[3].init_pending, 1);
	assert_int_equal(f->vm.cpu[3].sipi_pending, 0x13);
	/* INIT level de-assert is nothing to us. */
	send(f, 1, 0x8500);
	assert_int_equal(f->vm.cpu[1].init_pending, 0);
	/* Nobody sends INIT to himself. */
	send(f, 0, SELF | 0x4500);
	send(f, 0, ALL | 0x4500);
	assert_int_equal(f->vm.cpu[0].init_pending, 0);
	assert_int_equal(f->vm.cpu[1].init_pending, 0);
}

/* SDM, "Error Handling" */
static void errors(void **state)
{
	struct fake *f = *state;

	fake_apic_enable(f, 0);
	fake_apic_write(f, 0, ERROR, 0x35);
	send(f, 0, SELF | 0x0f);
	assert_int_equal(fake_apic_read(f, 0, ESR), 0);	/* seen after a write alone */
	assert_true(requested(f, 0, 0x35));
	fake_apic_write(f, 0, ESR, 0);
	assert_int_equal(fake_apic_read(f, 0, ESR), 0x20);
	fake_apic_write(f, 0, ESR, 0);
	assert_int_equal(fake_apic_read(f, 0, ESR), 0);
	fake_apic_write(f, 0, 0x3c0, 0);		/* no such register */
	fake_apic_write(f, 0, ESR, 0);
	assert_int_equal(fake_apic_read(f, 0, ESR), 0x80);
	/* An illegal vector in the error's own entry ends there. */
	fake_apic_write(f, 0, ERROR, 0x05);
	send(f, 0, SELF | 0x03);
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), 0x35);
}

/* ---- SDM, "APIC Timer" ---- */

static void run(struct fake *f, uint64_t tsc)
{
	f->now = tsc;
	if (tsc >= f->vm.timer_next)
		timers_run(&f->vm, &f->world, 0, tsc);
}

static void one_shot(void **state)
{
	struct fake *f = *state;
	uint64_t start = f->now;

	fake_apic_enable(f, 0);
	fake_apic_write(f, 0, DIVIDE, 0xb);	/* by 1 */
	fake_apic_write(f, 0, TIMER, 0x40);
	fake_apic_write(f, 0, INITIAL, 1000);
	assert_int_equal(f->vm.timer_next, start + 1000);
	run(f, start + 400);
	assert_int_equal(fake_apic_read(f, 0, CURRENT), 600);
	assert_false(requested(f, 0, 0x40));
	run(f, start + 1000);
	assert_true(requested(f, 0, 0x40));
	assert_int_equal(fake_apic_read(f, 0, CURRENT), 0);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
	/* Unmasking or another mode doesn't start it again. */
	fake_apic_write(f, 0, TIMER, PERIODIC | 0x41);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
}

static void periodic(void **state)
{
	struct fake *f = *state;
	uint64_t start = f->now;

	fake_apic_enable(f, 0);
	fake_apic_write(f, 0, DIVIDE, 0x3);	/* by 16 */
	fake_apic_write(f, 0, TIMER, PERIODIC | 0x40);
	fake_apic_write(f, 0, INITIAL, 100);
	assert_int_equal(f->vm.timer_next, start + 1600);
	run(f, start + 1605);
	assert_int_equal(f->vm.timer_next, start + 3200);
	assert_int_equal(fake_apic_read(f, 0, CURRENT), 100);
	run(f, start + 1600 + 800);
	assert_int_equal(fake_apic_read(f, 0, CURRENT), 50);
	/* Whole periods that were missed are one interrupt, and the beat stays. */
	run(f, start + 1600 * 7 + 3);
	assert_int_equal(f->vm.timer_next, start + 1600 * 8);
	fake_apic_write(f, 0, INITIAL, 0);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
	assert_int_equal(fake_apic_read(f, 0, CURRENT), 0);
}

static void masked_timer(void **state)
{
	struct fake *f = *state;
	uint64_t start = f->now;

	fake_apic_enable(f, 0);
	fake_apic_write(f, 0, DIVIDE, 0xb);
	fake_apic_write(f, 0, TIMER, MASKED | PERIODIC | 0x40);
	fake_apic_write(f, 0, INITIAL, 1000);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
	run(f, start + 2500);
	assert_int_equal(fake_apic_read(f, 0, CURRENT), 500);	/* it counts all the same */
	fake_apic_write(f, 0, TIMER, PERIODIC | 0x40);
	assert_int_equal(f->vm.timer_next, start + 3000);
	assert_false(requested(f, 0, 0x40));
}

/* The count goes on from where it is when the divider changes. */
static void change_divider(void **state)
{
	struct fake *f = *state;
	uint64_t start = f->now;

	fake_apic_enable(f, 0);
	fake_apic_write(f, 0, DIVIDE, 0xb);
	fake_apic_write(f, 0, TIMER, 0x40);
	fake_apic_write(f, 0, INITIAL, 1000);
	run(f, start + 600);
	fake_apic_write(f, 0, DIVIDE, 0x0);	/* by 2 */
	assert_int_equal(fake_apic_read(f, 0, CURRENT), 400);
	assert_int_equal(f->vm.timer_next, start + 600 + 800);
}

/* The nearest of all vCPUs' deadlines; whose timer is due is kicked by the vCPU whose step it is. */
static void timers_of_many(void **state)
{
	struct fake *f = *state;
	uint64_t start = f->now;

	for (unsigned i = 0; i < 4; i++) {
		fake_apic_enable(f, i);
		fake_apic_write(f, i, DIVIDE, 0xb);
		fake_apic_write(f, i, TIMER, 0x40 + i);
		fake_apic_write(f, i, INITIAL, 1000 - 100 * i);
	}
	assert_int_equal(f->vm.timer_next, start + 700);
	f->log_count = 0;
	run(f, start + 850);
	assert_true(requested(f, 3, 0x43) && requested(f, 2, 0x42) && !requested(f, 1, 0x41));
	assert_int_equal(fake_count(f, CROSSING_KICK), 2);
	assert_int_equal(f->vm.timer_next, start + 900);
}

/* Only what changes is marked: a read, or an EOI with nothing in service, isn't. */
static void touches_only_changes(void **state)
{
	struct fake *f = *state;

	fake_apic_enable(f, 0);
	f->vm.touched = 0;
	fake_apic_read(f, 0, CURRENT);
	fake_apic_write(f, 0, EOI, 0);
	fake_apic_write(f, 0, TPR, 0);
	assert_int_equal(f->vm.touched, 0);
	fake_apic_write(f, 0, TPR, 0x10);
	assert_int_equal(f->vm.touched, 1 << VM_DEVICE_CPU0);
	f->vm.touched = 0;
	send(f, 2, 0x400);
	assert_int_equal(f->vm.touched, 1 << VM_DEVICE_CPU0 | 1 << (VM_DEVICE_CPU0 + 2));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup_smp, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(after_reset),
		TEST(odd_accesses),
		TEST(software_disable),
		TEST(priorities),
		TEST(physical_and_shorthands),
		TEST(logical),
		TEST(lowest_priority),
		TEST(nmi_init_sipi),
		TEST(errors),
		TEST(one_shot),
		TEST(periodic),
		TEST(masked_timer),
		TEST(change_divider),
		TEST(timers_of_many),
		TEST(touches_only_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
