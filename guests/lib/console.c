/*
 * console.c: bytes to the console by each of the ways that the machine has, a line at a time.
 */
#include "guest.h"

#define UART_IER      (PORT_UART + 1)
#define UART_FCR      (PORT_UART + 2)
#define UART_LCR      (PORT_UART + 3)
#define UART_MCR      (PORT_UART + 4)
#define UART_LSR      (PORT_UART + 5)
#define UART_LSR_THRE 0x20
#define UART_FIFO     16

static uint32_t line_lock;

void console_init(void)
{
	outb(UART_IER, 0);        /* polled */
	outb(UART_LCR, 0x80);     /* DLAB: the next two are the divisor */
	outb(PORT_UART, 1);       /* 115200 baud */
	outb(UART_IER, 0);
	outb(UART_LCR, 0x03);     /* 8n1 */
	outb(UART_FCR, 0x07);     /* FIFO on and empty */
	outb(UART_MCR, 0x03);     /* DTR, RTS */
}

static void write_port(const char *bytes, size_t count)
{
	while (count) {
		size_t chunk = count < UART_FIFO ? count : UART_FIFO;

		while (!(inb(UART_LSR) & UART_LSR_THRE))
			cpu_relax();
		rep_outsb(PORT_UART, bytes, chunk);
		bytes += chunk;
		count -= chunk;
	}
}

void console_write(enum console way, const char *bytes, size_t count)
{
	switch (way) {
	case CONSOLE_PORT:
		write_port(bytes, count);
		break;
	case CONSOLE_OUT:
		for (size_t i = 0; i < count; i++)
			outb(PORT_UART, (uint8_t)bytes[i]);
		break;
	case CONSOLE_REP_OUTSB:
		rep_outsb(PORT_UART, bytes, count);
		break;
	case CONSOLE_HYPERCALL:
		if (hypercall(HYPERCALL_PRINT, (uint64_t)bytes, count, 0, 0) != (int64_t)count)
			atomic_add(&test_failures, 1);
		break;
	case CONSOLE_MMIO:
		for (size_t i = 0; i < count; i++)
			*(volatile char *)MMIO_CONSOLE = bytes[i];
		break;
	}
}

void console_lock(void)
{
	spin_lock(&line_lock);
}

void console_unlock(void)
{
	spin_unlock(&line_lock);
}

void console_break_lock(void)
{
	spin_unlock(&line_lock);
}

static void print(enum console way, const char *format, va_list args)
{
	char line[512];
	size_t length = format_string(line, sizeof(line), format, args);

	console_lock();
	console_write(way, line, length);
	console_unlock();
}

void printf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(CONSOLE_PORT, format, args);
	va_end(args);
}

void console_printf(enum console way, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(way, format, args);
	va_end(args);
}
