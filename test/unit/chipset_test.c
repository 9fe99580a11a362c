/*
 * The small devices: PCI configuration mechanism 1, ACPI's PM1 registers, the 8042 without a keyboard, the
 * reset ports. That a write ends the run is in uart_test.c's table of ports.
 */
#include "support/fake.h"
#include "dev/pm.h"

#define DATA	(PORT_8042 - 4)
#define ENABLE	(PORT_PM1_EVENT + 2)

/* ---- PCI ---- */

/* Linux' test of mechanism 1: a byte to 0xcfb does nothing, and the address reads back. */
static void pci_is_found(void **state)
{
	struct fake *f = *state;

	fake_outb(f, PORT_PCI + 3, 0x01);
	assert_int_equal(fake_in(f, PORT_PCI, 4), 0);
	fake_out(f, PORT_PCI, 4, 0xffffffff);
	assert_int_equal(fake_in(f, PORT_PCI, 4), 0x80fffffc);
	fake_out(f, PORT_PCI, 4, 0x80000000);
	assert_int_equal(fake_in(f, PORT_PCI, 4), 0x80000000);
}

static void pci_bus_is_empty(void **state)
{
	struct fake *f = *state;

	for (unsigned device = 0; device < 32; device++) {
		fake_out(f, PORT_PCI, 4, 0x80000000 | device << 11);
		assert_int_equal(fake_in(f, PORT_PCI + 4, 4), 0xffffffff);
		assert_int_equal(fake_in(f, PORT_PCI + 6, 2), 0xffff);
		assert_int_equal(fake_in(f, PORT_PCI + 7, 1), 0xff);
		fake_out(f, PORT_PCI + 4, 4, 0x12345678);
	}
	assert_int_equal(f->vm.absent_io, 0);
	/* Narrow accesses to the address register are for others: 0xcf9 resets. */
	assert_int_equal(fake_in(f, PORT_PCI, 1), 0xff);
	assert_int_equal(f->vm.absent_io, 1);
}

/* ---- ACPI ---- */

static void pm_reads_in_acpi_mode(void **state)
{
	struct fake *f = *state;

	assert_int_equal(fake_in(f, PORT_POWER_OFF, 2), 0x0001);	/* SCI_EN */
	fake_out(f, PORT_POWER_OFF, 2, 0);
	assert_int_equal(fake_in(f, PORT_POWER_OFF, 2), 0x0001);
	fake_out(f, PORT_POWER_OFF, 2, 0x3c02);				/* SLP_EN is write-only */
	assert_int_equal(fake_in(f, PORT_POWER_OFF, 2), 0x1c03);
	assert_int_equal(fake_inb(f, PORT_POWER_OFF + 1), 0x1c);
	assert_int_equal(f->vm.stop.kind, STOP_NONE);
}

static void pm_status_is_cleared_by_ones(void **state)
{
	struct fake *f = *state;

	pm_event(&f->vm, &f->world, 0, PM1_RTC | 1 << 8);
	assert_int_equal(fake_in(f, PORT_PM1_EVENT, 2), 0x0500);
	fake_out(f, PORT_PM1_EVENT, 2, 0);
	assert_int_equal(fake_in(f, PORT_PM1_EVENT, 2), 0x0500);
	fake_outb(f, PORT_PM1_EVENT, 0xff);			/* the low byte alone */
	assert_int_equal(fake_in(f, PORT_PM1_EVENT, 2), 0x0500);
	fake_outb(f, PORT_PM1_EVENT + 1, 0x04);
	assert_int_equal(fake_in(f, PORT_PM1_EVENT, 2), 0x0100);
	fake_out(f, PORT_PM1_EVENT, 2, 0x0100);
	assert_int_equal(fake_in(f, PORT_PM1_EVENT, 2), 0);
}

static void pm_enable(void **state)
{
	struct fake *f = *state;

	fake_out(f, ENABLE, 2, 0xffff);
	assert_int_equal(fake_in(f, ENABLE, 2), 0x0721);
	fake_outb(f, ENABLE + 1, 0x04);
	assert_int_equal(fake_in(f, ENABLE, 2), 0x0421);
	fake_outb(f, ENABLE, 0);
	assert_int_equal(fake_in(f, ENABLE, 2), 0x0400);
	/* A doubleword reaches both registers. */
	pm_event(&f->vm, &f->world, 0, PM1_RTC);
	assert_int_equal(fake_in(f, PORT_PM1_EVENT, 4), 0x04000400);
}

/* ---- 8042 ---- */

