/*
 * echo: prints back what is typed to its console, line by line, and ends as the line says: for what goes in
 * (--input, --initrd, --append), and for ends that the recorder has to cope with.
 *
 * Exits: I/O instructions (the 16550, polled), HLT and what wakes it (option irq: the UART's interrupt, through
 * the I/O APIC).
 * Options: irq waits for input in HLT instead of polling for it.
 * Lines: quit powers off, reset resets, hang loops without exits, flood prints forever, cmdline prints the command
 * line, module its first module's size and CRC-32; all others come back as "> LINE".
 * Verdicts: none; it powers off.
 */
#include "guest.h"

#define UART_IER     (PORT_UART + 1)
#define UART_MCR     (PORT_UART + 4)
#define UART_LSR     (PORT_UART + 5)
#define IER_RECEIVED 0x01
#define MCR_ON       0x0b /* DTR, RTS, and OUT2, which lets the interrupt out */
#define LSR_READY    0x01

#define PIN_UART     4
#define V_UART       0x44

#define RESET_SYSTEM 0x06 /* RST_CPU, SYS_RST */
#define LINE_MAX     200

static bool by_interrupt;

static void use_interrupt(void)
{
	ioapic_route(PIN_UART, 0, V_UART);
	outb(UART_MCR, MCR_ON);
	outb(UART_IER, IER_RECEIVED);
	by_interrupt = true;
}

/* HLT follows STI at once: an interrupt that comes between would be slept through. */
static void wait(void)
{
	if (by_interrupt)
		asm volatile("sti; hlt; cli" : : : "memory");
	else
		cpu_relax();
}

static char read_byte(void)
{
	while (!(inb(UART_LSR) & LSR_READY))
		wait();
	return (char)inb(PORT_UART);
}

static void read_line(char *line)
{
	size_t n = 0;

	for (;;) {
		char c = read_byte();

		if (c == '\r' || c == '\n')
			break;
		if (n < LINE_MAX - 1)
			line[n++] = c;
	}
	line[n] = '\0';
}

/* CRC-32 (IEEE 802.3), as gzip and zlib have it. */
static uint32_t crc32(const uint8_t *bytes, size_t size)
{
	uint32_t crc = ~0u;

	while (size--) {
		crc ^= *bytes++;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void print_module(void)
{
	const struct multiboot_info *boot = guest_boot();
	const struct multiboot_module *m = (const struct multiboot_module *)(uint64_t)boot->modules;

	if (!(boot->flags & MULTIBOOT_INFO_MODULES) || !boot->module_count) {
		printf("module: none\n");
		return;
	}
	printf("module: %u bytes, CRC-32 %08x\n", m->end - m->start,
	       crc32((const uint8_t *)(uint64_t)m->start, m->end - m->start));
}

/* Not inlined: their names are what is seen of them in a report. */
static __attribute__((noinline)) void flood(void)
{
	for (;;)
		printf("the quick brown fox jumps over the lazy dog 0123456789\n");
}

static __attribute__((noinline)) void hang(void)
{
	for (;;)
		asm volatile("");
}

static void obey(const char *line)
{
	if (!strcmp(line, "quit"))
		outw(PORT_POWER_OFF, PORT_POWER_OFF_VALUE);
	else if (!strcmp(line, "reset"))
		outb(PORT_RESET, RESET_SYSTEM);
	else if (!strcmp(line, "hang"))
		hang();
	else if (!strcmp(line, "flood"))
		flood();
	else if (!strcmp(line, "module"))
		print_module();
	else if (!strcmp(line, "cmdline"))
		printf("command line: %s\n", (const char *)(uint64_t)guest_boot()->cmdline);
	else
		printf("> %s\n", line);
}

int main(void)
{
	static char line[LINE_MAX];

	if (option_given("irq"))
		use_interrupt();
	printf("echo: ready\n");
	for (;;) {
		read_line(line);
		obey(line);
	}
}
