/*
 * cpuid.h: the CPUID policy's rows, and the feature bits that more than one file asks for.
 */
#ifndef VEXIT_EXIT_CPUID_H
#define VEXIT_EXIT_CPUID_H

#include <stddef.h>

#include "platform.h"
#include "vm.h"

#define CPUID_1_ECX_XSAVE	(1u << 26)
#define CPUID_1_ECX_OSXSAVE	(1u << 27)
#define CPUID_1_ECX_HYPERVISOR	(1u << 31)
#define CPUID_1_EDX_APIC	(1u << 9)
#define CPUID_7_ECX_OSPKE	(1u << 4)
#define CPUID_7_EDX_ARCH_CAPABILITIES (1u << 29)
#define CPUID_D1_XSAVEC		(1u << 1)
#define CPUID_D1_XSAVES		(1u << 3)
#define CPUID_80000001_EDX_SYSCALL (1u << 11)
#define CPUID_80000001_EDX_NX	(1u << 20)
#define CPUID_80000001_EDX_LM	(1u << 29)

#define CPUID_INTEL_EBX		0x756e6547	/* "Genu" */
#define CPUID_INTEL_EDX		0x49656e69	/* "ineI" */
#define CPUID_INTEL_ECX		0x6c65746e	/* "ntel" */

#define ARCH_CAPABILITIES_ITS_NO (UINT64_C(1) << 62)

#define XSAVE_LEGACY_AREA	576	/* bytes: FXSAVE's area and the XSAVE header */

/*
 * Where in config->cpuid_index a leaf is; UINT32_MAX: nowhere. Ranges 0 to 2 are bits 31:30 of the leaf; 3
 * is KVM's.
 */
static inline uint32_t cpuid_index_of(uint32_t leaf)
{
	_Static_assert(CPUID_RANGE_LEAVES == 32, "a leaf's low five bits index its range");
	if (__builtin_expect(leaf < CPUID_RANGE_LEAVES, 1))
		return leaf;
	if ((leaf & ~31u) == CPUID_KVM)
		return 3 * CPUID_RANGE_LEAVES + (leaf & 31);
	return leaf & 0x3fffffe0 || leaf >> 30 == 3 ? UINT32_MAX : leaf >> 30 << 5 | (leaf & 31);
}

/* The row of leaf and subleaf, or NULL. */
const struct vm_cpuid *cpuid_find(const struct vm_config *config, uint32_t leaf, uint32_t subleaf);

/* Bytes of an XSAVE area that holds `components` (XCR0 | IA32_XSS), by the policy's leaf 0xD. */
uint32_t cpuid_xsave_size(const struct vm_config *config, uint64_t components, bool compacted);

/*
 * What the guest's IA32_ARCH_CAPABILITIES says, by the host's leaves 0 and 1 and the host's own (0: it has none).
 * 0: nothing; the guest then hasn't that MSR. arch_capabilities.c
 */
uint64_t arch_capabilities_of(const struct host_cpuid *vendor, const struct host_cpuid *features, uint64_t host);

#endif
