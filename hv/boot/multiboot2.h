/* multiboot2.h: what the loader hands over, checked and in our own words. */
#ifndef BOOT_MULTIBOOT2_H
#define BOOT_MULTIBOOT2_H

#include <stdint.h>

#define MULTIBOOT2_MODULES	2	/* the guest, and its initrd */
#define MULTIBOOT2_LINE		4096	/* bytes of a module's command line, with its terminator */
#define MULTIBOOT2_REGIONS	64

struct multiboot2_range {
	uint64_t start, end;		/* physical addresses; end is the first byte behind */
};

struct multiboot2_module {
	struct multiboot2_range at;
	const char *command_line;	/* without GRUB's backslashes */
};

struct multiboot2 {
	struct multiboot2_range info;	/* the loader's structure itself, which the strings point into */
	const char *command_line;
	unsigned modules, regions;
	struct multiboot2_module module[MULTIBOOT2_MODULES];
	struct multiboot2_range region[MULTIBOOT2_REGIONS];	/* usable memory */
};

/* Ends the run with a host error if the structure is not what the specification says. */
void multiboot2_parse(uint32_t magic, uint32_t address, struct multiboot2 *mb);

#endif
