/* serial.h: the three serial ports of the host machine, polled. */
#ifndef BOOT_SERIAL_H
#define BOOT_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serial {
	uint16_t port;		/* first of the UART's eight I/O ports */
	bool present;		/* found at serial_init(); an absent one swallows what is written */
	uint8_t room;		/* bytes that the transmit FIFO surely still takes */
	uint64_t cycles;	/* TSC cycles spent in serial_write(), ever */
};

extern struct serial serial_console;	/* COM1: what the guest prints and reads */
extern struct serial serial_trace;	/* COM2: the trace stream */
extern struct serial serial_log;	/* COM3: the hypervisor's log, and the recorder's requests */

/* Sets all three to 115200 baud, 8N1, FIFOs on. */
void serial_init(void);

/* 9600 baud, for a port that is a socket: see boot_main(). */
#define SOCKET_DIVISOR	12

/* Another speed: 115200 baud / `divisor`. Waits for what is under way. */
void serial_set_divisor(struct serial *s, uint16_t divisor);

/* Waits as long as the line takes. */
void serial_write(struct serial *s, const void *bytes, size_t count);

/* Takes one received byte if there is one; never waits. */
bool serial_receive(struct serial *s, uint8_t *byte);

/* Returns when the last byte written has left the shift register. */
void serial_drain(struct serial *s);

#endif
