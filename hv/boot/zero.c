/*
 * zero.c: zeroes much memory with few instructions.
 *
 * Called by memory.c for large pieces. What firmware and loader left must not reach a guest: its memory is
 * the same in every run. Each iteration of a REP STOSQ counts as an instruction in Bochs, 34 million for 256
 * MiB, more than half of a short recording; with the widest registers there are (AVX-512: 64 bytes a store)
 * it is 5 million.
 */
#include "boot/x86.h"
#include "boot/zero.h"
#include "lib/string.h"

#define LEAF1_ECX_XSAVE		(1u << 26)
#define LEAF7_EBX_AVX512F	(1u << 16)
#define XCR0_AVX512		0xe7ull		/* x87, SSE, AVX and the three components of AVX-512 */

static bool has_avx512(void)
{
	if (x86_cpuid(0, 0).eax < 0xd || !(x86_cpuid(1, 0).ecx & LEAF1_ECX_XSAVE))
		return false;
	return x86_cpuid(7, 0).ebx & LEAF7_EBX_AVX512F && (x86_cpuid(0xd, 0).eax & XCR0_AVX512) == XCR0_AVX512;
}

/*
 * Stores past the caches: who reads it next is the guest. VZEROALL leaves the registers as they were, in
 * their initial state.
 */
static void zero_avx512(uint8_t *to, const uint8_t *end)
{
	__asm__ volatile(
		"vpxorq %%zmm0, %%zmm0, %%zmm0\n"
		"1:\n"
		".set offset, 0\n"
		".rept 16\n"
		"vmovntdq %%zmm0, offset(%0)\n"
		".set offset, offset + 64\n"
		".endr\n"
		"add $1024, %0\n"
		"cmp %1, %0\n"
		"jb 1b\n"
		"sfence\n"
		"vzeroall\n"
		: "+r"(to) : "r"(end) : "memory", "cc");
}

void zero_memory(void *to, uint64_t size)
{
	uint64_t cr4 = x86_cr4_read(), xcr0;

	if (!size)
		return;
	if (!has_avx512()) {
		memset(to, 0, size);
		return;
	}
	x86_cr4_write(cr4 | X86_CR4_OSXSAVE);
	xcr0 = x86_xcr0_read();
	x86_xcr0_write(XCR0_AVX512);
	zero_avx512(to, (uint8_t *)to + size);
	x86_xcr0_write(xcr0);
	x86_cr4_write(cr4);
}
