/*
 * uart.c: a 16550A that only prints (National Semiconductor, PC16550D): what Linux's driver and
 * guests/lib/console.c ask of one.
 *
 * Called by ports.c at an OUT or IN that KVM handed to user space. Bytes are kept, not printed: printing
 * would be in the measurement.
 */
#include <sys/ioctl.h>

#include "vmm.h"

#define UART_IRQ      4
#define IER_EMPTY     0x02
#define IER_RECEIVED  0x01
#define IIR_NONE      0x01
#define IIR_EMPTY     0x02
#define IIR_RECEIVED  0x04
#define IIR_FIFO      0xc0
#define FCR_ENABLE    0x01
#define LCR_DLAB      0x80
#define MCR_OUT2      0x08	/* on a PC: lets the interrupt through */
#define MCR_LOOP      0x10
#define LSR_IDLE      0x60	/* transmitter empty, always */
#define LSR_READY     0x01
#define MSR_PRESENT   0xb0	/* DCD, DSR, CTS */

enum { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

static uint8_t cause(const struct uart *u)
{
	if (u->ier & IER_RECEIVED && u->has_received)
		return IIR_RECEIVED;
	return u->ier & IER_EMPTY && u->empty_pending ? IIR_EMPTY : IIR_NONE;
}

static void update_line(struct machine *m)
{
	struct uart *u = &m->uart;
	bool line = cause(u) != IIR_NONE && u->mcr & MCR_OUT2 && !(u->mcr & MCR_LOOP);
	struct kvm_irq_level level = { .irq = UART_IRQ, .level = line };

	if (line == u->line)
		return;
	u->line = line;
	must(ioctl(m->vm, KVM_IRQ_LINE, &level), "KVM_IRQ_LINE");
}

/* In loopback, the modem control outputs are the modem status inputs. */
static uint8_t modem_status(const struct uart *u)
{
	if (!(u->mcr & MCR_LOOP))
		return MSR_PRESENT;
	return (uint8_t)((u->mcr & 0x0c) << 4 | (u->mcr & 0x02) << 3 | (u->mcr & 0x01) << 5);
}

uint8_t uart_read(struct machine *m, unsigned reg)
{
	struct uart *u = &m->uart;
	uint8_t value;

	switch (reg) {
	case DATA:
		if (u->lcr & LCR_DLAB)
			return u->dll;
		u->has_received = false;
		update_line(m);
		return u->received;
	case IER:
		return u->lcr & LCR_DLAB ? u->dlm : u->ier;
	case IIR_FCR:
		value = cause(u);
		if (value == IIR_EMPTY)
			u->empty_pending = false;
		update_line(m);
		return value | (u->fifo ? IIR_FIFO : 0);
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		return LSR_IDLE | (u->has_received ? LSR_READY : 0);
	case MSR:
		return modem_status(u);
	default:
		return u->scr;
	}
}

static void transmit(struct machine *m, uint8_t byte)
{
	struct uart *u = &m->uart;

	if (u->mcr & MCR_LOOP) {
		u->received = byte;
		u->has_received = true;
	} else if (m->console_used < CONSOLE_SIZE - 1) {
		m->console[m->console_used++] = (char)byte;
	}
	u->empty_pending = true;
}

void uart_write(struct machine *m, unsigned reg, uint8_t value)
{
	struct uart *u = &m->uart;

	switch (reg) {
	case DATA:
		if (u->lcr & LCR_DLAB)
			u->dll = value;
		else
			transmit(m, value);
		break;
	case IER:
		if (u->lcr & LCR_DLAB) {
			u->dlm = value;
			break;
		}
		if (value & ~u->ier & IER_EMPTY)
			u->empty_pending = true;
		u->ier = value & 0x0f;
		break;
	case IIR_FCR:
		u->fifo = value & FCR_ENABLE;
		break;
	case LCR:
		u->lcr = value;
		break;
	case MCR:
		u->mcr = value & 0x1f;
		break;
	case SCR:
		u->scr = value;
		break;
	}
	update_line(m);
}
