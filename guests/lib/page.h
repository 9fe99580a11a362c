/*
 * page.h: 4 KiB pages of the window above the identity map, and the user bit of identity-mapped ones.
 */
#ifndef GUEST_PAGE_H
#define GUEST_PAGE_H

#include "asm.h"

#define PAGE_SIZE      4096
#define PAGE_PRESENT   (1ull << 0)
#define PAGE_WRITABLE  (1ull << 1)
#define PAGE_USER      (1ull << 2)
#define PAGE_UNCACHED  (1ull << 4)
#define PAGE_RESERVED  (1ull << 51) /* beyond MAXPHYADDR of every machine here: a reserved-bit #PF */

/* Address of the window's page; nothing is mapped there at first. */
static inline void *page_window(unsigned page)
{
	return (void *)(WINDOW + (uint64_t)page * PAGE_SIZE);
}

/* Maps the window's page to a physical address; flags 0 unmaps it. Returns page_window(page). */
void *page_map(unsigned page, uint64_t physical, uint64_t flags);

/* Sets or clears the user bit of the 2 MiB page of the identity map around address, on this vCPU. */
void page_set_user(const void *address, bool user);

/* Runs function (identity-mapped, touching only its own stack) in ring 3 and gives what it returns. One vCPU
 * at a time; IF stays clear. */
uint64_t user_run(uint64_t (*function)(void));

#endif
