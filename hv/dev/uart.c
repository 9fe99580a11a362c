/*
 * uart.c: a 16550 UART (National Semiconductor's PC16550D): registers, receive FIFO, interrupt line,
 * loopback.
 *
 * Called by the port table (ports.c) and by entry steps. Bytes go out through the world as they are
 * written; what baud rate the guest sets makes no difference.
 */
#include "dev/uart.h"
#include "dev/irq.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };

#define IER_RX			(1u << 0)
#define IER_THR_EMPTY		(1u << 1)
#define IIR_NONE		0x01
#define IIR_THR_EMPTY		0x02
#define IIR_RX			0x04
#define IIR_FIFO		0xc0
#define FCR_ENABLE		(1u << 0)
#define FCR_CLEAR_RX		(1u << 1)
#define LCR_DLAB		(1u << 7)
#define MCR_DTR			(1u << 0)
#define MCR_RTS			(1u << 1)
#define MCR_OUT1		(1u << 2)
#define MCR_OUT2		(1u << 3)
#define MCR_LOOPBACK		(1u << 4)
#define LSR_DATA_READY		(1u << 0)
#define LSR_THR_EMPTY		(1u << 5)
#define LSR_IDLE		(1u << 6)
#define MSR_CTS			(1u << 4)
#define MSR_DSR			(1u << 5)
#define MSR_RI			(1u << 6)
#define MSR_DCD			(1u << 7)

void uart_reset(struct uart *u, bool input)
{
	*u = (struct uart){ .dll = 1, .poll_at = input ? 0 : TIME_NONE };
}

static uint8_t interrupt_id(const struct uart *u)
{
	if ((u->ier & IER_RX) && u->rx_count)
		return IIR_RX;
	if ((u->ier & IER_THR_EMPTY) && u->thr_empty_pending)
		return IIR_THR_EMPTY;
	return IIR_NONE;
}

/* On a PC, OUT2 gates the interrupt line. The pin is an edge: only its rise is passed on. */
static void update_line(struct vm *vm, struct world *w, unsigned self)
{
	struct uart *u = &vm->uart;
	uint8_t line = interrupt_id(u) != IIR_NONE && (u->mcr & MCR_OUT2) && !(u->mcr & MCR_LOOPBACK);

	if (line == u->line)
		return;
	u->line = line;
	vm_touch(vm, VM_DEVICE_UART);
	irq_set(vm, w, self, IRQ_UART, line);
}

static uint8_t data_read(struct vm *vm)
{
	struct uart *u = &vm->uart;
	uint8_t byte = u->rx[0];

	if (!u->rx_count)
		return 0;
	for (unsigned i = 0; i + 1 < UART_FIFO; i++)
		u->rx[i] = u->rx[i + 1];
	u->rx[UART_FIFO - 1] = 0;
	u->rx_count--;
	vm_touch(vm, VM_DEVICE_UART);
	return byte;
}

