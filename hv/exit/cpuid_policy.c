/*
 * cpuid_policy.c: what the guest is told of its processor: the host's features that we know and handle, no
 * others.
 *
 * Called once, at boot. A bit that isn't listed here is 0: a feature of a future processor stays hidden until
 * somebody has thought about it.
 */
#include "exit/arch.h"
#include "exit/cpuid.h"
#include "platform.h"

#define BIT(n) (1u << (n))

/* Leaf 1. Not: DTES64, MONITOR, DS-CPL, VMX, SMX, EST, TM2, SDBG, PDCM, DCA. */
#define FEATURES_1_ECX                                                                              \
	(BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ | BIT(13) /* CMPXCHG16B */ |   \
	 BIT(17) /* PCID */ | BIT(19) /* SSE4.1 */ | BIT(20) /* SSE4.2 */ | BIT(22) /* MOVBE */ |       \
	 BIT(23) /* POPCNT */ | BIT(25) /* AES */ | CPUID_1_ECX_XSAVE)
#define FEATURES_1_ECX_AVX	(BIT(12) /* FMA */ | BIT(28) /* AVX */ | BIT(29) /* F16C */)
#define FEATURE_1_ECX_PCID	BIT(17)
#define FEATURE_1_ECX_RDRAND	BIT(30)
/* Ours, whatever the host has. */
#define FEATURES_1_ECX_OURS	(BIT(21) /* x2APIC */ | BIT(24) /* TSC deadline */ | CPUID_1_ECX_HYPERVISOR)
/* Not: MCE and MCA (no bank is offered), DS, ACPI, TM, PBE. HTT says that the APIC ID count counts. */
#define FEATURES_1_EDX                                                                              \
	(BIT(0) /* FPU */ | BIT(1) /* VME */ | BIT(2) /* DE */ | BIT(3) /* PSE */ | BIT(4) /* TSC */ |  \
	 BIT(5) /* MSR */ | BIT(6) /* PAE */ | BIT(8) /* CX8 */ | CPUID_1_EDX_APIC | BIT(11) /* SEP */ | \
	 BIT(12) /* MTRR */ | BIT(13) /* PGE */ | BIT(15) /* CMOV */ | BIT(16) /* PAT */ |              \
	 BIT(17) /* PSE-36 */ | BIT(19) /* CLFSH */ | BIT(23) /* MMX */ | BIT(24) /* FXSR */ |          \
	 BIT(25) /* SSE */ | BIT(26) /* SSE2 */ | BIT(27) /* SS */)
#define FEATURE_1_EDX_HTT	BIT(28)

/*
 * Leaf 7, subleaf 0. Not: TSC_ADJUST, SGX, HLE, RTM, PQM, MPX, PQE, PT; CET, WAITPKG, TME, LA57, KL,
 * ENQCMD, PKS.
 */
#define FEATURES_7_EBX                                                                              \
	(BIT(0) /* FSGSBASE */ | BIT(3) /* BMI1 */ | BIT(6) /* FDP_EXCPTN_ONLY */ | BIT(7) /* SMEP */ | \
	 BIT(8) /* BMI2 */ | BIT(9) /* ERMS */ | BIT(10) /* INVPCID */ | BIT(13) /* no FPU CS, DS */ |  \
	 BIT(19) /* ADX */ | BIT(20) /* SMAP */ | BIT(23) /* CLFLUSHOPT */ | BIT(24) /* CLWB */ |       \
	 BIT(29) /* SHA */)
#define FEATURES_7_EBX_AVX	BIT(5) /* AVX2 */
#define FEATURES_7_EBX_AVX512                                                                       \
	(BIT(16) /* F */ | BIT(17) /* DQ */ | BIT(21) /* IFMA */ | BIT(26) /* PF */ | BIT(27) /* ER */ | \
	 BIT(28) /* CD */ | BIT(30) /* BW */ | BIT(31) /* VL */)
#define FEATURE_7_EBX_RDSEED	BIT(18)
#define FEATURE_7_EBX_SMEP	BIT(7)
#define FEATURE_7_EBX_SMAP	BIT(20)
#define FEATURE_7_EBX_FSGSBASE	BIT(0)
#define FEATURES_7_ECX                                                                              \
	(BIT(0) /* PREFETCHWT1 */ | BIT(2) /* UMIP */ | BIT(8) /* GFNI */ | BIT(22) /* RDPID */ |       \
	 BIT(25) /* CLDEMOTE */ | BIT(27) /* MOVDIRI */ | BIT(28) /* MOVDIR64B */)
