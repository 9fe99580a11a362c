/*
 * bitmaps.c: MSR and I/O bitmaps (SDM "MSR-Bitmap Address", "I/O-Bitmap Addresses").
 *
 * Built once at boot, shared by all vCPUs.
 */
#include <stdbool.h>

#include "boot/memory.h"
#include "boot/panic.h"
#include "lib/string.h"
#include "vmx/bitmaps.h"

#define PAGE		4096u
#define MSR_HIGH_FIRST	0xc0000000u
#define MSR_RANGE	0x2000u		/* MSRs in each of the two ranges */
#define WRITES		2048u		/* offset of the write bitmaps */
#define HIGH		1024u		/* offset of the high range within reads or writes */

/* A policy column of msrs.def → whether the access goes through without an exit. */
#define PASSES_PASS	true
#define PASSES_VMCS	false
#define PASSES_CPU	false
#define PASSES_CHECK	false
#define PASSES_CONST	false
#define PASSES_CONFIG	false
#define PASSES_DROP	false
#define PASSES_GP	false

static const struct {
	uint32_t msr;
	bool read, write;
} policy[] = {
#define MSR(number, name, read, write, argument) { number, PASSES_##read, PASSES_##write },
#include "include/msrs.def"
#undef MSR
};

static void pass(uint8_t *bitmap, uint32_t msr)
{
	uint32_t bit = msr % MSR_RANGE;

	if (msr >= MSR_HIGH_FIRST && msr < MSR_HIGH_FIRST + MSR_RANGE)
		bitmap += HIGH;
	else if (msr >= MSR_RANGE)
		panic("msrs.def: MSR %#x has no bit in the MSR bitmap", msr);
	bitmap[bit / 8] &= ~(1u << bit % 8);
}

uint64_t bitmaps_build_msr(void)
{
	uint8_t *bitmap = memory_allocate(PAGE, PAGE, "the MSR bitmap");

	memset(bitmap, 0xff, PAGE);
	for (unsigned i = 0; i < sizeof(policy) / sizeof(*policy); i++) {
		if (policy[i].read)
			pass(bitmap, policy[i].msr);
		if (policy[i].write)
			pass(bitmap + WRITES, policy[i].msr);
	}
	return (uint64_t)bitmap;
}

uint64_t bitmaps_build_io(void)
{
	uint8_t *bitmap = memory_allocate(2 * PAGE, PAGE, "the I/O bitmaps");

	memset(bitmap, 0xff, 2 * PAGE);
	return (uint64_t)bitmap;
}
