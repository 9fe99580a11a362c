/*
 * cpuid.h: the CPUID policy's rows, and the feature bits that more than one file asks for.
 */
#ifndef VEXIT_EXIT_CPUID_H
#define VEXIT_EXIT_CPUID_H

#include <stddef.h>

#include "vm.h"

#define CPUID_1_ECX_XSAVE	(1u << 26)
#define CPUID_1_ECX_OSXSAVE	(1u << 27)
#define CPUID_1_EDX_APIC	(1u << 9)
#define CPUID_7_ECX_OSPKE	(1u << 4)
#define CPUID_D1_XSAVEC		(1u << 1)
#define CPUID_D1_XSAVES		(1u << 3)
#define CPUID_80000001_EDX_SYSCALL (1u << 11)
#define CPUID_80000001_EDX_NX	(1u << 20)
#define CPUID_80000001_EDX_LM	(1u << 29)

#define XSAVE_LEGACY_AREA	576	/* bytes: FXSAVE's area and the XSAVE header */

/* The row of leaf and subleaf, or NULL. */
const struct vm_cpuid *cpuid_find(const struct vm_config *config, uint32_t leaf, uint32_t subleaf);

/* Bytes of an XSAVE area that holds `components` (XCR0 | IA32_XSS), by the policy's leaf 0xD. */
uint32_t cpuid_xsave_size(const struct vm_config *config, uint64_t components, bool compacted);

#endif
