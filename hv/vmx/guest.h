/* guest.h: the guest's image, loaded into its memory. */
#ifndef VMX_GUEST_H
#define VMX_GUEST_H

#include <stdint.h>

struct boot;

struct guest {
	uint64_t entry;		/* GPA where the BSP starts */
	uint64_t info;		/* GPA of the multiboot information */
};

/*
 * Loads the boot loader's first module, a multiboot (version 1) ELF, its initrd if there is a second module,
 * and the multiboot information. Whatever is wrong with the image ends the run as a host error that says
 * what.
 */
struct guest guest_load(const struct boot *boot, uint8_t *memory, uint64_t size);

#endif
