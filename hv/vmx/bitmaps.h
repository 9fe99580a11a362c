/* bitmaps.h: which MSRs and ports cause an exit. */
#ifndef VMX_BITMAPS_H
#define VMX_BITMAPS_H

#include <stdint.h>

/* Each gives the physical address of what it built. */
uint64_t bitmaps_build_msr(void);	/* one page: all MSRs exit but msrs.def's PASS columns */
uint64_t bitmaps_build_io(void);	/* two pages, A and B: every port exits; the guest has none of the host's */

#endif
