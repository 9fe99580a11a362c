/*
 * page.c: changes of the page tables that start.S built.
 */
#include "guest.h"

extern uint64_t pd[], window_pt[];

void *page_map(unsigned page, uint64_t physical, uint64_t flags)
{
	void *address = page_window(page);

	window_pt[page] = flags ? physical | flags : 0;
	invlpg(address);
	return address;
}

void page_set_user(const void *address, bool user)
{
	uint64_t *pde = &pd[(uint64_t)address >> 21];

	*pde = user ? *pde | PAGE_USER : *pde & ~PAGE_USER;
	invlpg(address);
}
