/*
 * The I/O APIC (Intel, "82093AA I/O Advanced Programmable Interrupt Controller"): registers, edges, levels and
 * their ends, destinations; and the ISA lines that reach it.
 */
#include "support/fake_irq.h"
#include "dev/ioapic.h"
#include "dev/irq.h"

enum { SELECT = 0x00, WINDOW = 0x10, EOI = 0x40 };

#define MASKED		0x10000u
#define LEVEL		0x8000u
#define REMOTE_IRR	0x4000u
#define LOGICAL		0x800u
#define PIN		9

static void wr(struct fake *f, uint32_t index, uint32_t value)
{
	ioapic_write(&f->vm, &f->world, 0, SELECT, index);
	ioapic_write(&f->vm, &f->world, 0, WINDOW, value);
}

static uint32_t rd(struct fake *f, uint32_t index)
{
	ioapic_write(&f->vm, &f->world, 0, SELECT, index);
	return ioapic_read(&f->vm, WINDOW);
}

static uint32_t entry(struct fake *f, unsigned pin)
{
	return rd(f, 0x10 + 2 * pin);
}

static void route(struct fake *f, unsigned pin, uint32_t destination, uint32_t low)
{
	wr(f, 0x10 + 2 * pin + 1, destination << 24);
	wr(f, 0x10 + 2 * pin, low);
}

static void line(struct fake *f, unsigned irq, bool level)
{
	irq_set(&f->vm, &f->world, 0, irq, level);
}

static void pulse(struct fake *f, unsigned irq)
{
	line(f, irq, true);
	line(f, irq, false);
}

/* Takes the interrupt at `cpu`, as an entry step does; 0: there is none. */
static unsigned take(struct fake *f, unsigned cpu)
{
	int vector = lapic_pending(&f->vm.cpu[cpu]);

	if (vector < 0)
		return 0;
	lapic_accept(&f->vm, cpu, (unsigned)vector);
	return (unsigned)vector;
}

static void end(struct fake *f, unsigned cpu)
{
	fake_apic_write(f, cpu, 0xb0, 0);
}

static int setup(void **state)
{
	int result = fake_setup_smp(state);

	for (unsigned i = 0; i < 4; i++)
		fake_apic_enable(*state, i);
	line(*state, IRQ_PIT, false);	/* it is high at reset */
	return result;
}

/* "Register Description" */
static void registers(void **state)
{
	struct fake *f = *state;

	assert_int_equal(rd(f, 0), 0);
	assert_int_equal(rd(f, 1), 0x00170020);		/* 24 pins, with an EOI register */
	for (unsigned pin = 0; pin < 24; pin++)
		assert_int_equal(entry(f, pin), MASKED);
	wr(f, 0, 0xffffffff);
	assert_int_equal(rd(f, 0), 0x0f000000);
	assert_int_equal(rd(f, 2), 0x0f000000);		/* arbitration ID follows */
	wr(f, 1, 0);
	assert_int_equal(rd(f, 1), 0x00170020);
	assert_int_equal(rd(f, 0x40), 0xffffffff);	/* beyond the last entry */
	wr(f, 0x40, 0);
	/* Delivery status and remote IRR are read-only. */
	wr(f, 0x10 + 2 * PIN, 0xffffffff);
	wr(f, 0x11 + 2 * PIN, 0xffffffff);
	assert_int_equal(rd(f, 0x10 + 2 * PIN), 0x1afff);
	assert_int_equal(rd(f, 0x11 + 2 * PIN), 0xff000000);
	assert_int_equal(ioapic_read(&f->vm, SELECT), 0x11 + 2 * PIN);
	assert_int_equal(ioapic_read(&f->vm, 0x20), 0);
}

static void edges(void **state)
{
	struct fake *f = *state;

	route(f, PIN, 1, 0x51);
	line(f, PIN, true);
	assert_int_equal(take(f, 1), 0x51);
	end(f, 1);
	assert_int_equal(take(f, 1), 0);	/* still high: no second edge */
	line(f, PIN, true);
	assert_int_equal(take(f, 1), 0);
	line(f, PIN, false);
	line(f, PIN, true);
	assert_int_equal(take(f, 1), 0x51);
	assert_false(entry(f, PIN) & REMOTE_IRR);
}

/* "Edge-sensitive interrupts signaled on a masked interrupt pin are ignored" */
static void masked_edge_is_lost(void **state)
{
	struct fake *f = *state;

	route(f, PIN, 0, MASKED | 0x51);
	line(f, PIN, true);
	route(f, PIN, 0, 0x51);
	assert_int_equal(take(f, 0), 0);
}

/* A level sends once until its EOI, then again for as long as it is high. */
static void levels(void **state)
{
	struct fake *f = *state;

	route(f, PIN, 0, LEVEL | 0x51);
	line(f, PIN, true);
	assert_true(entry(f, PIN) & REMOTE_IRR);
	assert_int_equal(fake_apic_read(f, 0, 0x180 + 0x20) >> 0x11 & 1, 1);	/* TMR */
	assert_int_equal(take(f, 0), 0x51);
	line(f, PIN, false);
	line(f, PIN, true);
	assert_int_equal(take(f, 0), 0);
	end(f, 0);
	assert_true(entry(f, PIN) & REMOTE_IRR);
	assert_int_equal(take(f, 0), 0x51);
	line(f, PIN, false);
	end(f, 0);
	assert_false(entry(f, PIN) & REMOTE_IRR);
	assert_int_equal(take(f, 0), 0);
}

