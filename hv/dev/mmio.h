/* mmio.h: guest-physical memory: RAM, the devices' pages, and nothing. */
#ifndef VEXIT_DEV_MMIO_H
#define VEXIT_DEV_MMIO_H

#include "vm.h"
#include "world.h"

/*
 * `len` bytes at `gpa`, within one page: from RAM, a device, or all ones where nothing is. For a device it
 * is one access if it is 1, 2, 4 or 8 bytes.
 */
void physical_read(struct vcpu *v, struct vm *vm, struct world *w, uint64_t gpa, void *to, uint32_t len);
void physical_write(struct vcpu *v, struct vm *vm, struct world *w, uint64_t gpa, const void *from,
		    uint32_t len);

/* Whether memory or any device is at `gpa` for vCPU `self`. */
bool physical_exists(const struct vm *vm, unsigned self, uint64_t gpa);

#endif
