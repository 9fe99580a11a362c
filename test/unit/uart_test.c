/*
 * The 16550 (National Semiconductor's PC16550D data sheet), as a guest's driver uses it, and the ports
 * around it.
 */
#include "support/fake_irq.h"
#include "dev/ioapic.h"
#include "dev/irq.h"
#include "dev/uart.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH };

static uint8_t in(struct fake *f, unsigned offset)
{
	return (uint8_t)fake_in(f, (uint16_t)(PORT_UART + offset), 1);
}

static void out(struct fake *f, unsigned offset, uint8_t value)
{
	fake_out(f, (uint16_t)(PORT_UART + offset), 1, value);
}

static void type(struct fake *f, const char *text)
{
	f->input = text;
	uart_take_input(&f->vm, &f->world, 0, f->now);
}

static void prints(void **state)
{
	struct fake *f = *state;

	assert_int_equal(in(f, LSR), 0x60);
	f->vm.touched = 0;
	out(f, DATA, 'o');
	out(f, DATA, 'k');
	assert_string_equal(f->console, "ok");
	/* Nothing of the device changed. */
	assert_int_equal(f->vm.touched, 0);
}

static void registers(void **state)
{
	struct fake *f = *state;

	out(f, SCRATCH, 0x5a);
	out(f, IER, 0xff);
	out(f, MCR, 0xff);
	out(f, MCR, 0x03);
	assert_int_equal(in(f, SCRATCH), 0x5a);
	assert_int_equal(in(f, IER), 0x0f);
	assert_int_equal(in(f, MCR), 0x03);
	assert_int_equal(in(f, MSR), 0xb0);
	/* DLAB shows the divisor. */
	out(f, LCR, 0x83);
	out(f, DATA, 1);
	out(f, IER, 2);
	assert_int_equal(in(f, DATA), 1);
	assert_int_equal(in(f, IER), 2);
	out(f, LCR, 0x03);
	assert_int_equal(in(f, IER), 0x0f);
	assert_string_equal(f->console, "");
	out(f, IIR, 0x01);
	assert_int_equal(in(f, IIR) & 0xc0, 0xc0);
	out(f, IIR, 0x00);
	assert_int_equal(in(f, IIR) & 0xc0, 0);
}

static void receives(void **state)
{
	struct fake *f = *state;

	out(f, MCR, 0x02);	/* RTS */
	out(f, IIR, 0x01);
	type(f, "hi");
	assert_int_equal(in(f, LSR), 0x61);
	assert_int_equal(in(f, DATA), 'h');
	assert_int_equal(in(f, DATA), 'i');
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(in(f, DATA), 0);
}

/* Nothing is lost: what has no room stays with the world. */
static void takes_what_fits(void **state)
{
	struct fake *f = *state;

	out(f, MCR, 0x02);
	type(f, "abc");
	assert_string_equal(f->input, "bc");	/* without FIFO there is one place */
	assert_false(uart_has_room(&f->vm.uart));
	in(f, DATA);
	out(f, IIR, 0x01);
	type(f, "0123456789abcdefXYZ");
	assert_string_equal(f->input, "XYZ");
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(in(f, DATA), "0123456789abcdef"[i]);
	type(f, "abc");
	out(f, IIR, 0x03);	/* clear the FIFO */
	assert_int_equal(in(f, LSR), 0x60);
}

/* What came before the guest has set up its UART would be lost with its FIFO. */
static void waits_for_a_receiver(void **state)
{
	struct fake *f = *state;

	out(f, MCR, 0x00);
	type(f, "a");
	assert_string_equal(f->input, "a");
	out(f, MCR, 0x02);	/* RTS */
	type(f, "a");
	assert_string_equal(f->input, "");
	in(f, DATA);
	out(f, MCR, 0x12);	/* RTS, in loopback: the line is cut */
	type(f, "b");
	assert_string_equal(f->input, "b");
	out(f, MCR, 0x00);
	out(f, IER, 0x01);
	type(f, "c");
	assert_string_equal(f->input, "");
}

static void polls_at_intervals(void **state)
{
	struct fake *f = *state;

	out(f, MCR, 0x02);
	type(f, "");
	assert_int_equal(f->vm.uart.poll_at, f->now + FAKE_KHZ * UART_POLL_MS);
	type(f, "x");
	assert_int_equal(f->vm.uart.poll_at, f->now + FAKE_KHZ * UART_BUSY_MS);
	type(f, "y");	/* no room: soon there may be */
	assert_int_equal(f->vm.uart.poll_at, f->now + FAKE_KHZ * UART_BUSY_MS);
	assert_true(UART_POLL_MS <= 500);
}

