/*
 * i8042.h: the keyboard controller (Intel's 8042, as IBM's PC AT uses it) with no keyboard and no mouse.
 *
 * A guest that looks for it finds a controller that answers everything at once; what it sends to a keyboard
 * times out at once. So no driver waits, and 0xfe to the command port resets the machine.
 */
#ifndef VEXIT_DEV_I8042_H
#define VEXIT_DEV_I8042_H

#include "dev/ports.h"

struct chipset;
void i8042_reset(struct chipset *c);

/* Data at PORT_8042 - 4, status and command at PORT_8042. */
uint32_t i8042_data_read(const struct port_access *a);
void i8042_data_write(const struct port_access *a, uint32_t value);
uint32_t i8042_status_read(const struct port_access *a);
void i8042_command_write(const struct port_access *a, uint32_t value);

#endif
