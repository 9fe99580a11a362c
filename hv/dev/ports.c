/*
 * ports.c: the table of I/O ports: which device answers to an access.
 *
 * Called by the handler of I/O instructions. A device answers to accesses that start in its range, of sizes
 * that it has. A wider access to an 8-bit device comes as bytes at successive ports, each for whoever is
 * there, as on an ISA bus. Where nobody is, reads give all ones and writes go nowhere.
 */
#include <stddef.h>

#include "dev/i8042.h"
#include "dev/pci.h"
#include "dev/pic.h"
#include "dev/pit.h"
#include "dev/pm.h"
#include "dev/ports.h"
#include "dev/reset.h"
#include "dev/rtc.h"
#include "dev/uart.h"
#include "dev/vm_state.h"
#include "platform.h"

#define BYTES	1u		/* sizes, as a set: bit n is n bytes */
#define WORDS	2u
#define DWORDS	4u

struct port_range {
	uint16_t first, last;
	uint8_t sizes;		/* that it takes as one access */
	uint32_t (*read)(const struct port_access *a);
	void (*write)(const struct port_access *a, uint32_t value);
	/* REP OUTSB to one port, for where a write for each byte would be dear; or NULL. */
	void (*write_bytes)(const struct port_access *a, const uint8_t *bytes, uint32_t count);
};

static uint32_t uart_port_read(const struct port_access *a)
{
	return uart_read(a->vm, a->w, a->self, a->port - PORT_UART);
}

static void uart_port_write_bytes(const struct port_access *a, const uint8_t *bytes, uint32_t count)
{
	uart_write(a->vm, a->w, a->self, a->port - PORT_UART, bytes, count);
}

static void uart_port_write(const struct port_access *a, uint32_t value)
{
	uint8_t byte = (uint8_t)value;

	uart_port_write_bytes(a, &byte, 1);
}

static uint32_t zero_read(const struct port_access *a)
{
	(void)a;
	return 0;
}

static void debug_exit_write(const struct port_access *a, uint32_t value)
{
	vm_end(a->vm, STOP_DEBUG_EXIT, value);
}

/* What a guest accesses most comes first. */
static const struct port_range ranges[] = {
	{ PORT_UART, PORT_UART + 7, BYTES, uart_port_read, uart_port_write, uart_port_write_bytes },
	{ PORT_PIC_MASTER, PORT_PIC_MASTER + 1, BYTES, pic_read, pic_write, NULL },
	{ PORT_PIC_SLAVE, PORT_PIC_SLAVE + 1, BYTES, pic_read, pic_write, NULL },
	{ PORT_ELCR, PORT_ELCR + 1, BYTES, pic_elcr_read, pic_elcr_write, NULL },
	{ PORT_PIT, PORT_PIT + 3, BYTES, pit_read, pit_write, NULL },
	{ PORT_SYSTEM, PORT_SYSTEM, BYTES, pit_system_read, pit_system_write, NULL },
	{ PORT_RTC, PORT_RTC, BYTES, rtc_index_read, rtc_index_write, NULL },
	{ PORT_RTC + 1, PORT_RTC + 1, BYTES, rtc_data_read, rtc_data_write, NULL },
	{ PORT_PCI, PORT_PCI, DWORDS, pci_address_read, pci_address_write, NULL },
	{ PORT_PCI + 4, PORT_PCI + 7, BYTES | WORDS | DWORDS, pci_data_read, pci_data_write, NULL },
	{ PORT_RESET, PORT_RESET, BYTES, reset_control_read, reset_control_write, NULL },
	{ PORT_PM1_EVENT, PORT_PM1_EVENT + 3, BYTES | WORDS, pm_read, pm_write, NULL },
	{ PORT_POWER_OFF, PORT_POWER_OFF + 1, BYTES | WORDS, pm_read, pm_write, NULL },
	{ PORT_8042 - 4, PORT_8042 - 4, BYTES, i8042_data_read, i8042_data_write, NULL },
	{ PORT_8042, PORT_8042, BYTES, i8042_status_read, i8042_command_write, NULL },
	{ PORT_FAST_RESET, PORT_FAST_RESET, BYTES, system_control_a_read, system_control_a_write, NULL },
	{ PORT_DEBUG_EXIT, PORT_DEBUG_EXIT, BYTES | WORDS | DWORDS, zero_read, debug_exit_write, NULL },
};

/* Words and doublewords only where they are aligned: others come as bytes. */
static const struct port_range *find(uint16_t port, unsigned size)
{
	if (port & (size - 1))
		return NULL;
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (port >= ranges[i].first && port <= ranges[i].last && (ranges[i].sizes & size))
			return &ranges[i];
	}
	return NULL;
}

bool port_exists(uint16_t port, unsigned size)
{
	return find(port, size) || find(port, 1);
}

/* All ones of an access, and more: the caller takes its bytes. */
static uint32_t absent_read(const struct port_access *a)
{
	vm_count_absent(a->vm);
	return UINT32_MAX;
}

/* The byte at place `i` of a wide access: 16 bits of port number, which wrap. */
static struct port_access byte_of(const struct port_access *a, unsigned i)
{
	struct port_access byte = *a;

	byte.port = (uint16_t)(a->port + i);
	byte.size = 1;
	return byte;
}

static uint32_t read_bytes(const struct port_access *a)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < a->size; i++) {
		struct port_access byte = byte_of(a, i);
		const struct port_range *range = find(byte.port, 1);

		value |= ((range ? range->read(&byte) : absent_read(&byte)) & 0xff) << 8 * i;
	}
	return value;
}

uint32_t port_read(const struct port_access *a)
{
	const struct port_range *range = find(a->port, a->size);
	uint32_t value;

	if (range)
		value = range->read(a);
	else
		value = a->size > 1 && find(a->port, 1) ? read_bytes(a) : absent_read(a);
	return value & UINT32_MAX >> (32 - 8 * a->size);
}

static void write_bytes(const struct port_access *a, uint32_t value)
{
	for (unsigned i = 0; i < a->size && a->vm->stop.kind == STOP_NONE; i++) {
		struct port_access byte = byte_of(a, i);
		const struct port_range *range = find(byte.port, 1);

		if (range)
			range->write(&byte, value >> 8 * i & 0xff);
		else
			vm_count_absent(a->vm);
	}
}

static uint32_t value_of(const uint8_t *bytes, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)bytes[i] << 8 * i;
	return value;
}

uint32_t port_write(const struct port_access *a, const uint8_t *bytes, uint32_t count)
{
	const struct port_range *range = find(a->port, a->size);
	bool split = !range && a->size > 1 && find(a->port, 1);
	uint32_t done = 0;

	if (range && range->write_bytes) {
		range->write_bytes(a, bytes, count);
		return count;
	}
	while (done < count && a->vm->stop.kind == STOP_NONE) {
		uint32_t value = value_of(bytes + done++ * a->size, a->size);

		if (range)
			range->write(a, value);
		else if (split)
			write_bytes(a, value);
		else
			vm_count_absent(a->vm);
	}
	return done;
}