#define FEATURE_7_ECX_UMIP	BIT(2)
#define FEATURES_7_ECX_AVX	(BIT(9) /* VAES */ | BIT(10) /* VPCLMULQDQ */)
#define FEATURES_7_ECX_AVX512                                                                       \
	(BIT(1) /* VBMI */ | BIT(6) /* VBMI2 */ | BIT(11) /* VNNI */ | BIT(12) /* BITALG */ |           \
	 BIT(14) /* VPOPCNTDQ */)
#define FEATURE_7_ECX_PKU	BIT(3)
#define FEATURES_7_EDX		(BIT(4) /* FSRM */ | BIT(10) /* MD_CLEAR */ | BIT(14) /* SERIALIZE */)
#define FEATURES_7_EDX_AVX512	(BIT(2) /* 4VNNIW */ | BIT(3) /* 4FMAPS */ | BIT(8) /* VP2INTERSECT */)

#define FEATURE_6_EAX_ARAT	BIT(2)	/* our APIC timer runs in every sleep state */
#define FEATURES_D1_EAX		(BIT(0) /* XSAVEOPT */ | CPUID_D1_XSAVEC | BIT(2) /* XGETBV with ECX = 1 */)
#define FEATURES_80000001_ECX	(BIT(0) /* LAHF */ | BIT(5) /* LZCNT */ | BIT(8) /* PREFETCHW */)
#define FEATURES_80000001_EDX                                                                       \
	(CPUID_80000001_EDX_SYSCALL | CPUID_80000001_EDX_NX | BIT(26) /* 1-GByte pages */ |             \
	 BIT(27) /* RDTSCP */ | CPUID_80000001_EDX_LM)
#define FEATURE_80000007_EDX_INVARIANT_TSC BIT(8)

#define KVM_FEATURE_NOP_IO_DELAY BIT(1)
#define KVM_FEATURE_PV_EOI	BIT(6)

#define MAX_BASIC_LEAF		0x16
#define MAX_EXTENDED_LEAF	0x80000008

struct builder {
	struct vm_config *config;
	const struct host_cpuid *host;
	unsigned host_count;
};

static struct host_cpuid host_leaf(const struct builder *b, uint32_t leaf, uint32_t subleaf)
{
	for (unsigned i = 0; i < b->host_count; i++) {
		const struct host_cpuid *h = &b->host[i];

		if (h->leaf == leaf && (h->subleaf == subleaf || h->subleaf == CPUID_ANY_SUBLEAF))
			return *h;
	}
	return (struct host_cpuid){ .leaf = leaf, .subleaf = subleaf };
}

/* Rows come in the order of leaves, so that those of one leaf lie together. */
static void add(struct builder *b, uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
		uint32_t edx)
{
	struct vm_config *c = b->config;
	uint32_t at = cpuid_index_of(leaf);

	if (c->cpuid_count == VM_MAX_CPUID)
		return;
	if (!c->cpuid_index[at])
		c->cpuid_index[at] = c->cpuid_count + 1;
	c->cpuid[c->cpuid_count++] = (struct vm_cpuid){ leaf, subleaf, eax, ebx, ecx, edx };
}

static uint32_t when(bool condition, uint32_t bits)
{
	return condition ? bits : 0;
}

static bool has_avx(const struct vm_config *c)
{
	return (c->xcr0_allowed & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX);
}

static bool has_avx512(const struct vm_config *c)
{
	return has_avx(c) && (c->xcr0_allowed & XCR0_AVX512) == XCR0_AVX512;
}

static uint32_t log2_up(uint32_t count)
{
	return count <= 1 ? 0 : 32 - (uint32_t)__builtin_clz(count - 1);
}

static void add_features(struct builder *b)
{
	const struct vm_config *c = b->config;
	struct host_cpuid h = host_leaf(b, 1, 0);
	uint32_t ecx = FEATURES_1_ECX | when(has_avx(c), FEATURES_1_ECX_AVX) |
		       when(c->host_random, FEATURE_1_ECX_RDRAND);

	if (!(c->xcr0_allowed & XCR0_SSE))
		ecx &= ~CPUID_1_ECX_XSAVE;
	add(b, 1, CPUID_ANY_SUBLEAF, h.eax, (h.ebx & 0xffff) | c->cpu_count << 16,
	    (h.ecx & ecx) | FEATURES_1_ECX_OURS,
	    (h.edx & FEATURES_1_EDX) | when(c->cpu_count > 1, FEATURE_1_EDX_HTT));
}

