/*
 * guest_image.h: the smallest guests that hv/load takes, made in memory, for tests that then spoil them.
 */
#ifndef VEXIT_GUEST_IMAGE_H
#define VEXIT_GUEST_IMAGE_H

#include <stdint.h>

#define IMAGE_MAX	4096u

/*
 * A Linux bzImage of protocol 2.15: two sectors of setup, 1 KiB of kernel, which wants 64 KiB at
 * IMAGE_LINUX_AT.
 */
#define IMAGE_LINUX_AT		0x200000u
#define IMAGE_LINUX_SETUP	1024u
#define IMAGE_LINUX_KERNEL	1024u
#define IMAGE_LINUX_INIT_SIZE	0x10000u
#define IMAGE_LINUX_CMDLINE	255u

/* A multiboot ELF: header, two segments (code with the multiboot header in it; data of 16 bytes in 4 KiB). */
#define IMAGE_ELF_CODE_AT	0x100000u	/* physical; virtual is IMAGE_ELF_VIRTUAL higher */
#define IMAGE_ELF_DATA_AT	0x102000u
#define IMAGE_ELF_VIRTUAL	0x40000000u
#define IMAGE_ELF_ENTRY		0x20u		/* within the code */

/* Each fills `to`, of IMAGE_MAX bytes, and gives the image's size. */
uint64_t image_linux(uint8_t *to);
uint64_t image_elf32(uint8_t *to);
uint64_t image_elf64(uint8_t *to);

/* A little-endian value of `size` bytes. */
void image_put(uint8_t *to, uint64_t value, unsigned size);
uint64_t image_get(const uint8_t *from, unsigned size);

#endif
