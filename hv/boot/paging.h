/* paging.h: the host's page tables: an identity map of the first 4 GiB. */
#ifndef BOOT_PAGING_H
#define BOOT_PAGING_H

#define PAGING_LIMIT	(4ull << 30)	/* what lies above is not mapped, and not used */

/* Gives the image its protections and takes away page 0 and the stack's guard page. */
void paging_init(void);

#endif
