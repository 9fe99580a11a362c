/*
 * ports.c: the table of I/O ports, and the ports that are too small for a file: exit, reset, power-off.
 *
 * Called by the handler of I/O instructions. A device answers to accesses that start in its range; an 8-bit
 * device sees a wider access as bytes at successive ports, as on an ISA bus.
 */
#include <stddef.h>

#include "dev/ports.h"
#include "dev/uart.h"
#include "dev/vm_state.h"
#include "platform.h"

#define RESET_CPU		(1u << 2)

struct port_range {
	uint16_t first, last;
	/* wider accesses aren't for this device, or come as bytes if it is 8 bits wide */
	uint8_t max_size;
	uint32_t (*read)(const struct port_access *a);
	uint32_t (*write)(const struct port_access *a, const uint8_t *bytes, uint32_t count);
};

static uint32_t value_of(const uint8_t *bytes, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)bytes[i] << 8 * i;
	return value;
}

static uint32_t all_ones(unsigned size)
{
	return UINT32_MAX >> (32 - 8 * size);
}

static uint32_t uart_port_read(const struct port_access *a)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < a->size; i++) {
		unsigned offset = a->port - PORT_UART + i;
		uint8_t byte = offset < 8 ? uart_read(a->vm, a->w, a->self, offset) : 0xff;

		value |= (uint32_t)byte << 8 * i;
	}
	return value;
}

static uint32_t uart_port_write(const struct port_access *a, const uint8_t *bytes, uint32_t count)
{
	unsigned offset = a->port - PORT_UART;

	if (a->size == 1) {
		uart_write(a->vm, a->w, a->self, offset, bytes, count);
		return count;
	}
	for (uint32_t i = 0; i < count * a->size; i++) {
		if (offset + i % a->size < 8)
			uart_write(a->vm, a->w, a->self, offset + i % a->size, &bytes[i], 1);
	}
	return count;
}

static uint32_t zero_read(const struct port_access *a)
{
	(void)a;
	return 0;
}

static uint32_t debug_exit_write(const struct port_access *a, const uint8_t *bytes, uint32_t count)
{
	(void)count;
	vm_end(a->vm, STOP_DEBUG_EXIT, value_of(bytes, a->size));
	return 1;
}

static uint32_t reset_write(const struct port_access *a, const uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (value_of(bytes + i * a->size, a->size) & RESET_CPU) {
			vm_end(a->vm, STOP_RESET, 0);
			return i + 1;
		}
	}
	return count;
}

static uint32_t power_off_write(const struct port_access *a, const uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (a->size == 2 && value_of(bytes + i * a->size, a->size) == PORT_POWER_OFF_VALUE) {
			vm_end(a->vm, STOP_POWER_OFF, 0);
			return i + 1;
		}
	}
	return count;
}

static const struct port_range ranges[] = {
	{ PORT_UART, PORT_UART + 7, 4, uart_port_read, uart_port_write },
	{ PORT_DEBUG_EXIT, PORT_DEBUG_EXIT, 4, zero_read, debug_exit_write },
	{ PORT_RESET, PORT_RESET, 1, zero_read, reset_write },
	{ PORT_POWER_OFF, PORT_POWER_OFF, 2, zero_read, power_off_write },
};

static const struct port_range *find(uint16_t port, unsigned size)
{
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (port >= ranges[i].first && port <= ranges[i].last && size <= ranges[i].max_size)
			return &ranges[i];
	}
	return NULL;
}

bool port_exists(uint16_t port, unsigned size)
{
	return find(port, size) != NULL;
}

uint32_t port_read(const struct port_access *a)
{
	const struct port_range *range = find(a->port, a->size);

	if (range)
		return range->read(a);
	vm_count_absent(a->vm);
	return all_ones(a->size);
}

uint32_t port_write(const struct port_access *a, const uint8_t *bytes, uint32_t count)
{
	const struct port_range *range = find(a->port, a->size);

	if (range)
		return range->write(a, bytes, count);
	vm_count_absent(a->vm);
	return count;
}
