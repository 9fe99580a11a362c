/*
 * The 8259A pair (Intel, "8259A Programmable Interrupt Controller"), by the data sheet's headings; and its way to
 * a processor: LINT0, or pin 0 of the I/O APIC.
 */
#include "support/fake_irq.h"
#include "dev/ioapic.h"
#include "dev/irq.h"
#include "dev/pic.h"

#define MASTER		0x20
#define SLAVE		0xa0
#define EOI		0x20
#define SPECIFIC	0x60
#define READ_IRR	0x0a
#define READ_ISR	0x0b

static void initialize(struct fake *f, uint16_t port, uint8_t base, uint8_t icw4)
{
	fake_outb(f, port, 0x11);
	fake_outb(f, port + 1, base);
	fake_outb(f, port + 1, port == MASTER ? 0x04 : 0x02);
	fake_outb(f, port + 1, icw4);
}

static void line(struct fake *f, unsigned irq, bool level)
{
	irq_set(&f->vm, &f->world, 0, irq, level);
}

static uint8_t status(struct fake *f, uint16_t port, uint8_t which)
{
	fake_outb(f, port, which);
	return fake_inb(f, port);
}

static unsigned acknowledge(struct fake *f)
{
	return pic_acknowledge(&f->vm, &f->world, 0);
}

static bool intr(const struct fake *f)
{
	return f->vm.pic.intr;
}

static int setup(void **state)
{
	int result = fake_setup_smp(state);

	initialize(*state, MASTER, 0x30, 0x01);
	initialize(*state, SLAVE, 0x38, 0x01);
	line(*state, IRQ_PIT, false);	/* it is high at reset */
	return result;
}

/* As firmware leaves it: masked, with ACPI's line a level. */
static void after_reset(void **state)
{
	struct fake *f = *state;

	vm_reset(&f->vm);
	assert_int_equal(fake_inb(f, MASTER + 1), 0xff);
	assert_int_equal(fake_inb(f, SLAVE + 1), 0xff);
	assert_int_equal(fake_inb(f, 0x4d0), 0);
	assert_int_equal(fake_inb(f, 0x4d1), 1 << (IRQ_SCI - 8));
	line(f, IRQ_UART, true);
	assert_false(intr(f));
}

/* "Interrupt Sequence" */
static void sequence(void **state)
{
	struct fake *f = *state;

	line(f, 4, true);
	assert_true(intr(f));
	assert_int_equal(status(f, MASTER, READ_IRR), 1 << 4);
	assert_int_equal(status(f, MASTER, READ_ISR), 0);
	assert_int_equal(acknowledge(f), 0x34);
	assert_int_equal(fake_inb(f, MASTER), 1 << 4);		/* READ_ISR stays selected */
	assert_int_equal(status(f, MASTER, READ_IRR), 0);
	assert_false(intr(f));
	fake_outb(f, MASTER, EOI);
	assert_int_equal(status(f, MASTER, READ_ISR), 0);
	assert_false(intr(f));		/* the line is high still: the edge was served */
	line(f, 4, false);
	line(f, 4, true);
	assert_true(intr(f));
}

/* "Edge and Level Triggered Modes": a request that goes before it is acknowledged is IR7's. */
static void spurious(void **state)
{
	struct fake *f = *state;

	line(f, 4, true);
	line(f, 4, false);
	assert_false(intr(f));
	assert_int_equal(acknowledge(f), 0x37);
	assert_int_equal(status(f, MASTER, READ_ISR), 0);
}

static void levels(void **state)
{
	struct fake *f = *state;

	line(f, 9, true);	/* level-triggered, by ELCR */
	assert_int_equal(acknowledge(f), 0x39);
	fake_outb(f, SLAVE, EOI);
	fake_outb(f, MASTER, EOI);
	assert_true(intr(f));
	line(f, 9, false);
	assert_false(intr(f));
	/* ELCR's bits of IRQ 0, 1, 2, 8, 13 can't be set. */
	fake_outb(f, 0x4d0, 0xff);
	fake_outb(f, 0x4d1, 0xff);
	assert_int_equal(fake_inb(f, 0x4d0), 0xf8);
	assert_int_equal(fake_inb(f, 0x4d1), 0xde);
}

/* "Fully Nested Mode" */
static void priorities(void **state)
{
	struct fake *f = *state;

	line(f, 4, true);
	line(f, 3, true);
	assert_int_equal(acknowledge(f), 0x33);
	assert_false(intr(f));		/* 4 is below what is in service */
	line(f, 1, true);
	assert_int_equal(acknowledge(f), 0x31);
	assert_int_equal(status(f, MASTER, READ_ISR), 0x0a);
	fake_outb(f, MASTER, EOI);
	assert_int_equal(status(f, MASTER, READ_ISR), 0x08);
	fake_outb(f, MASTER, SPECIFIC | 3);
	assert_int_equal(acknowledge(f), 0x34);
}