static void add_cache(struct builder *b)
{
	struct host_cpuid h = host_leaf(b, 2, 0);
	uint32_t cores = b->config->cpu_count - 1;

	add(b, 2, CPUID_ANY_SUBLEAF, h.eax, h.ebx, h.ecx, h.edx);
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t level, sharing;

		h = host_leaf(b, 4, i);
		if (!(h.eax & 0x1f))
			break;
		/*
		 * Caches of levels 1 and 2 are a vCPU's own, the others all share. All are cores of one
		 * package.
		 */
		level = h.eax >> 5 & 7;
		sharing = level >= 3 ? (1u << log2_up(b->config->cpu_count)) - 1 : 0;
		add(b, 4, i, (h.eax & 0x3fff) | sharing << 14 | cores << 26, h.ebx, h.ecx, h.edx);
	}
}

static void add_extended_features(struct builder *b)
{
	const struct vm_config *c = b->config;
	struct host_cpuid h = host_leaf(b, 7, 0);
	uint32_t ebx = FEATURES_7_EBX | when(has_avx(c), FEATURES_7_EBX_AVX) |
		       when(has_avx512(c), FEATURES_7_EBX_AVX512) |
		       when(c->host_random, FEATURE_7_EBX_RDSEED);
	uint32_t ecx = FEATURES_7_ECX | when(has_avx(c), FEATURES_7_ECX_AVX) |
		       when(has_avx512(c), FEATURES_7_ECX_AVX512) |
		       when((c->xcr0_allowed & XCR0_PKRU) != 0, FEATURE_7_ECX_PKU);

	add(b, 7, 0, 0, h.ebx & ebx, h.ecx & ecx,
	    (h.edx & (FEATURES_7_EDX | when(has_avx512(c), FEATURES_7_EDX_AVX512))) |
	    when(c->arch_capabilities != 0, CPUID_7_EDX_ARCH_CAPABILITIES));
}

/*
 * SDM, "Detecting Hardware Multi-threading Support and Topology": one thread a core, all cores in one
 * package.
 */
static void add_topology(struct builder *b)
{
	uint32_t count = b->config->cpu_count;

	add(b, 0xb, 0, 0, 1, 0 | 1 << 8, 0);
	add(b, 0xb, 1, log2_up(count), count, 1 | 2 << 8, 0);
}

static void add_xsave(struct builder *b)
{
	struct vm_config *c = b->config;
	uint64_t xcr0 = c->xcr0_allowed, xss = c->xss_allowed;
	uint32_t d1 = host_leaf(b, 0xd, 1).eax & (FEATURES_D1_EAX | when(xss != 0, CPUID_D1_XSAVES));
	unsigned first = c->cpuid_count;

	if (!(xcr0 & XCR0_SSE))
		return;
	add(b, 0xd, 0, (uint32_t)xcr0, 0, 0, (uint32_t)(xcr0 >> 32));
	add(b, 0xd, 1, d1, 0, (uint32_t)xss, (uint32_t)(xss >> 32));
	for (uint32_t i = 2; i < 63; i++) {
		struct host_cpuid h;

		if (!((xcr0 | xss) >> i & 1))
			continue;
		h = host_leaf(b, 0xd, i);
		add(b, 0xd, i, h.eax, h.ebx, h.ecx & 3, 0);
	}
	/*
	 * What the largest area takes, by the rows above: the host's own figure counts what we don't allow.
	 */
	c->cpuid[first].ecx = cpuid_xsave_size(c, xcr0, false);
}

static void add_basic(struct builder *b)
{
	const struct vm_config *c = b->config;
	struct host_cpuid h = host_leaf(b, 0, 0);
	uint32_t mhz = (uint32_t)(c->tsc_khz / 1000);

	add(b, 0, CPUID_ANY_SUBLEAF, MAX_BASIC_LEAF, h.ebx, h.ecx, h.edx);
	add_features(b);
	add_cache(b);
	add(b, 6, CPUID_ANY_SUBLEAF, FEATURE_6_EAX_ARAT, 0, 0, 0);
	add_extended_features(b);
	add_topology(b);
	add_xsave(b);
	/*
	 * SDM, "Time Stamp Counter and Nominal Core Crystal Clock": TSC = crystal × EBX / EAX; so is the
	 * APIC timer's.
	 */
	add(b, 0x15, CPUID_ANY_SUBLEAF, 1, 1, (uint32_t)(c->tsc_khz * 1000), 0);
	add(b, 0x16, CPUID_ANY_SUBLEAF, mhz, mhz, 0, 0);
}

static void add_hypervisor(struct builder *b)
{
	uint32_t khz = (uint32_t)b->config->tsc_khz;

	add(b, CPUID_HYPERVISOR, CPUID_ANY_SUBLEAF, CPUID_HYPERVISOR_TSC, CPUID_SIGNATURE_EBX,
	    CPUID_SIGNATURE_ECX, CPUID_SIGNATURE_EDX);
	add(b, CPUID_HYPERVISOR_TSC, CPUID_ANY_SUBLEAF, khz, khz, 0, 0);
}

