/*
 * ioapic.c: the I/O APIC: its registers, and what a pin sends (Intel, "82093AA I/O Advanced Programmable
 * Interrupt Controller"; the EOI register is that of the I/O APICs in later chipsets).
 *
 * Called by mmio.c, by irq.c and the 8259 pair when a line rises, by the local APICs at ends of interrupts.
 * Messages arrive at once: the delivery status never reads 1. Polarity makes no difference: devices say
 * whether they request, not how high their line is.
 */
#include "dev/ioapic.h"
#include "dev/lapic.h"

enum { REG_SELECT = 0x00, REG_WINDOW = 0x10, REG_EOI = 0x40 };
enum { INDEX_ID = 0x00, INDEX_VERSION = 0x01, INDEX_ARBITRATION = 0x02, INDEX_REDIRECTION = 0x10 };

#define VERSION			((IOAPIC_PINS - 1) << 16 | 0x20)	/* 0x20: it has the EOI register */
#define ID_MASK			0x0f000000
#define ENTRY_VECTOR		0xffu
#define ENTRY_MODE		(7u << 8)
#define ENTRY_LOGICAL		(1u << 11)
#define ENTRY_REMOTE_IRR	(1u << 14)
#define ENTRY_LEVEL		(1u << 15)
#define ENTRY_MASKED		(1u << 16)
#define ENTRY_WRITABLE_LOW	0x1afffu	/* not: delivery status, remote IRR */
#define ENTRY_WRITABLE_HIGH	0xff000000u

void ioapic_reset(struct ioapic *io)
{
	*io = (struct ioapic){ .id = 0 };
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		io->redirection[pin] = ENTRY_MASKED;
}

/* ---- Pins ---- */

static bool pin_is_high(const struct vm *vm, unsigned pin)
{
	if (pin == IOAPIC_PIN_INTR)
		return vm->pic.intr;
	if (pin == IOAPIC_PIN_IRQ0)
		return vm->ioapic.lines & 1;
	return pin < 16 && vm->ioapic.lines >> pin & 1;
}

/* Only these two can be level-triggered: "NMI, INIT and ExtINT … are always treated as edge". */
static bool is_level(uint64_t entry)
{
	uint32_t mode = entry & ENTRY_MODE;

	return (entry & ENTRY_LEVEL) && (mode == ICR_MODE_FIXED || mode == ICR_MODE_LOWEST);
}

static bool send(struct vm *vm, struct world *w, unsigned self, uint64_t entry)
{
	struct apic_message m = {
		.destination = entry >> 56,
		.logical = entry & ENTRY_LOGICAL,
		.level = is_level(entry),
		.vector = entry & ENTRY_VECTOR,
		.mode = entry & ENTRY_MODE,
	};

	return m.mode != ICR_MODE_SIPI && lapic_message(vm, w, self, &m);
}

/* A level-triggered pin sends once, until the end of that interrupt, for as long as it is high. */
static void serve_level(struct vm *vm, struct world *w, unsigned self, unsigned pin)
{
	uint64_t *entry = &vm->ioapic.redirection[pin];

	if (!is_level(*entry) || (*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) || !pin_is_high(vm, pin) ||
	    !send(vm, w, self, *entry))
		return;
	*entry |= ENTRY_REMOTE_IRR;
	vm_touch(vm, VM_DEVICE_IOAPIC);
}

void ioapic_rise(struct vm *vm, struct world *w, unsigned self, unsigned pin)
{
	uint64_t entry = vm->ioapic.redirection[pin];

	if (is_level(entry))
		serve_level(vm, w, self, pin);
	else if (!(entry & ENTRY_MASKED))	/* a masked edge is lost, says the data sheet */
		send(vm, w, self, entry);
}

void ioapic_eoi(struct vm *vm, struct world *w, unsigned self, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t *entry = &vm->ioapic.redirection[pin];

		if (!(*entry & ENTRY_REMOTE_IRR) || (*entry & ENTRY_VECTOR) != vector)
			continue;
		*entry &= ~(uint64_t)ENTRY_REMOTE_IRR;
		vm_touch(vm, VM_DEVICE_IOAPIC);
		serve_level(vm, w, self, pin);
	}
}

void ioapic_retry(struct vm *vm, struct world *w, unsigned self)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		serve_level(vm, w, self, pin);
}

/* ---- Registers ---- */

static uint32_t window_read(const struct ioapic *io)
{
	unsigned n = io->select - INDEX_REDIRECTION;

	switch (io->select) {
	case INDEX_ID: case INDEX_ARBITRATION: return io->id;
	case INDEX_VERSION: return VERSION;
	default: break;
	}
	if (n >= 2 * IOAPIC_PINS)
		return UINT32_MAX;
	return (uint32_t)(io->redirection[n / 2] >> n % 2 * 32);
}

static void entry_write(struct vm *vm, struct world *w, unsigned self, unsigned pin, bool high, uint32_t value)
{
	uint64_t *entry = &vm->ioapic.redirection[pin];

	if (high)
		*entry = (uint32_t)*entry | (uint64_t)(value & ENTRY_WRITABLE_HIGH) << 32;
	else
		*entry = (*entry & ~(uint64_t)ENTRY_WRITABLE_LOW) | (value & ENTRY_WRITABLE_LOW);
	/* An edge has no end that could be awaited. */
	if (!is_level(*entry))
		*entry &= ~(uint64_t)ENTRY_REMOTE_IRR;
	serve_level(vm, w, self, pin);
}

static void window_write(struct vm *vm, struct world *w, unsigned self, uint32_t value)
{
	struct ioapic *io = &vm->ioapic;
	unsigned n = io->select - INDEX_REDIRECTION;

	if (io->select == INDEX_ID)
		io->id = value & ID_MASK;
	else if (n < 2 * IOAPIC_PINS)
		entry_write(vm, w, self, n / 2, n % 2, value);
}

uint32_t ioapic_read(const struct vm *vm, uint32_t offset)
{
	switch (offset) {
	case REG_SELECT: return vm->ioapic.select;
	case REG_WINDOW: return window_read(&vm->ioapic);
	default: return 0;
	}
}

void ioapic_write(struct vm *vm, struct world *w, unsigned self, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case REG_SELECT:
		vm->ioapic.select = value & 0xff;
		break;
	case REG_WINDOW:
		window_write(vm, w, self, value);
		break;
	case REG_EOI:
		ioapic_eoi(vm, w, self, (uint8_t)value);
		return;
	default:
		return;
	}
	vm_touch(vm, VM_DEVICE_IOAPIC);
}
