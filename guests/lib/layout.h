/*
 * layout.h: sizes, addresses and selectors that C and assembly of the guests share.
 *
 * Holds #defines alone, so that .S files can include it.
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define MAX_CPUS        32
#define CPU_AREA_SIZE   16384       /* a vCPU's struct cpu at the bottom, its stack above; a power of two */

#define TRAMPOLINE      0x8000      /* page below 1 MiB that a started AP executes first (SIPI vector 0x08) */

/* Above the identity map of the first 4 GiB: 512 pages of 4 KiB, unmapped until page_map() is called. */
#define WINDOW          0x100000000
#define WINDOW_PAGES    512

/* GDT selectors; boot_gdt (start.S) has the first four, a vCPU's own table (smp.c) has all */
#define SEL_CODE64      0x08
#define SEL_DATA        0x10
#define SEL_CODE32      0x18
#define SEL_USER_CODE32 0x23
#define SEL_USER_DATA   0x2b
#define SEL_USER_CODE64 0x33
#define SEL_TSS         0x38        /* 16 bytes in 64-bit mode */
#define GDT_BYTES       0x48

#endif
