/* memory.h: where the hypervisor's physical memory comes from. Nothing is ever given back. */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include <stdint.h>

#include "boot/multiboot2.h"

/*
 * Finds the largest stretch that nothing lies in: neither the image, nor the loader's structure, nor a
 * module.
 */
void memory_init(const struct multiboot2 *mb);

/*
 * `size` bytes of zeros, aligned to `align` (a power of two); identity-mapped, so the pointer is the physical
 * address. `what` names it in the host error when there is not enough.
 */
void *memory_allocate(uint64_t size, uint64_t align, const char *what);

#endif
