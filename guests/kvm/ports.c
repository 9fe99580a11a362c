/*
 * ports.c: the ports that KVM hands to user space: UART, CMOS, ACPI's registers, the ways to end.
 *
 * Called by main.c. The in-kernel devices (8259s, PIT, port 0x61) never come here. What Linux can do without isn't
 * here: no PCI configuration, no keyboard controller. vexit's guests find both; here each access to them
 * would be an exit to user space.
 */
#include "platform.h"
#include "vmm.h"

/* A clock that stands still at 2026-01-01 00:00:00, BCD and 24 hours; nothing in it updates. */
static uint8_t cmos_read(uint8_t index)
{
	switch (index) {
	case 0x06: return 0x05;		/* Thursday */
	case 0x07: return 0x01;
	case 0x08: return 0x01;
	case 0x09: return 0x26;
	case 0x0a: return 0x26;
	case 0x0b: return 0x02;
	case 0x0d: return 0x80;		/* the battery is well */
	case 0x32: return 0x20;
	default:   return 0;
	}
}

uint32_t port_read(struct machine *m, uint16_t port, unsigned size)
{
	if (port >= PORT_UART && port < PORT_UART + 8 && size == 1)
		return uart_read(m, port - PORT_UART);
	switch (port) {
	case PORT_RTC + 1:
		return cmos_read(m->cmos_index);
	case PORT_PM1_EVENT:		/* no event ever happens */
		return 0;
	case PORT_PM1_EVENT + 2:
		return m->pm1_enable;
	case PORT_POWER_OFF:
		return 1;		/* SCI_EN: in ACPI mode */
	default:
		return UINT32_MAX;
	}
}

static void end(struct machine *m, unsigned verdict)
{
	m->ended = true;
	m->verdict = verdict;
}

void port_write(struct machine *m, uint16_t port, unsigned size, uint32_t value)
{
	if (port >= PORT_UART && port < PORT_UART + 8 && size == 1) {
		uart_write(m, port - PORT_UART, (uint8_t)value);
		return;
	}
	switch (port) {
	case PORT_RTC:
		m->cmos_index = value & 0x7f;
		break;
	case PORT_PM1_EVENT + 2:
		m->pm1_enable = (uint16_t)value;
		break;
	case PORT_POWER_OFF:
		if (value == PORT_POWER_OFF_VALUE)
			end(m, 0);
		break;
	case PORT_DEBUG_EXIT:
		end(m, value);
		break;
	}
}