static void command(struct fake *f, unsigned value)
{
	assert_int_equal(fake_inb(f, PORT_8042) & 2, 0);	/* the input buffer is always empty */
	fake_outb(f, PORT_8042, value);
}

static unsigned reply(struct fake *f)
{
	unsigned status = fake_inb(f, PORT_8042), byte = fake_inb(f, DATA);

	assert_int_equal(status & 1, 1);
	assert_int_equal(fake_inb(f, PORT_8042) & 1, 0);
	return byte;
}

static void kbc_answers_at_once(void **state)
{
	static const struct { uint8_t command, reply; } rows[] = {
		{ 0xaa, 0x55 }, { 0xab, 0x00 }, { 0xa9, 0x01 }, { 0xc0, 0xb0 },
		{ 0xd0, 0x03 }, { 0xe0, 0x00 }, { 0x20, 0x74 },
	};
	struct fake *f = *state;

	assert_int_equal(fake_inb(f, PORT_8042), 0x14);	/* unlocked, self-test passed, nothing waits */
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		command(f, rows[i].command);
		assert_int_equal(fake_inb(f, PORT_8042), 0x1d);
		assert_int_equal(reply(f), rows[i].reply);
	}
	/* One that is unknown leaves nothing to wait for. */
	command(f, 0x5a);
	assert_int_equal(fake_inb(f, PORT_8042) & 1, 0);
}

static void kbc_command_byte(void **state)
{
	struct fake *f = *state;

	command(f, 0x60);
	fake_outb(f, DATA, 0x41);
	assert_int_equal(fake_inb(f, PORT_8042), 0x10);	/* bit 2 follows it */
	command(f, 0xad);
	command(f, 0xa7);
	command(f, 0x20);
	assert_int_equal(reply(f), 0x71);
	command(f, 0xae);
	command(f, 0xa8);
	command(f, 0x20);
	assert_int_equal(reply(f), 0x41);
}

/* What is sent to a keyboard or a mouse times out: 0xfe, with the status' time-out bit. */
static void kbc_has_no_keyboard(void **state)
{
	struct fake *f = *state;

	fake_outb(f, DATA, 0xff);
	assert_int_equal(fake_inb(f, PORT_8042), 0x55);
	assert_int_equal(reply(f), 0xfe);
	command(f, 0xd4);
	fake_outb(f, DATA, 0xf2);
	assert_int_equal(fake_inb(f, PORT_8042), 0x75);
	assert_int_equal(reply(f), 0xfe);
	/* Linux' test for a mouse: the loop's answer doesn't come from its side. */
	command(f, 0xd3);
	fake_outb(f, DATA, 0x5a);
	assert_int_equal(fake_inb(f, PORT_8042) & 0x21, 0x01);
	assert_int_equal(reply(f), 0x5a);
	command(f, 0xd2);
	fake_outb(f, DATA, 0xa5);
	assert_int_equal(reply(f), 0xa5);
}

static void kbc_output_port(void **state)
{
	struct fake *f = *state;

	command(f, 0xd1);
	fake_outb(f, DATA, 0xdf);
	assert_int_equal(f->vm.stop.kind, STOP_NONE);
	command(f, 0xd1);
	fake_outb(f, DATA, 0xde);
	assert_int_equal(f->vm.stop.kind, STOP_RESET);
}

/* ---- Reset ---- */

/* Linux' sequence: the type of reset first, and what is read is written back with it. */
static void reset_control(void **state)
{
	struct fake *f = *state;
	unsigned value = fake_inb(f, PORT_RESET) & ~0x0e;

	fake_outb(f, PORT_RESET, value | 2);
	assert_int_equal(fake_inb(f, PORT_RESET), 2);
	assert_int_equal(f->vm.stop.kind, STOP_NONE);
	fake_outb(f, PORT_RESET, value | 0x0e);
	assert_int_equal(f->vm.stop.kind, STOP_RESET);
}

static void a20_is_always_on(void **state)
{
	struct fake *f = *state;

	fake_outb(f, PORT_FAST_RESET, 0);
	assert_int_equal(fake_inb(f, PORT_FAST_RESET), 2);
	assert_int_equal(f->vm.stop.kind, STOP_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pci_is_found),
		TEST(pci_bus_is_empty),
		TEST(pm_reads_in_acpi_mode),
		TEST(pm_status_is_cleared_by_ones),
		TEST(pm_enable),
		TEST(kbc_answers_at_once),
		TEST(kbc_command_byte),
		TEST(kbc_has_no_keyboard),
		TEST(kbc_output_port),
		TEST(reset_control),
		TEST(a20_is_always_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
