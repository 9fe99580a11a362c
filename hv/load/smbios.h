/*
 * smbios.h: the SMBIOS tables: what machine this is, for guests that ask its firmware.
 */
#ifndef VEXIT_LOAD_SMBIOS_H
#define VEXIT_LOAD_SMBIOS_H

#include <stdint.h>

#define SMBIOS_SIZE_MAX	0x200u

/*
 * Writes entry point and structures to `at`, which guests see at address `base`, a multiple of 16 in
 * 0xf0000..0x100000: at most SMBIOS_SIZE_MAX bytes, zeros before. Gives their size.
 */
uint32_t smbios_build(uint8_t *at, uint32_t base);

#endif