/* A level that rose while masked comes when it is unmasked. */
static void masked_level_waits(void **state)
{
	struct fake *f = *state;

	route(f, PIN, 0, LEVEL | MASKED | 0x51);
	line(f, PIN, true);
	assert_int_equal(take(f, 0), 0);
	route(f, PIN, 0, LEVEL | 0x51);
	assert_int_equal(take(f, 0), 0x51);
}

/* The EOI of an edge, or of another vector, is nothing to it. EOI register: as the message of a processor. */
static void ends(void **state)
{
	struct fake *f = *state;

	route(f, PIN, 0, LEVEL | 0x51);
	route(f, 4, 0, 0x61);
	line(f, PIN, true);
	assert_int_equal(take(f, 0), 0x51);
	pulse(f, 4);
	assert_int_equal(take(f, 0), 0x61);
	end(f, 0);
	assert_true(entry(f, PIN) & REMOTE_IRR);
	ioapic_write(&f->vm, &f->world, 0, EOI, 0x52);
	assert_true(entry(f, PIN) & REMOTE_IRR);
	line(f, PIN, false);
	ioapic_write(&f->vm, &f->world, 0, EOI, 0x51);
	assert_false(entry(f, PIN) & REMOTE_IRR);
	/* An edge where a level was served forgets it. */
	line(f, PIN, true);
	assert_true(entry(f, PIN) & REMOTE_IRR);
	route(f, PIN, 0, MASKED | 0x51);
	assert_false(entry(f, PIN) & REMOTE_IRR);
}

/* Nobody takes it: it is sent again when somebody can. */
static void level_waits_for_an_apic(void **state)
{
	struct fake *f = *state;

	fake_apic_write(f, 2, 0xf0, 0xff);
	route(f, PIN, 2, LEVEL | 0x51);
	line(f, PIN, true);
	assert_false(entry(f, PIN) & REMOTE_IRR);
	fake_apic_enable(f, 2);
	assert_int_equal(take(f, 2), 0x51);
}

static void destinations(void **state)
{
	struct fake *f = *state;

	route(f, PIN, 0xff, 0x51);
	pulse(f, PIN);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(take(f, i), 0x51);
	for (unsigned i = 0; i < 4; i++) {
		end(f, i);
		fake_apic_write(f, i, 0xd0, 1u << (24 + i));
	}
	route(f, PIN, 0x6, LOGICAL | 0x61);
	pulse(f, PIN);
	assert_int_equal(take(f, 0), 0);
	assert_int_equal(take(f, 1), 0x61);
	assert_int_equal(take(f, 2), 0x61);
	/* Lowest priority: one of them, the one with least to do. */
	route(f, PIN, 0x9, LOGICAL | 0x100 | 0x71);
	fake_apic_write(f, 0, 0x80, 0x20);
	pulse(f, PIN);
	assert_int_equal(take(f, 0), 0);
	assert_int_equal(take(f, 3), 0x71);
	/* x2APICs have logical IDs of their own: cluster 0 is what eight bits reach. */
	lapic_set_base(&f->vm, &f->world, 2, 0xfee00c00);
	route(f, PIN, 0x4, LOGICAL | 0x81);
	pulse(f, PIN);
	assert_int_equal(take(f, 2), 0x81);
}

static void nmi_init_extint(void **state)
{
	struct fake *f = *state;

	route(f, PIN, 1, LEVEL | 0x400);	/* always an edge */
	line(f, PIN, true);
	assert_int_equal(f->vm.cpu[1].nmi_pending, 1);
	assert_false(entry(f, PIN) & REMOTE_IRR);
	route(f, 4, 2, 0x500);
	line(f, 4, true);
	assert_int_equal(f->vm.cpu[2].init_pending, 1);
	route(f, 5, 3, 0x700);
	line(f, 5, true);
	assert_true(lapic_extint(&f->vm, &f->vm.cpu[3]));
	/* Reserved for processors: a start-up message. */
	f->vm.cpu[1].activity = CPU_WAIT_SIPI;
	route(f, 6, 1, 0x600 | 0x9a);
	line(f, 6, true);
	assert_int_equal(f->vm.cpu[1].sipi_pending, 0);
}

/* IRQ 0 is at pin 2; the others at their own; there is no IRQ 2. */
static void isa_lines(void **state)
{
	struct fake *f = *state;

	route(f, 2, 0, 0x52);
	route(f, 0, 0, 0x50);
	line(f, IRQ_PIT, false);	/* the 8254's output is high at reset */
	pulse(f, IRQ_PIT);
	assert_int_equal(take(f, 0), 0x52);
	assert_int_equal(take(f, 0), 0);
	for (unsigned irq = 3; irq < 16; irq++) {
		end(f, 0);
		route(f, irq, 0, 0x60 + irq);
		pulse(f, irq);
		assert_int_equal(take(f, 0), 0x60 + irq);
	}
}

/* A line that nobody listens to costs one mark, and the level it has none. */
static void touches_only_changes(void **state)
{
	struct fake *f = *state;

	f->vm.touched = 0;
	line(f, PIN, false);
	assert_int_equal(f->vm.touched, 0);
	line(f, PIN, true);
	assert_int_equal(f->vm.touched, 1 << VM_DEVICE_IOAPIC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers),
		TEST(edges),
		TEST(masked_edge_is_lost),
		TEST(levels),
		TEST(masked_level_waits),
		TEST(ends),
		TEST(level_waits_for_an_apic),
		TEST(destinations),
		TEST(nmi_init_extint),
		TEST(isa_lines),
		TEST(touches_only_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
