/*
 * firmware.h: what the guest's files share.
 */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include "guest.h"

/* main.c */
uint64_t get(const uint8_t *from, unsigned size);	/* little-endian */
uint8_t sum(const uint8_t *from, size_t size);

/* tables.c */
void test_acpi(void);
void test_smbios(void);
/* Powers off as the tables say; returns if they don't, or if that did nothing. */
void acpi_power_off(void);

#endif
