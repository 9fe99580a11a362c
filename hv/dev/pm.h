/*
 * pm.h: ACPI fixed hardware (ACPI Specification, "PM1 Event Grouping", "PM1 Control Grouping"): event block
 * at PORT_PM1_EVENT, control block at PORT_POWER_OFF. There is no PM timer, no SMI and no general event.
 */
#ifndef VEXIT_DEV_PM_H
#define VEXIT_DEV_PM_H

#include "dev/ports.h"

#define PM1_RTC		(1u << 10)	/* status and enable: the RTC's alarm */

struct chipset;
void pm_reset(struct chipset *c);

/* An event came: its status bit is set until the guest clears it. */
void pm_event(struct vm *vm, struct world *w, unsigned self, uint16_t status);

/* Status, enable and control registers of 16 bits, in bytes or as a whole. */
uint32_t pm_read(const struct port_access *a);
void pm_write(const struct port_access *a, uint32_t value);

#endif
