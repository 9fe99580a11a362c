/*
 * uart.c: the 16550's registers that printing has no need of: divisor, FIFOs in loopback, interrupts.
 *
 * What goes wrong is said when the UART prints again: in loopback it doesn't.
 */
#include "edge.h"

#define UART_IER  (PORT_UART + 1)
#define UART_IIR  (PORT_UART + 2)
#define UART_FCR  (PORT_UART + 2)
#define UART_LCR  (PORT_UART + 3)
#define UART_MCR  (PORT_UART + 4)
#define UART_LSR  (PORT_UART + 5)
#define UART_MSR  (PORT_UART + 6)
#define LCR_8N1   0x03
#define LCR_DLAB  0x80
#define MCR_ON    0x03 /* DTR, RTS: as the library has it */
#define MCR_OUT2  0x08
#define MCR_LOOP  0x10
#define FCR_ON    0x01
#define FCR_CLEAR 0x07
#define FIFO      16
#define PIN_UART  4 /* of the I/O APIC */
#define V_UART    0x48

static void test_divisor(void)
{
	outb(UART_LCR, LCR_8N1 | LCR_DLAB);
	outb(PORT_UART, 0x0c);
	outb(UART_IER, 0x01);
	test_equal("divisor, low", inb(PORT_UART), 0x0c);
	test_equal("divisor, high", inb(UART_IER), 0x01);
	outb(PORT_UART, 1);
	outb(UART_IER, 0);
	outb(UART_LCR, LCR_8N1);
	test_equal("LCR", inb(UART_LCR), LCR_8N1);
	test_equal("IER is not the divisor", inb(UART_IER), 0);
}

static void test_loopback(void)
{
	uint8_t lines, mcr, empty, ready, id, first, second, last = 0, after, single, cleared;

	outb(UART_MCR, MCR_LOOP | 0x0a);	/* RTS, OUT2 */
	mcr = inb(UART_MCR);
	lines = inb(UART_MSR);
	outb(UART_FCR, FCR_CLEAR);
	empty = inb(UART_LSR);
	for (unsigned i = 0; i < FIFO + 2; i++)
		outb(PORT_UART, (uint8_t)('a' + i));
	outb(UART_IER, 1);
	ready = inb(UART_LSR);
	id = inb(UART_IIR);
	first = inb(PORT_UART);
	second = inb(PORT_UART);
	for (unsigned i = 2; i < FIFO; i++)
		last = inb(PORT_UART);
	after = inb(UART_LSR);
	outb(UART_IER, 0);
	outb(PORT_UART, 'x');
	outb(UART_FCR, 0);	/* FIFOs off, and empty */
	cleared = inb(UART_LSR);
	outb(PORT_UART, 'y');
	outb(PORT_UART, 'z');
	single = inb(PORT_UART);
	outb(UART_FCR, FCR_CLEAR);
	outb(UART_MCR, MCR_ON);

	test_equal("MCR in loopback", mcr, MCR_LOOP | 0x0a);
	test_equal("MSR in loopback: CTS is RTS, DCD is OUT2", lines, 0x90);
	test_equal("LSR before", empty, 0x60);
	test_equal("LSR with data", ready, 0x61);
	test_equal("IIR with data and FIFOs", id, 0xc4);
	test_equal("the first byte", first, 'a');
	test_equal("the second byte", second, 'b');
	test_equal("the last byte that the FIFO took", last, 'a' + FIFO - 1);
	test_equal("LSR after it", after, 0x60);
	test_equal("LSR after the FIFOs were switched off", cleared, 0x60);
	test_equal("without FIFO the first byte stays", single, 'y');
	test_equal("MSR, with somebody at the other end", inb(UART_MSR), 0xb0);
}

/* The transmitter is always empty: its interrupt comes once enabled, and goes when IIR is read. */
static void test_interrupt(void)
{
	uint32_t before = trap_count(V_UART);

	ioapic_route(PIN_UART, 0, V_UART);
	outb(UART_MCR, MCR_ON);
	outb(UART_IER, 2);
	test_equal("IIR: transmitter empty", inb(UART_IIR), 0xc2);
	test_equal("IIR, read again", inb(UART_IIR), 0xc1);
	outb(UART_IER, 0);
	asm volatile("sti; nop; nop; cli" : : : "memory");
	test_equal("interrupts without OUT2", trap_count(V_UART) - before, 0);
	outb(UART_MCR, MCR_ON | MCR_OUT2);
	outb(UART_IER, 2);
	asm volatile("sti; nop; nop; cli" : : : "memory");
	test_equal("interrupts with OUT2", trap_count(V_UART) - before, 1);
	outb(UART_IER, 0);
	outb(UART_MCR, MCR_ON);
	ioapic_route(PIN_UART, 0, IOAPIC_MASKED);
}

void test_uart(void)
{
	test_divisor();
	test_loopback();
	test_interrupt();
}
