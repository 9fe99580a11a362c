/*
 * fake_tables.h: page tables in a fake VM's memory, and what a walk of them must give. For the tests of
 * the page walk and of what stands on it.
 */
#ifndef VEXIT_FAKE_TABLES_H
#define VEXIT_FAKE_TABLES_H

#include "insn/linear.h"
#include "support/fake.h"

/* Bits of an entry (SDM, "4-Level Paging and 5-Level Paging") */
#define P	UINT64_C(1)
#define W	UINT64_C(2)
#define U	UINT64_C(4)
#define A	UINT64_C(0x20)
#define D	UINT64_C(0x40)
#define PS	UINT64_C(0x80)
#define XD	(UINT64_C(1) << 63)

/* Where fake_four_levels() has its tables, and what it maps */
#define PML4	0x1000u
#define PDPT	0x2000u
#define PD	0x3000u
#define PT	0x4000u
#define PAGE	0x5000u
#define LINEAR	UINT64_C(0xffffff8040602000)	/* indexes 511, 1, 3, 2 */

/* vCPU 0 in long mode, with 4-level tables for LINEAR; `flags` of the last entry, the others permit everything. */
void fake_four_levels(struct fake *f, uint64_t flags);

/* A walk for vCPU 0 ends there; or in a #PF of this error code. The log has its crossings alone. */
void fake_assert_maps(struct fake *f, uint64_t linear, uint32_t access, uint64_t expected);
void fake_assert_faults(struct fake *f, uint64_t linear, uint32_t access, uint32_t error_code);

#endif
