/*
 * multiboot.h: what the boot loader hands over (Multiboot Specification 0.6.96, "Boot information format"),
 * as far as guests look at it.
 */
#ifndef GUEST_MULTIBOOT_H
#define GUEST_MULTIBOOT_H

#include "asm.h"

#define MULTIBOOT_LOADED       0x2badb002 /* in EAX */
#define MULTIBOOT_INFO_MEMORY  (1u << 0)
#define MULTIBOOT_INFO_CMDLINE (1u << 2)
#define MULTIBOOT_INFO_MODULES (1u << 3)
#define MULTIBOOT_INFO_MAP     (1u << 6)

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, module_count, modules, symbols[4];
	uint32_t map_length, map;
};

struct multiboot_module {
	uint32_t start, end, string, reserved;
};

struct multiboot_region {
	uint32_t size; /* of what follows */
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

/* As it was when the guest started. */
const struct multiboot_info *guest_boot(void);

#endif