/* Reading IIR acknowledges the THR-empty interrupt if that is the one it names. */
static uint8_t iir_read(struct vm *vm)
{
	struct uart *u = &vm->uart;
	uint8_t id = interrupt_id(u);

	if (id == IIR_THR_EMPTY) {
		u->thr_empty_pending = 0;
		vm_touch(vm, VM_DEVICE_UART);
	}
	return id | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

/* The other side is always there: carrier, data set ready, clear to send. In loopback, our own outputs. */
static uint8_t msr_read(const struct uart *u)
{
	if (!(u->mcr & MCR_LOOPBACK))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	return (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
	       (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

uint8_t uart_read(struct vm *vm, struct world *w, unsigned self, unsigned offset)
{
	struct uart *u = &vm->uart;
	bool dlab = u->lcr & LCR_DLAB;
	uint8_t value = 0;

	switch (offset) {
	case REG_DATA: value = dlab ? u->dll : data_read(vm); break;
	case REG_IER: value = dlab ? u->dlm : u->ier; break;
	case REG_IIR_FCR: value = iir_read(vm); break;
	case REG_LCR: return u->lcr;
	case REG_MCR: return u->mcr;
	case REG_LSR: return LSR_THR_EMPTY | LSR_IDLE | (u->rx_count ? LSR_DATA_READY : 0);
	case REG_MSR: return msr_read(u);
	case REG_SCRATCH: return u->scratch;
	}
	update_line(vm, w, self);
	return value;
}

static void receive(struct vm *vm, uint8_t byte)
{
	struct uart *u = &vm->uart;

	if (!uart_has_room(u))
		return;		/* overrun: only in loopback; input is taken when there is room */
	u->rx[u->rx_count++] = byte;
	vm_touch(vm, VM_DEVICE_UART);
}

static void transmit(struct vm *vm, struct world *w, const uint8_t *bytes, uint32_t count)
{
	struct uart *u = &vm->uart;

	if (u->mcr & MCR_LOOPBACK) {
		for (uint32_t i = 0; i < count; i++)
			receive(vm, bytes[i]);
	} else {
		w->ops->console_out(w, bytes, count);
	}
	/*
	 * The byte leaves at once, so that the holding register is empty again: a new interrupt if it is
	 * enabled.
	 */
	if ((u->ier & IER_THR_EMPTY) && !u->thr_empty_pending) {
		u->thr_empty_pending = 1;
		vm_touch(vm, VM_DEVICE_UART);
	}
}

static void fcr_write(struct uart *u, uint8_t value)
{
	/* PC16550D: changing the enable bit clears the FIFOs, too. */
	if ((value & FCR_CLEAR_RX) || (value ^ u->fcr) & FCR_ENABLE) {
		for (unsigned i = 0; i < UART_FIFO; i++)
			u->rx[i] = 0;
		u->rx_count = 0;
	}
	u->fcr = value & (FCR_ENABLE | 0xc8);
}

static void register_write(struct uart *u, unsigned offset, uint8_t value)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (offset) {
	case REG_DATA: u->dll = value; break;	/* only with DLAB: else it is data */
	case REG_IER:
		if (dlab) {
			u->dlm = value;
			break;
		}
		/* Enabling the THR-empty interrupt while the register is empty raises it at once. */
		if ((value & IER_THR_EMPTY) && !(u->ier & IER_THR_EMPTY))
			u->thr_empty_pending = 1;
		u->ier = value & 0xf;
		break;
	case REG_IIR_FCR: fcr_write(u, value); break;
	case REG_LCR: u->lcr = value; break;
	case REG_MCR: u->mcr = value & 0x1f; break;
	case REG_LSR: case REG_MSR: break;	/* read-only */
	case REG_SCRATCH: u->scratch = value; break;
	}
}

void uart_write(struct vm *vm, struct world *w, unsigned self, unsigned offset, const uint8_t *bytes,
		uint32_t count)
{
	struct uart *u = &vm->uart;

	if (offset == REG_DATA && !(u->lcr & LCR_DLAB)) {
		transmit(vm, w, bytes, count);
	} else {
		for (uint32_t i = 0; i < count; i++)
			register_write(u, offset, bytes[i]);
		vm_touch(vm, VM_DEVICE_UART);
	}
	update_line(vm, w, self);
}

void uart_take_input(struct vm *vm, struct world *w, unsigned self, uint64_t now)
{
	struct uart *u = &vm->uart;
	unsigned next_ms = uart_has_room(u) ? UART_POLL_MS : UART_BUSY_MS;

	while (uart_wants_input(u)) {
		int byte = w->ops->console_in(w);

		if (byte < 0)
			break;
		receive(vm, (uint8_t)byte);
		next_ms = UART_BUSY_MS;
	}
	u->poll_at = now + vm->config.tsc_khz * next_ms;
	vm_touch(vm, VM_DEVICE_UART);
	update_line(vm, w, self);
}
