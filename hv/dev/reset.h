/*
 * reset.h: the ports that reset a PC and little else: the reset control register of Intel's chip sets (0xcf9)
 * and system control port A (0x92).
 */
#ifndef VEXIT_DEV_RESET_H
#define VEXIT_DEV_RESET_H

#include "dev/ports.h"

uint32_t reset_control_read(const struct port_access *a);
void reset_control_write(const struct port_access *a, uint32_t value);
uint32_t system_control_a_read(const struct port_access *a);
void system_control_a_write(const struct port_access *a, uint32_t value);

#endif
