/* guest.h: the guest's files, loaded into its memory. */
#ifndef VMX_GUEST_H
#define VMX_GUEST_H

#include "vcpu.h"

struct boot;

/*
 * Loads the boot loader's first module, and its second, the initrd, if there is one, into `memory`, which is
 * `size` bytes of zeros. Whatever is wrong with them ends the run as a host error that says what, and at
 * which offset.
 */
struct vcpu_start guest_load(const struct boot *boot, uint8_t *memory, uint64_t size);

#endif
