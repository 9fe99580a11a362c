/*
 * arch_capabilities.c: what the guest reads in IA32_ARCH_CAPABILITIES: which flaws of speculation its processor
 * doesn't have.
 *
 * Called once, at boot, by cpuid_policy.c. It must promise nothing that isn't so: a guest that is told "not
 * affected" leaves a mitigation out. Nor may it announce an MSR that msrs.def hasn't.
 */
#include "exit/cpuid.h"

#define BIT(n) (UINT64_C(1) << (n))

/*
 * SDM, "IA32_ARCH_CAPABILITIES": what holds in a guest as it does on the host. Not: IBRS_ALL, TSX_CTRL,
 * MISC_PACKAGE_CTLS, FB_CLEAR_CTRL, GDS_CTRL and others, each of which comes with bits of an MSR; what is said to
 * hypervisors.
 */
#define STATEMENTS                                                                                  \
	(BIT(0) /* RDCL_NO */ | BIT(2) /* RSBA */ | BIT(4) /* SSB_NO */ | BIT(5) /* MDS_NO */ |         \
	 BIT(6) /* IF_PSCHANGE_MC_NO */ | BIT(8) /* TAA_NO */ | BIT(13) /* SBDR_SSDP_NO */ |            \
	 BIT(14) /* FBSDP_NO */ | BIT(15) /* PSDP_NO */ | BIT(17) /* FB_CLEAR */ | BIT(19) /* RRSBA */ | \
	 BIT(20) /* BHI_NO */ | BIT(24) /* PBRSB_NO */ | BIT(26) /* GDS_NO */ | BIT(27) /* RFDS_NO */ | \
	 BIT(28) /* RFDS_CLEAR */ | ARCH_CAPABILITIES_ITS_NO)

/*
 * Intel, "Indirect Target Selection": the processors that have it, by CPUID.1:EAX without its stepping, from a
 * stepping on. Neither older ones, without enhanced IBRS, nor newer ones have it.
 */
static const struct {
	uint32_t model, first_stepping;
} its_affected[] = {
	{ 0x50650, 6 },		/* Cascade Lake and Cooper Lake; below it Skylake-X */
	{ 0x806e0, 0xc },	/* mobile Comet Lake, Whiskey Lake */
	{ 0x906e0, 0xd },	/* Coffee Lake Refresh */
	{ 0xa0650, 0 },		/* Comet Lake */
	{ 0xa0660, 0 },
	{ 0x606a0, 0 },		/* Ice Lake */
	{ 0x606c0, 0 },
	{ 0x706e0, 0 },
	{ 0x806c0, 0 },		/* Tiger Lake */
	{ 0x806d0, 0 },
	{ 0xa0670, 0 },		/* Rocket Lake */
};
#define SIGNATURE_MODEL		0x0fff0ff0u	/* families and models, extended ones too */
#define SIGNATURE_STEPPING	0xfu

static bool has_its(uint32_t signature)
{
	for (unsigned i = 0; i < sizeof(its_affected) / sizeof(its_affected[0]); i++) {
		if ((signature & SIGNATURE_MODEL) == its_affected[i].model)
			return (signature & SIGNATURE_STEPPING) >= its_affected[i].first_stepping;
	}
	return false;
}

static bool is_intel(const struct host_cpuid *vendor)
{
	return vendor->ebx == CPUID_INTEL_EBX && vendor->edx == CPUID_INTEL_EDX && vendor->ecx == CPUID_INTEL_ECX;
}

uint64_t arch_capabilities_of(const struct host_cpuid *vendor, const struct host_cpuid *features, uint64_t host)
{
	uint64_t value = host & STATEMENTS;

	if (!is_intel(vendor))
		return 0;
	/*
	 * Few processors say ITS_NO themselves, and guests can't go by the model: a VM may move to another machine.
	 * The same holds for us below a hypervisor, which would have told us.
	 */
	if (!(features->ecx & CPUID_1_ECX_HYPERVISOR) && !has_its(features->eax))
		value |= ARCH_CAPABILITIES_ITS_NO;
	return value;
}