/* "Cascade Mode": the slave's inputs are between IR1 and IR3; both chips want an EOI. */
static void cascade(void **state)
{
	struct fake *f = *state;

	line(f, 3, true);
	line(f, 12, true);
	assert_int_equal(status(f, MASTER, READ_IRR), 0x0c);
	assert_int_equal(acknowledge(f), 0x3c);
	assert_int_equal(status(f, MASTER, READ_ISR), 0x04);
	assert_int_equal(status(f, SLAVE, READ_ISR), 0x10);
	line(f, 8, true);
	assert_false(intr(f));		/* IR2 is in service, says the master */
	fake_outb(f, SLAVE, EOI);
	assert_false(intr(f));
	fake_outb(f, MASTER, EOI);
	assert_int_equal(acknowledge(f), 0x38);
	fake_outb(f, MASTER, EOI);
	assert_true(intr(f));		/* IR3, while the slave's is in service at the slave alone */
	assert_int_equal(acknowledge(f), 0x33);
}

/* "Special Fully Nested Mode" */
static void special_fully_nested(void **state)
{
	struct fake *f = *state;

	initialize(f, MASTER, 0x30, 0x11);
	line(f, 12, true);
	assert_int_equal(acknowledge(f), 0x3c);
	line(f, 8, true);
	assert_true(intr(f));
	assert_int_equal(acknowledge(f), 0x38);
}

/* "Interrupt Mask Register", "Special Mask Mode" */
static void masks(void **state)
{
	struct fake *f = *state;

	fake_outb(f, MASTER + 1, 1 << 4);
	assert_int_equal(fake_inb(f, MASTER + 1), 1 << 4);
	line(f, 4, true);
	assert_false(intr(f));
	fake_outb(f, MASTER + 1, 0);
	assert_true(intr(f));			/* the edge was held */
	assert_int_equal(acknowledge(f), 0x34);
	line(f, 6, true);
	fake_outb(f, MASTER + 1, 1 << 4);
	assert_false(intr(f));
	fake_outb(f, MASTER, 0x68);			/* special mask mode: what is masked inhibits none */
	assert_true(intr(f));
	assert_int_equal(acknowledge(f), 0x36);
	fake_outb(f, MASTER, EOI);			/* of 6: 4 is masked */
	assert_int_equal(status(f, MASTER, READ_ISR), 1 << 4);
	fake_outb(f, MASTER, 0x48);
	fake_outb(f, MASTER, EOI);
	assert_int_equal(status(f, MASTER, READ_ISR), 0);
}

/* "Automatic Rotation", "Specific Rotation" */
static void rotation(void **state)
{
	struct fake *f = *state;

	line(f, 4, true);
	acknowledge(f);
	fake_outb(f, MASTER, 0xa0);			/* EOI, and 4 is the lowest */
	line(f, 4, false);
	line(f, 4, true);
	line(f, 5, true);
	line(f, 0, false);			/* it is the 8254's, and high at reset */
	line(f, 0, true);
	assert_int_equal(acknowledge(f), 0x35);
	fake_outb(f, MASTER, 0xe5);			/* specific EOI of 5, now the lowest */
	assert_int_equal(acknowledge(f), 0x30);
	fake_outb(f, MASTER, EOI);
	fake_outb(f, MASTER, 0xc3);			/* set priority: 3 is the lowest */
	line(f, 3, true);
	assert_int_equal(acknowledge(f), 0x34);
}

/* "Automatic End of Interrupt (AEOI) Mode", alone and with rotation */
static void automatic_eoi(void **state)
{
	struct fake *f = *state;

	initialize(f, MASTER, 0x30, 0x03);
	line(f, 4, true);
	line(f, 5, true);
	assert_int_equal(acknowledge(f), 0x34);
	assert_int_equal(status(f, MASTER, READ_ISR), 0);
	assert_true(intr(f));
	assert_int_equal(acknowledge(f), 0x35);
	fake_outb(f, MASTER, 0x80);
	line(f, 4, false);
	line(f, 4, true);
	acknowledge(f);
	line(f, 4, false);
	line(f, 4, true);
	line(f, 5, false);
	line(f, 5, true);
	assert_int_equal(acknowledge(f), 0x35);
	fake_outb(f, MASTER, 0x00);
}

/* "Poll Command" */
static void polling(void **state)
{
	struct fake *f = *state;

	fake_outb(f, MASTER, 0x0c);
	assert_int_equal(fake_inb(f, MASTER), 0);
	line(f, 6, true);
	fake_outb(f, MASTER, 0x0c);
	assert_int_equal(fake_inb(f, MASTER), 0x86);
	assert_int_equal(status(f, MASTER, READ_ISR), 1 << 6);
	assert_false(intr(f));
}

