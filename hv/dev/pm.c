/*
 * pm.c: ACPI's PM1 event and control registers: the SCI, and power-off.
 *
 * Called by the port table and by devices that have an ACPI event. ACPI mode is always on: there is no
 * SMI_CMD port to switch it.
 */
#include "dev/pm.h"
#include "dev/irq.h"
#include "dev/vm_state.h"
#include "platform.h"

#define STATUS_WRITABLE	0x8731u		/* write 1 to clear: TMR, BM, GBL, PWRBTN, SLPBTN, RTC, WAK */
#define ENABLE_WRITABLE	0x0721u
#define CONTROL_SCI_EN	(1u << 0)
#define CONTROL_SLP_TYP	0x1c00u
#define CONTROL_KEPT	(CONTROL_SLP_TYP | 1u << 1)	/* and BM_RLD */
#define CONTROL_SLP_EN	(1u << 13)	/* write-only */

void pm_reset(struct chipset *c)
{
	c->pm1_control = CONTROL_SCI_EN;
}

/* ACPI: the SCI is level-triggered, up while an enabled event's status is set. */
static void update_sci(struct vm *vm, struct world *w, unsigned self)
{
	const struct chipset *c = &vm->chipset;

	irq_set(vm, w, self, IRQ_SCI, (c->pm1_status & c->pm1_enable) != 0);
}

void pm_event(struct vm *vm, struct world *w, unsigned self, uint16_t status)
{
	vm->chipset.pm1_status |= status;
	vm_touch(vm, VM_DEVICE_CHIPSET);
	update_sci(vm, w, self);
}

static uint16_t *register_at(struct vm *vm, uint16_t port)
{
	switch (port & ~1u) {
	case PORT_PM1_EVENT: return &vm->chipset.pm1_status;
	case PORT_PM1_EVENT + 2: return &vm->chipset.pm1_enable;
	default: return &vm->chipset.pm1_control;
	}
}

uint32_t pm_read(const struct port_access *a)
{
	return *register_at(a->vm, a->port) >> 8 * (a->port & 1);
}

void pm_write(const struct port_access *a, uint32_t value)
{
	struct vm *vm = a->vm;
	struct chipset *c = &vm->chipset;
	uint16_t *to = register_at(vm, a->port);
	unsigned shift = 8 * (a->port & 1);
	uint16_t written = a->size == 1 ? 0xff << shift : 0xffff;	/* these bits of it */

	value <<= shift;
	if (to == &c->pm1_status) {
		c->pm1_status &= ~(value & STATUS_WRITABLE);
	} else if (to == &c->pm1_enable) {
		c->pm1_enable = (c->pm1_enable & ~written) | (value & ENABLE_WRITABLE);
	} else {
		c->pm1_control = (c->pm1_control & ~written) | (value & CONTROL_KEPT) | CONTROL_SCI_EN;
		/* S5 is SLP_TYP 0, as the DSDT says; there is no other sleep state. */
		if ((value & CONTROL_SLP_EN) && !(c->pm1_control & CONTROL_SLP_TYP))
			vm_end(vm, STOP_POWER_OFF, 0);
	}
	vm_touch(vm, VM_DEVICE_CHIPSET);
	update_sci(vm, a->w, a->self);
}
