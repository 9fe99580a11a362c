/*
 * rtc.h: the real-time clock and CMOS memory of a PC: Motorola's MC146818, index at PORT_RTC, data behind it.
 *
 * Time of day follows from the VM's time and config.rtc_start. Its interrupt is IRQ 8; an alarm is ACPI's RTC
 * event, too.
 */
#ifndef VEXIT_DEV_RTC_H
#define VEXIT_DEV_RTC_H

#include "dev/ports.h"

/* `vm->config` is set: memory size and the time at power-on are in it. */
void rtc_reset(struct vm *vm);

/* Port PORT_RTC: the index can't be read: all ones. */
uint32_t rtc_index_read(const struct port_access *a);
void rtc_index_write(const struct port_access *a, uint32_t value);
uint32_t rtc_data_read(const struct port_access *a);
void rtc_data_write(const struct port_access *a, uint32_t value);

/* An interrupt is due: rtc.deadline isn't after `now`. timers.c alone calls it. */
void rtc_expire(struct vm *vm, struct world *w, unsigned self, uint64_t now);

#endif
