/*
 * smbios.c: entry point and the two structures that say something (DMTF, System Management BIOS Reference
 * Specification 3.0).
 *
 * Called by load.c. It earns its place by a date: without a BIOS date of this century Linux doesn't believe
 * in PCI configuration mechanism 1 before it has asked all 256 functions of bus 0, which is empty, twice: a
 * thousand exits.
 */
#include <string.h>

#include "load/smbios.h"

#define ENTRY_SIZE		24u
#define BIOS_SIZE		24u
#define SYSTEM_SIZE		27u

enum { TYPE_BIOS = 0, TYPE_SYSTEM = 1, TYPE_END = 127 };

#define BIOS_NO_CHARACTERISTICS	(1u << 3)	/* "BIOS characteristics are not supported" */
#define BIOS_VIRTUAL_MACHINE	(1u << 4)	/* in the second extension byte */
#define NOT_APPLICABLE		0xff
#define WAKE_UP_POWER_SWITCH	6

static void put16(uint8_t *to, unsigned value)
{
	to[0] = (uint8_t)value;
	to[1] = (uint8_t)(value >> 8);
}

/* A structure's strings, numbered from 1, and the empty one that ends them: all with their terminators. */
static uint8_t *put_strings(uint8_t *to, const char *strings, unsigned size)
{
	memcpy(to, strings, size);
	return to + size;
}

static uint8_t *begin(uint8_t *s, uint8_t type, uint8_t size)
{
	s[0] = type;
	s[1] = size;
	put16(s + 2, type);	/* handle: each type is there once */
	return s + size;
}

static uint8_t *put_bios(uint8_t *s)
{
	static const char strings[] = "vexit\0" "1.0\0" "01/01/2026\0";
	uint8_t *end = begin(s, TYPE_BIOS, BIOS_SIZE);

	s[4] = 1;			/* vendor */
	s[5] = 2;			/* version */
	put16(s + 6, 0xe000);		/* segment where it starts */
	s[8] = 3;			/* release date */
	s[9] = 1;			/* size: 128 KiB */
	s[10] = BIOS_NO_CHARACTERISTICS;
	s[19] = BIOS_VIRTUAL_MACHINE;
	s[20] = 1;			/* release 1.0 */
	s[22] = s[23] = NOT_APPLICABLE;	/* no embedded controller */
	return put_strings(end, strings, sizeof(strings));
}

static uint8_t *put_system(uint8_t *s)
{
	static const char strings[] = "vexit\0" "PC\0";
	uint8_t *end = begin(s, TYPE_SYSTEM, SYSTEM_SIZE);

	s[4] = 1;			/* manufacturer */
	s[5] = 2;			/* product; no version, no serial number, no UUID (all zeros) */
	s[24] = WAKE_UP_POWER_SWITCH;
	return put_strings(end, strings, sizeof(strings));
}

static uint8_t *put_end(uint8_t *s)
{
	return put_strings(begin(s, TYPE_END, 4), "\0", 2);
}

uint32_t smbios_build(uint8_t *at, uint32_t base)
{
	uint8_t *first = at + 32, *end = put_end(put_system(put_bios(first))), sum = 0;
	uint32_t address = base + 32, size = (uint32_t)(end - first);

	memcpy(at, "_SM3_", 5);
	at[6] = ENTRY_SIZE;
	at[7] = 3;			/* SMBIOS 3.0 */
	at[10] = 1;			/* revision of the entry point */
	memcpy(at + 12, &size, 4);
	memcpy(at + 16, &address, 4);
	for (unsigned i = 0; i < ENTRY_SIZE; i++)
		sum = (uint8_t)(sum + at[i]);
	at[5] = (uint8_t)-sum;
	return (uint32_t)(end - at);
}
