/*
 * layout.h: where the loader's tables lie in guest memory, and the map of that memory that guests get.
 *
 * All of it is below 1 MiB: what a guest needs to start, in memory that it may use afterwards
 * (0x6000..0x10000), and what it needs for good, where a PC has its BIOS.
 */
#ifndef VEXIT_LOAD_LAYOUT_H
#define VEXIT_LOAD_LAYOUT_H

#include <stdint.h>

#include "platform.h"

#define LAYOUT_PAGE		0x1000u
#define LAYOUT_LOW		0x6000u		/* the first of the tables */
#define LAYOUT_GDT		0x6000u		/* Linux */
#define LAYOUT_ZERO_PAGE	0x7000u		/* Linux: struct boot_params */
#define LAYOUT_COMMAND_LINE	0x8000u		/* Linux */
#define LAYOUT_PAGE_TABLES	0x9000u		/* Linux: PML4, PDPT, four page directories */
#define LAYOUT_INFO		0x9000u		/* multiboot: information structure, strings */
#define LAYOUT_LOW_END		0xf000u

#define LAYOUT_LOW_RAM_END	0x9fc00u	/* then a PC's extended BIOS data, and its video memory */
#define LAYOUT_BIOS		0xe0000u	/* ACPI tables; reserved in the map */
#define LAYOUT_SMBIOS		0xf0000u
#define LAYOUT_HIGH_RAM		0x100000u

#define LAYOUT_COMMAND_LINE_MAX	4095u		/* without the terminator */

/* Types of memory, the same in e820 and in multiboot's map. */
#define LAYOUT_TYPE_RAM		1u
#define LAYOUT_TYPE_RESERVED	2u
#define LAYOUT_REGIONS		3u

struct layout_region {
	uint64_t base, size;
	uint32_t type;
};

/* The map of `memory` bytes: LAYOUT_REGIONS rows. */
void layout_map(uint64_t memory, struct layout_region *region);

#endif
