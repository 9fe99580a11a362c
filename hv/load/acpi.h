/*
 * acpi.h: the ACPI tables of the machine in platform.h, for guests that don't know it otherwise.
 */
#ifndef VEXIT_LOAD_ACPI_H
#define VEXIT_LOAD_ACPI_H

#include <stdint.h>

#define ACPI_SIZE_MAX	0x1000u

/*
 * Writes the tables of a machine of `cpus` (at most VM_MAX_CPUS) processors to `at`, which guests see at
 * address `base`, a multiple of 64: at most ACPI_SIZE_MAX bytes, zeros before. The RSDP comes first. Gives
 * their size.
 */
uint32_t acpi_build(uint8_t *at, uint32_t base, uint32_t cpus);

#endif
