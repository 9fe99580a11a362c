/*
 * host_cpuid.c: lists the host's CPUID leaves and subleaves (SDM "CPUID—CPU Identification").
 *
 * Called once by vmx_main(). What the guest gets of it is hv/exit/cpuid_policy.c's decision.
 */
#include <stdbool.h>

#include "boot/x86.h"
#include "exit/cpuid.h"
#include "include/vm.h"
#include "vmx/host_cpuid.h"

#define BASIC_MAX	0x1f
#define EXTENDED	0x80000000u
#define EXTENDED_MAX	0x80000008u
#define SUBLEAF_MAX	64
#define ROWS		160

struct list {
	struct host_cpuid row[ROWS];
	unsigned count;
};

/* Whether a subleaf is behind the last one that says something. */
static bool subleaf_ends(uint32_t leaf, const struct x86_cpuid *r)
{
	switch (leaf) {
	case 0x4:		/* cache type 0 */
		return !(r->eax & 31);
	case 0xb: case 0x1f:	/* level type 0 */
		return !(r->ecx >> 8 & 255);
	default:		/* leaf 7: subleaf 0 has told how many there are */
		return false;
	}
}

static bool has_subleaves(uint32_t leaf)
{
	return leaf == 0x4 || leaf == 0x7 || leaf == 0xb || leaf == 0xd || leaf == 0x1f;
}

static void add(struct list *l, uint32_t leaf, uint32_t subleaf, const struct x86_cpuid *r)
{
	if (l->count < ROWS)
		l->row[l->count++] = (struct host_cpuid){ leaf, subleaf, r->eax, r->ebx, r->ecx, r->edx };
}

static void add_leaf(struct list *l, uint32_t leaf)
{
	struct x86_cpuid first = x86_cpuid(leaf, 0);
	uint32_t last = leaf == 0x7 ? first.eax : SUBLEAF_MAX - 1;

	add(l, leaf, 0, &first);
	if (!has_subleaves(leaf))
		return;
	for (uint32_t subleaf = 1; subleaf <= last && subleaf < SUBLEAF_MAX; subleaf++) {
		struct x86_cpuid r = x86_cpuid(leaf, subleaf);

		if (leaf == 0xd) {	/* one a state component, with gaps */
			if (r.eax | r.ebx | r.ecx | r.edx)
				add(l, leaf, subleaf, &r);
		} else if (subleaf_ends(leaf, &r)) {
			break;
		} else {
			add(l, leaf, subleaf, &r);
		}
	}
}

/* SDM, "CPUID": the MSR is there if leaf 7 says so. */
static uint64_t arch_capabilities(uint32_t highest_leaf)
{
	if (highest_leaf < 0x7 || !(x86_cpuid(0x7, 0).edx & CPUID_7_EDX_ARCH_CAPABILITIES))
		return 0;
	return x86_rdmsr(X86_MSR_ARCH_CAPABILITIES);
}

void host_cpuid_build_policy(struct vm_config *config)
{
	static struct list list;
	uint32_t basic = x86_cpuid(0, 0).eax, extended = x86_cpuid(EXTENDED, 0).eax;

	for (uint32_t leaf = 0; leaf <= basic && leaf <= BASIC_MAX; leaf++)
		add_leaf(&list, leaf);
	for (uint32_t leaf = EXTENDED; leaf <= extended && leaf <= EXTENDED_MAX; leaf++)
		add_leaf(&list, leaf);
	cpuid_build_policy(config, list.row, list.count, arch_capabilities(basic));
}
