/* boot.h: what boot_main() found, for vmx/. */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <stdnoreturn.h>

#include "boot/multiboot2.h"
#include "boot/options.h"

struct boot {
	struct options options;
	struct multiboot2 loader;
};

/* The rest of the run. vmx/main.c */
noreturn void vmx_main(const struct boot *boot);

#endif