/* "Initialization Command Words": what ICW1 clears; ICW3 and ICW4 only where they were announced. */
static void initialization(void **state)
{
	struct fake *f = *state;

	line(f, 4, true);
	acknowledge(f);
	line(f, 6, true);
	fake_outb(f, MASTER + 1, 0xff);
	fake_outb(f, MASTER, 0x13);		/* single, ICW4 */
	assert_int_equal(fake_inb(f, MASTER + 1), 0);
	assert_int_equal(status(f, MASTER, READ_ISR), 0);
	assert_int_equal(status(f, MASTER, READ_IRR), 0);	/* edges before it don't count */
	fake_outb(f, MASTER + 1, 0x47);
	fake_outb(f, MASTER + 1, 0x01);
	fake_outb(f, MASTER + 1, 0xbf);	/* the mask, already */
	assert_int_equal(fake_inb(f, MASTER + 1), 0xbf);
	line(f, 6, false);
	line(f, 6, true);
	assert_int_equal(acknowledge(f), 0x46);	/* the base's low bits are the input's */
	fake_outb(f, MASTER, 0x10);		/* no ICW4 */
	fake_outb(f, MASTER + 1, 0x50);
	fake_outb(f, MASTER + 1, 0x04);
	fake_outb(f, MASTER + 1, 0x5a);
	assert_int_equal(fake_inb(f, MASTER + 1), 0x5a);
}

/* ---- The way to a processor (SDM, "Local Interrupts": LINT0) ---- */

static void lint0(struct fake *f, unsigned cpu, uint32_t lvt)
{
	fake_apic_enable(f, cpu);
	fake_apic_write(f, cpu, 0x350, lvt);
}

static void virtual_wire(void **state)
{
	struct fake *f = *state;

	/* Firmware's state: the BSP's LINT0 is ExtINT, the others' are masked. */
	line(f, 4, true);
	assert_true(lapic_extint(&f->vm, &f->vm.cpu[0]));
	assert_int_equal(f->vm.cpu[0].attention, 1);
	assert_false(lapic_extint(&f->vm, &f->vm.cpu[1]));
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), -1);
	lint0(f, 0, 0x10700);
	assert_false(lapic_extint(&f->vm, &f->vm.cpu[0]));
	/* Unmasked while it is high, it comes. */
	f->vm.cpu[1].attention = 0;
	lint0(f, 1, 0x00700);
	assert_int_equal(f->vm.cpu[1].attention, 1);
	assert_true(lapic_extint(&f->vm, &f->vm.cpu[1]));
	/* Without its APIC a processor has an INTR pin there. */
	lint0(f, 1, 0x10700);
	f->vm.cpu[0].attention = 0;
	lapic_set_base(&f->vm, &f->world, 0, 0xfee00100);
	assert_int_equal(f->vm.cpu[0].attention, 1);
	assert_true(lapic_extint(&f->vm, &f->vm.cpu[0]));
}

static void lint0_fixed(void **state)
{
	struct fake *f = *state;

	lint0(f, 0, 0x51);
	line(f, 4, true);
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), 0x51);
	lapic_accept(&f->vm, 0, 0x51);
	fake_apic_write(f, 0, 0xb0, 0);
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), -1);
	/* As a level: again after each EOI while it is high. */
	lint0(f, 0, 0x08000 | 0x52);
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), 0x52);
	assert_int_equal(fake_apic_read(f, 0, 0x350), 0x0c052);
	lapic_accept(&f->vm, 0, 0x52);
	fake_apic_write(f, 0, 0xb0, 0);
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), 0x52);
	lapic_accept(&f->vm, 0, 0x52);
	acknowledge(f);
	fake_apic_write(f, 0, 0xb0, 0);
	assert_int_equal(fake_apic_read(f, 0, 0x350), 0x08052);
	assert_int_equal(lapic_pending(&f->vm.cpu[0]), -1);
	lint0(f, 0, 0x400);
	line(f, 3, true);
	assert_int_equal(f->vm.cpu[0].nmi_pending, 1);
}

/* Pin 0 of the I/O APIC; INT falls at INTA, so that each request is an edge. */
static void through_the_ioapic(void **state)
{
	struct fake *f = *state;

	lint0(f, 0, 0x10700);
	ioapic_write(&f->vm, &f->world, 0, 0x00, 0x11);
	ioapic_write(&f->vm, &f->world, 0, 0x10, 0x02000000);
	ioapic_write(&f->vm, &f->world, 0, 0x00, 0x10);
	ioapic_write(&f->vm, &f->world, 0, 0x10, 0x700);
	line(f, 5, true);
	line(f, 4, true);
	assert_true(lapic_extint(&f->vm, &f->vm.cpu[2]));
	f->vm.cpu[2].extint_pending = 0;
	initialize(f, MASTER, 0x30, 0x03);
	line(f, 4, false);
	line(f, 5, false);
	line(f, 4, true);
	line(f, 5, true);
	f->vm.cpu[2].extint_pending = 0;
	assert_int_equal(acknowledge(f), 0x34);
	assert_int_equal(f->vm.cpu[2].extint_pending, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(after_reset),
		TEST(sequence),
		TEST(spurious),
		TEST(levels),
		TEST(priorities),
		TEST(cascade),
		TEST(special_fully_nested),
		TEST(masks),
		TEST(rotation),
		TEST(automatic_eoi),
		TEST(polling),
		TEST(initialization),
		TEST(virtual_wire),
		TEST(lint0_fixed),
		TEST(through_the_ioapic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
