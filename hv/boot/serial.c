/*
 * serial.c: polled 16550 driver for the host's COM1 (console), COM2 (trace) and COM3 (log).
 *
 * Called from everywhere outside the core, the panic path included: it must not allocate, log or panic. It
 * polls because interrupts stay off in the hypervisor for good.
 */
#include "boot/serial.h"
#include "boot/x86.h"

/* Registers, as offsets from the base port (16550D data sheet, "Registers"). */
#define UART_DATA	0
#define UART_IER	1
#define UART_FCR	2
#define UART_LCR	3
#define UART_MCR	4
#define UART_LSR	5
#define UART_SCRATCH	7

/*
 * FIFOs on, both cleared. With a trigger level of 14 Bochs fills the receive FIFO so far; at 1 it takes the
 * second byte from its source only when the first was read, and a look each 16 ms would find one.
 */
#define UART_FCR_ON_CLEAR	0xc7
#define UART_LCR_8N1		0x03
#define UART_LCR_DLAB		0x80
#define UART_MCR_DTR_RTS	0x03
#define UART_LSR_DATA_READY	0x01
#define UART_LSR_THR_EMPTY	0x20
#define UART_LSR_TX_EMPTY	0x40
#define UART_FIFO_BYTES		16

struct serial serial_console = { .port = 0x3f8 };
struct serial serial_trace = { .port = 0x2f8 };
struct serial serial_log = { .port = 0x3e8 };

/* The scratch register does nothing but remember, and an empty bus doesn't. */
static bool serial_probe(uint16_t port)
{
	x86_out8(port + UART_SCRATCH, 0x5a);
	if (x86_in8(port + UART_SCRATCH) != 0x5a)
		return false;
	x86_out8(port + UART_SCRATCH, 0xa5);
	return x86_in8(port + UART_SCRATCH) == 0xa5;
}

static void serial_wait(struct serial *s, uint8_t lsr_bit)
{
	while (!(x86_in8(s->port + UART_LSR) & lsr_bit))
		;
}

void serial_set_divisor(struct serial *s, uint16_t divisor)
{
	if (!s->present)
		return;
	serial_wait(s, UART_LSR_TX_EMPTY);
	x86_out8(s->port + UART_LCR, UART_LCR_DLAB);
	x86_out8(s->port + UART_DATA, divisor & 0xff);
	x86_out8(s->port + UART_IER, divisor >> 8);	/* the divisor's high byte while DLAB is set */
	x86_out8(s->port + UART_LCR, UART_LCR_8N1);
}

static void serial_setup(struct serial *s)
{
	s->present = serial_probe(s->port);
	s->room = 0;
	if (!s->present)
		return;
	x86_out8(s->port + UART_IER, 0);
	serial_set_divisor(s, 1);
	x86_out8(s->port + UART_FCR, UART_FCR_ON_CLEAR);
	x86_out8(s->port + UART_MCR, UART_MCR_DTR_RTS);
}

void serial_init(void)
{
	serial_setup(&serial_console);
	serial_setup(&serial_trace);
	serial_setup(&serial_log);
}

/*
 * THR-empty means an empty FIFO, which takes 16 bytes without another look: the line status is read once per
 * 16 bytes, also when they come one at a time (a guest's console).
 */
void serial_write(struct serial *s, const void *bytes, size_t count)
{
	const uint8_t *p = bytes;

	if (!s->present)
		return;
	s->cycles -= x86_rdtsc();
	while (count) {
		size_t n;

		if (!s->room) {
			serial_wait(s, UART_LSR_THR_EMPTY);
			s->room = UART_FIFO_BYTES;
		}
		n = count < s->room ? count : s->room;
		x86_outs8(s->port + UART_DATA, p, n);
		s->room -= n;
		p += n;
		count -= n;
	}
	s->cycles += x86_rdtsc();
}

bool serial_receive(struct serial *s, uint8_t *byte)
{
	if (!s->present || !(x86_in8(s->port + UART_LSR) & UART_LSR_DATA_READY))
		return false;
	*byte = x86_in8(s->port + UART_DATA);
	return true;
}

void serial_drain(struct serial *s)
{
	if (s->present)
		serial_wait(s, UART_LSR_TX_EMPTY);
}