static void interrupts(void **state)
{
	struct fake *f = *state;
	struct vm_cpu *cpu = &f->vm.cpu[0];

	fake_apic_enable(f, 0);
	ioapic_write(&f->vm, &f->world, 0, 0x00, 0x10 + 2 * IRQ_UART);
	ioapic_write(&f->vm, &f->world, 0, 0x10, 0x24);	/* to vCPU 0: fixed, an edge, vector 0x24 */
	out(f, IIR, 0x01);
	out(f, MCR, 0x0b);
	out(f, IER, 0x01);
	assert_int_equal(in(f, IIR), 0xc1);
	type(f, "x");
	assert_int_equal(in(f, IIR), 0xc4);
	assert_int_equal(lapic_pending(cpu), 0x24);
	lapic_accept(&f->vm, 0, 0x24);
	type(f, "y");	/* the line is up already: no second edge */
	fake_apic_write(f, 0, 0xb0, 0);
	assert_int_equal(lapic_pending(cpu), -1);
	in(f, DATA);
	in(f, DATA);
	assert_int_equal(in(f, IIR), 0xc1);
	type(f, "z");
	assert_int_equal(lapic_pending(cpu), 0x24);
}

/* The transmitter's interrupt: raised when enabled, acknowledged by reading IIR, raised by the next byte. */
static void transmitter_interrupts(void **state)
{
	struct fake *f = *state;

	out(f, MCR, 0x08);
	out(f, IER, 0x02);
	assert_int_equal(f->vm.uart.line, 1);
	assert_int_equal(in(f, IIR), 0x02);
	assert_int_equal(f->vm.uart.line, 0);
	assert_int_equal(in(f, IIR), 0x01);
	out(f, DATA, 'x');
	assert_int_equal(in(f, IIR), 0x02);
}

static void loopback(void **state)
{
	struct fake *f = *state;

	out(f, IIR, 0x01);
	out(f, MCR, 0x1a);
	assert_int_equal(in(f, MSR), 0x90);	/* RTS → CTS, OUT2 → DCD */
	out(f, DATA, 0xae);
	assert_int_equal(in(f, LSR), 0x61);
	assert_int_equal(in(f, DATA), 0xae);
	assert_string_equal(f->console, "");
}

/* An 8-bit device sees a wide access as bytes at successive ports. */
static void wide_accesses(void **state)
{
	struct fake *f = *state;

	fake_out(f, PORT_UART, 4, 'w' | 0x03 << 24);
	assert_string_equal(f->console, "w");
	assert_int_equal(in(f, LCR), 0x03);
	assert_int_equal(fake_in(f, PORT_UART + LSR, 2), 0xb060);
	/* Beyond its last register there is nothing. */
	assert_int_equal(fake_in(f, PORT_UART + SCRATCH, 2), 0xff00);
}

static void absent_ports(void **state)
{
	struct fake *f = *state;
	uint8_t value[4] = { 1, 2, 3, 4 };
	struct port_access all = { &f->vm, &f->world, 0, f->now, 0x80, 1 };

	assert_int_equal(fake_in(f, 0x1230, 1), 0xff);
	assert_int_equal(fake_in(f, 0x1230, 4), 0xffffffff);
	assert_int_equal(port_write(&all, value, 4), 4);
	assert_int_equal(f->vm.absent_io, 6);
	assert_int_equal(f->vm.stop.kind, STOP_NONE);
}

static void ports_that_end(void **state)
{
	static const struct {
		uint16_t port;
		unsigned size;
		uint32_t value;
		enum stop_kind kind;
		uint64_t result;
	} rows[] = {
		{ PORT_DEBUG_EXIT, 1, 7, STOP_DEBUG_EXIT, 7 },
		{ PORT_DEBUG_EXIT, 4, 0x12345678, STOP_DEBUG_EXIT, 0x12345678 },
		{ PORT_RESET, 1, 0x02, STOP_NONE, 0 },
		{ PORT_RESET, 1, 0x06, STOP_RESET, 0 },
		{ PORT_RESET - 1, 4, 0x80000600, STOP_NONE, 0 },	/* PCI's address register */
		{ PORT_POWER_OFF, 2, 0x2000, STOP_POWER_OFF, 0 },
		{ PORT_POWER_OFF, 2, 0x2001, STOP_POWER_OFF, 0 },	/* with SCI_EN, as it reads */
		{ PORT_POWER_OFF, 2, 0x3400, STOP_NONE, 0 },		/* SLP_TYP 5: no such state */
		{ PORT_POWER_OFF + 1, 1, 0x20, STOP_POWER_OFF, 0 },
		{ PORT_8042, 1, 0xfe, STOP_RESET, 0 },
		{ PORT_8042, 1, 0xff, STOP_NONE, 0 },
		{ PORT_FAST_RESET, 1, 0x02, STOP_NONE, 0 },
		{ PORT_FAST_RESET, 1, 0x01, STOP_RESET, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake *f = fake_new(1);

		fake_out(f, rows[i].port, rows[i].size, rows[i].value);
		assert_int_equal(f->vm.stop.kind, rows[i].kind);
		assert_int_equal(f->vm.stop.value, rows[i].result);
		fake_free(f);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(prints),
		TEST(registers),
		TEST(receives),
		TEST(waits_for_a_receiver),
		TEST(takes_what_fits),
		TEST(polls_at_intervals),
		TEST(interrupts),
		TEST(transmitter_interrupts),
		TEST(loopback),
		TEST(wide_accesses),
		TEST(absent_ports),
		TEST(ports_that_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
