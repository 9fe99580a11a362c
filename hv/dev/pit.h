/*
 * pit.h: the programmable interval timer, an Intel 8254, and system control port B (0x61), through which a PC
 * gates its channel 2 and sees its output.
 *
 * Channel 0 is IRQ 0. Channel 1 refreshes memory on a PC and does nothing here but toggle a bit of port 0x61.
 * Times are the VM's; the 8254's clock is counted from the VM's time 0 (clock.h).
 */
#ifndef VEXIT_DEV_PIT_H
#define VEXIT_DEV_PIT_H

#include "dev/ports.h"

#define PIT_HZ		1193182
#define PIT_CHANNELS	3

void pit_reset(struct pit *pit);

/* Counters at PORT_PIT, control word behind them. The control word can't be read: all ones. */
uint32_t pit_read(const struct port_access *a);
void pit_write(const struct port_access *a, uint32_t value);

/* Port 0x61. */
uint32_t pit_system_read(const struct port_access *a);
void pit_system_write(const struct port_access *a, uint32_t value);

/* Channel 0's output rises: its deadline isn't after `now`. timers.c alone calls it. */
void pit_expire(struct vm *vm, struct world *w, unsigned self, uint64_t now);

#endif