/*
 * KVM's leaves, at the second of the places where guests look for a hypervisor. Linux uses x2APIC without
 * interrupt remapping only under hypervisors that it knows (try_to_enable_x2apic()): each access to the
 * local APIC would be an EPT violation and an emulated instruction, where an MSR is one short exit. It
 * takes nothing of KVM's for granted but what the feature bits say (arch/x86/kernel/kvm.c): no clock, no
 * hypercall. Two features are offered: a port access needs no delay, which saves the writes to port 0x80;
 * and interrupts may end without an exit (pv_eoi.h).
 */
static void add_kvm(struct builder *b)
{
	add(b, CPUID_KVM, CPUID_ANY_SUBLEAF, CPUID_KVM_FEATURES, CPUID_KVM_EBX, CPUID_KVM_ECX, CPUID_KVM_EDX);
	add(b, CPUID_KVM_FEATURES, CPUID_ANY_SUBLEAF, KVM_FEATURE_NOP_IO_DELAY | KVM_FEATURE_PV_EOI, 0, 0, 0);
}

static void add_extended(struct builder *b)
{
	struct host_cpuid h;

	add(b, 0x80000000, CPUID_ANY_SUBLEAF, MAX_EXTENDED_LEAF, 0, 0, 0);
	h = host_leaf(b, 0x80000001, 0);
	add(b, 0x80000001, CPUID_ANY_SUBLEAF, 0, 0, h.ecx & FEATURES_80000001_ECX,
	    h.edx & FEATURES_80000001_EDX);
	for (uint32_t leaf = 0x80000002; leaf <= 0x80000006; leaf++) {
		h = host_leaf(b, leaf, 0);
		add(b, leaf, CPUID_ANY_SUBLEAF, h.eax, h.ebx, h.ecx, h.edx);
	}
	add(b, 0x80000007, CPUID_ANY_SUBLEAF, 0, 0, 0, FEATURE_80000007_EDX_INVARIANT_TSC);
	h = host_leaf(b, 0x80000008, 0);
	b->config->phys_bits = h.eax & 0xff ? h.eax & 0xff : 36;
	add(b, 0x80000008, CPUID_ANY_SUBLEAF, h.eax & 0xffff ? h.eax & 0xffff : 0x3024, 0, 0, 0);
}

/* SDM, "Control Registers": a CR4 bit of a feature that CPUID doesn't show is reserved. */
static uint64_t cr4_allowed(const struct vm_config *c)
{
	const struct vm_cpuid *one = cpuid_find(c, 1, 0), *seven = cpuid_find(c, 7, 0);
	uint64_t cr4 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE |
		       CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (one->ecx & FEATURE_1_ECX_PCID)
		cr4 |= CR4_PCIDE;
	if (one->ecx & CPUID_1_ECX_XSAVE)
		cr4 |= CR4_OSXSAVE;
	if (seven->ebx & FEATURE_7_EBX_FSGSBASE)
		cr4 |= CR4_FSGSBASE;
	if (seven->ebx & FEATURE_7_EBX_SMEP)
		cr4 |= CR4_SMEP;
	if (seven->ebx & FEATURE_7_EBX_SMAP)
		cr4 |= CR4_SMAP;
	if (seven->ecx & FEATURE_7_ECX_UMIP)
		cr4 |= CR4_UMIP;
	if (seven->ecx & FEATURE_7_ECX_PKU)
		cr4 |= CR4_PKE;
	/* SDM, "VMX-Fixed Bits in CR4". VMXE is fixed to 1 and hidden: the guest has no VMX. */
	return cr4 & c->cr4_fixed1 & ~CR4_VMXE;
}

void cpuid_build_policy(struct vm_config *config, const struct host_cpuid *host, unsigned count,
			uint64_t arch_capabilities)
{
	struct builder b = { .config = config, .host = host, .host_count = count };
	struct host_cpuid vendor = host_leaf(&b, 0, 0), features = host_leaf(&b, 1, 0);

	config->arch_capabilities = arch_capabilities_of(&vendor, &features, arch_capabilities);
	config->cpuid_count = 0;
	for (unsigned i = 0; i < sizeof(config->cpuid_index); i++)
		config->cpuid_index[i] = 0;
	add_basic(&b);
	add_hypervisor(&b);
	add_extended(&b);
	add_kvm(&b);
	config->cr4_allowed = cr4_allowed(config);
}
