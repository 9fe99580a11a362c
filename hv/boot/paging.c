/*
 * paging.c: protections on head.S's identity map (SDM "4-Level Paging").
 *
 * Called once by boot_main(). A write to our code, a jump into data, a null pointer or a stack overflow is a
 * page fault with a report instead of silent rot.
 */
#include <stdint.h>

#include "boot/panic.h"
#include "boot/paging.h"
#include "boot/x86.h"

#define PTE_PRESENT	(1ull << 0)
#define PTE_WRITE	(1ull << 1)
#define PTE_NX		(1ull << 63)
#define SMALL_PAGE	4096ull
#define LARGE_PAGE	(2ull << 20)

extern uint64_t boot_pml4[], boot_pd[];			/* head.S */
extern const char boot_stack_guard[];
extern const char image_start[], text_end[], rodata_end[], image_end[];	/* link.ld */

/* One table for the first 2 MiB (page 0), four for the image (asserted in link.ld). */
static uint64_t split[5][512] __attribute__((aligned(4096)));

static uint64_t page_bits(uint64_t address)
{
	if (address == 0 || address == (uint64_t)boot_stack_guard)
		return 0;
	if (address < (uint64_t)image_start || address >= (uint64_t)rodata_end)
		return PTE_PRESENT | PTE_WRITE | PTE_NX;
	return address < (uint64_t)text_end ? PTE_PRESENT : PTE_PRESENT | PTE_NX;
}

void paging_init(void)
{
	uint64_t tables = ((uint64_t)image_end + LARGE_PAGE - 1) / LARGE_PAGE;

	if (tables > sizeof(split) / sizeof(*split))
		panic("the image ends at %p, above what paging.c splits", (const void *)image_end);
	for (uint64_t large = tables; large < PAGING_LIMIT / LARGE_PAGE; large++)
		boot_pd[large] |= PTE_NX;
	for (uint64_t large = 0; large < tables; large++) {
		for (uint64_t small = 0; small < 512; small++) {
			uint64_t address = large * LARGE_PAGE + small * SMALL_PAGE, bits = page_bits(address);

			split[large][small] = bits ? address | bits : 0;
		}
		boot_pd[large] = (uint64_t)split[large] | PTE_PRESENT | PTE_WRITE;
	}
	x86_cr3_write((uint64_t)boot_pml4);
}
