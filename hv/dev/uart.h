/*
 * uart.h: the guest's console, a 16550 at PORT_UART.
 *
 * Its transmitter is always ready. Its interrupt request is wired to LINT0 of vCPU 0 (there is no 8259 or I/O
 * APIC): a guest that programs LINT0 as fixed gets an interrupt when one arises.
 */
#ifndef VEXIT_DEV_UART_H
#define VEXIT_DEV_UART_H

#include "vm.h"
#include "world.h"

#define UART_FIFO		16
#define UART_POLL_MS		16	/* how often entry steps ask for input */
#define UART_BUSY_MS		1	/* … while there is some */

/* `input`: somebody may type. */
void uart_reset(struct uart *u, bool input);

/* One byte of register `offset` (0 to 7). `self` is the vCPU whose step this is. */
uint8_t uart_read(struct vm *vm, struct world *w, unsigned self, unsigned offset);

/* `count` bytes for register `offset`, one after another, as REP OUTSB gives them. */
void uart_write(struct vm *vm, struct world *w, unsigned self, unsigned offset, const uint8_t *bytes,
		uint32_t count);

/*
 * Take what was typed, while the guest wants it. A timer of timers.c, due at uart.poll_at: so a guest that
 * sleeps or spins gets it, too. Without config.console_input it never is, and costs nothing.
 */
void uart_take_input(struct vm *vm, struct world *w, unsigned self, uint64_t now);

static inline bool uart_has_room(const struct uart *u)
{
	return u->rx_count < (u->fcr & 1 ? UART_FIFO : 1);
}

/*
 * Input goes to a guest that has its receiver on: ready to receive (RTS), or with the receive interrupt
 * enabled. Before that it would be lost when the guest sets up its UART, which clears the FIFO.
 */
static inline bool uart_wants_input(const struct uart *u)
{
	return uart_has_room(u) && ((u->mcr & 2) || (u->ier & 1)) && !(u->mcr & 0x10);
}

#endif
