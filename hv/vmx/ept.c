/*
 * ept.c: the extended page tables (SDM "The Extended Page Table Mechanism (EPT)").
 *
 * Built once at boot and not changed after.
 */
#include "boot/memory.h"
#include "vmx/ept.h"

#define EPT_RWX		7ull
#define EPT_LARGE	(1ull << 7)
#define EPT_TYPE_WB	(6ull << 3)
#define EPTP_TYPE_WB	6ull
#define EPTP_WALK_4	(3ull << 3)	/* page-walk length less one */

#define PAGE		4096ull
#define LARGE_PAGE	(2ull << 20)
#define DIRECTORY	(1ull << 30)	/* what one page directory covers */

static uint64_t *ept_table(void)
{
	return memory_allocate(PAGE, PAGE, "an EPT table");
}

uint64_t ept_build(uint64_t memory, uint64_t size)
{
	uint64_t *pml4 = ept_table(), *pdpt = ept_table(), *pd = 0;

	pml4[0] = (uint64_t)pdpt | EPT_RWX;
	for (uint64_t gpa = 0; gpa < size; gpa += LARGE_PAGE) {
		if (gpa % DIRECTORY == 0) {
			pd = ept_table();
			pdpt[gpa / DIRECTORY] = (uint64_t)pd | EPT_RWX;
		}
		pd[gpa % DIRECTORY / LARGE_PAGE] = (memory + gpa) | EPT_RWX | EPT_LARGE | EPT_TYPE_WB;
	}
	return (uint64_t)pml4 | EPTP_TYPE_WB | EPTP_WALK_4;
}
