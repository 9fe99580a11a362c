/*
 * log.c: the log on COM3, the verdict and the power-off.
 *
 * Used by boot/, vmx/ and the panic path; it must not panic itself.
 */
#include <stdarg.h>

#include "boot/log.h"
#include "boot/serial.h"
#include "boot/x86.h"
#include "lib/print.h"

#define LOG_LISTENING_DIVISOR	600	/* 192 baud */
#define PORT_BOCHS_SHUTDOWN	0x8900	/* Bochs: the string "Shutdown" ends the emulator */
#define PORT_QEMU_DEBUG_EXIT	0xf4	/* QEMU's isa-debug-exit as the recorder sets it up */
#define PORT_ACPI_PM1A		0x604	/* QEMU's q35 and i440fx without isa-debug-exit */
#define ACPI_SLP_EN_S5		0x2000

static bool listening;

void log_listen(void)
{
	listening = true;
	serial_set_divisor(&serial_log, LOG_LISTENING_DIVISOR);
}

static void log_vprint(const char *format, va_list args)
{
	char text[512];
	size_t length = print_vformat(text, sizeof(text), format, args);

	if (listening) {
		listening = false;
		serial_set_divisor(&serial_log, SOCKET_DIVISOR);
	}
	serial_write(&serial_log, text, length);
}

void log_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vprint(format, args);
	va_end(args);
}

static noreturn void log_power_off(void)
{
	serial_drain(&serial_console);
	serial_drain(&serial_trace);
	serial_drain(&serial_log);
	for (const char *p = "Shutdown"; *p; p++)
		x86_out8(PORT_BOCHS_SHUTDOWN, *p);
	x86_out8(PORT_QEMU_DEBUG_EXIT, 0);
	x86_out16(PORT_ACPI_PM1A, ACPI_SLP_EN_S5);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void log_verdict(const char *kind, uint64_t value)
{
	log_print("vexit: verdict %s %lu\n", kind, value);
	log_power_off();
}

void log_host_error(const char *format, ...)
{
	va_list args;

	log_print("vexit: error: ");
	va_start(args, format);
	log_vprint(format, args);
	va_end(args);
	log_print("\n");
	log_verdict("host-error", 0);
}
