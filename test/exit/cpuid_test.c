/*
 * CPUID: the policy's rows, and the bits that follow the vCPU's state (SDM, "CPUID—CPU Identification").
 */
#include "support/fake.h"
#include "exit/cpuid.h"

struct regs {
	uint32_t eax, ebx, ecx, edx;
};

static struct regs cpuid(struct fake *f, unsigned cpu, uint32_t leaf, uint32_t subleaf)
{
	struct vcpu *v = &f->cpu[cpu];

	/* The upper halves are ignored. */
	v->gpr[GPR_RAX] = leaf | UINT64_C(0x1234) << 32;
	v->gpr[GPR_RCX] = subleaf | UINT64_C(0x5678) << 32;
	assert_int_equal(fake_exit(f, v, REASON_CPUID, 0, 2), ACTION_RETIRE);
	assert_int_equal(f->log_count, 0);
	assert_int_equal(f->vm.touched, 0);
	for (unsigned i = GPR_RAX; i <= GPR_RBX; i++)
		assert_true(v->gpr[i] <= UINT32_MAX);
	return (struct regs){ v->gpr[GPR_RAX], v->gpr[GPR_RBX], v->gpr[GPR_RCX], v->gpr[GPR_RDX] };
}

static void vendor(void **state)
{
	struct regs r = cpuid(*state, 0, 0, 0);

	assert_int_equal(r.eax, 0x16);
	assert_memory_equal(&r.ebx, "Genu", 4);
	assert_memory_equal(&r.edx, "ineI", 4);
	assert_memory_equal(&r.ecx, "ntel", 4);
}

/* The host of this test has every bit set: what a guest may not see, it doesn't. */
static void hidden_features(void **state)
{
	struct regs r = cpuid(*state, 0, 1, 0);

	assert_int_equal(r.ecx & (1u << 3 | 1u << 5 | 1u << 6 | 1u << 15 | 1u << 30), 0);
	assert_true(r.ecx & 1u << 31);			/* there is a hypervisor */
	assert_int_equal(r.edx & (1u << 7 | 1u << 14 | 1u << 21 | 1u << 22), 0);
	r = cpuid(*state, 0, 7, 0);
	assert_int_equal(r.eax, 0);
	assert_int_equal(r.ebx & (1u << 1 | 1u << 2 | 1u << 4 | 1u << 11 | 1u << 14 | 1u << 18 | 1u << 25),
			 0);
	assert_int_equal(r.ecx & (1u << 5 | 1u << 7 | 1u << 16 | 1u << 30), 0);
	assert_true(r.ebx & 1u << 7 && r.ebx & 1u << 20);	/* SMEP, SMAP */
	r = cpuid(*state, 0, 0xa, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);	/* no performance counters */
	r = cpuid(*state, 0, 0x80000001, 0);
	assert_int_equal(r.edx, 1u << 11 | 1u << 20 | 1u << 26 | 1u << 27 | 1u << 29);
}

static void host_random_is_asked_for(void **state)
{
	static const struct host_cpuid host[] = {
		{ 1, CPUID_ANY_SUBLEAF, 0, 0, UINT32_MAX, UINT32_MAX }, { 7, 0, 0, UINT32_MAX, 0, 0 },
	};
	struct fake *f = *state;

	f->vm.config.host_random = 1;
	cpuid_build_policy(&f->vm.config, host, 2, 0);
	assert_true(cpuid(f, 0, 1, 0).ecx & 1u << 30);
	assert_true(cpuid(f, 0, 7, 0).ebx & 1u << 18);
}

static uint64_t arch_capabilities(struct fake *f, uint32_t ecx, uint32_t signature, uint32_t hypervisor, uint64_t host)
{
	const struct host_cpuid leaves[] = {
		{ 0, CPUID_ANY_SUBLEAF, 0x16, 0x756e6547, ecx, 0x49656e69 },
		{ 1, CPUID_ANY_SUBLEAF, signature, 0, hypervisor, 0 },
	};
	uint64_t value;

	cpuid_build_policy(&f->vm.config, leaves, 2, host);
	value = f->vm.config.arch_capabilities;
	/* The bit follows what the MSR says, whatever the host's own leaf 7 has. */
	assert_int_equal(cpuid(f, 0, 7, 0).edx >> 29 & 1, value != 0);
	return value;
}

#define INTEL		0x6c65746e
#define HYPERVISOR	(1u << 31)
#define ITS_NO		(UINT64_C(1) << 62)

/* The host's IA32_ARCH_CAPABILITIES, without what would announce another MSR; nothing on others than Intel's. */
static void arch_capabilities_of_the_host(void **state)
{
	const uint64_t shown = UINT64_C(0x400000001d1ae175);

	assert_int_equal(arch_capabilities(*state, INTEL, 0x50657, 0, UINT64_MAX), shown);
	assert_int_equal(arch_capabilities(*state, INTEL, 0x50654, HYPERVISOR, UINT64_MAX), shown);
	assert_int_equal(arch_capabilities(*state, INTEL, 0x50657, 0, 0x2b), 0x21);	/* RDCL_NO, MDS_NO */
	assert_int_equal(arch_capabilities(*state, INTEL, 0x50654, 0, 0), ITS_NO);
	assert_int_equal(arch_capabilities(*state, INTEL, 0x50657, 0, 0), 0);
	assert_int_equal(arch_capabilities(*state, INTEL + 1, 0x50654, 0, UINT64_MAX), 0);
}

/* Intel, "Indirect Target Selection": affected by model and stepping */
static void its_by_processor(void **state)
{
	static const uint32_t affected[] = {
		0x50656, 0x50657, 0x5065b, 0x806ec, 0x906ed, 0xa0652, 0xa0660, 0x606a6, 0x606c1, 0x706e5,
		0x806c1, 0x806d1, 0xa0671,
	}, immune[] = {
		0x50654, 0x50655, 0x806eb, 0x906ec, 0x306f2, 0x406e3, 0x806f8, 0x90672, 0x706a8, 0xf4a, 0x00150657,
	};

	for (unsigned i = 0; i < sizeof(affected) / sizeof(affected[0]); i++)
		assert_int_equal(arch_capabilities(*state, INTEL, affected[i], 0, 1), 1);
	for (unsigned i = 0; i < sizeof(immune) / sizeof(immune[0]); i++)
		assert_int_equal(arch_capabilities(*state, INTEL, immune[i], 0, 1), ITS_NO | 1);
	/* Below a hypervisor that doesn't say so, the model may be another one. */
	assert_int_equal(arch_capabilities(*state, INTEL, 0x50654, HYPERVISOR, 1), 1);
	/* The processor type, bits 13:12, is no part of it. */
	assert_int_equal(arch_capabilities(*state, INTEL, 0x51656, 0, 1), 1);
}

/* What XCR0 can't enable isn't there. */
static void features_follow_xcr0(void **state)
{
	static const struct host_cpuid host[] = {
		{ 1, CPUID_ANY_SUBLEAF, 0, 0, UINT32_MAX, UINT32_MAX },
			{ 7, 0, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX },
	};
	struct fake *f = *state;
	struct regs r;

	f->vm.config.xcr0_allowed = XCR0_X87 | XCR0_SSE;
	cpuid_build_policy(&f->vm.config, host, 2, 0);
	assert_int_equal(cpuid(f, 0, 1, 0).ecx & (1u << 12 | 1u << 28 | 1u << 29), 0);
	r = cpuid(f, 0, 7, 0);
	assert_int_equal(r.ebx & (1u << 5 | 1u << 16 | 1u << 30), 0);
	assert_int_equal(r.ecx & (1u << 3 | 1u << 9 | 1u << 11), 0);
	f->vm.config.xcr0_allowed = XCR0_X87;
	cpuid_build_policy(&f->vm.config, host, 2, 0);
	assert_int_equal(cpuid(f, 0, 1, 0).ecx & (1u << 26), 0);
	assert_int_equal(f->vm.config.cr4_allowed & CR4_OSXSAVE, 0);
}

static void bits_of_state(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[2];

	assert_int_equal(cpuid(f, 2, 1, 0).ebx >> 24, 2);		/* initial APIC ID */
	assert_int_equal(cpuid(f, 2, 1, 0).ebx >> 16 & 0xff, 4);	/* logical processors */
	assert_int_equal(cpuid(f, 2, 1, 0).ecx & 1u << 27, 0);
	assert_true(cpuid(f, 2, 1, 0).edx & 1u << 9);
	fake_set(v, VMCS_GUEST_CR4, CR4_OSXSAVE | CR4_PKE);
	assert_true(cpuid(f, 2, 1, 0).ecx & 1u << 27);			/* OSXSAVE */
	assert_true(cpuid(f, 2, 7, 0).ecx & 1u << 4);			/* OSPKE */
	f->vm.cpu[2].apic_base &= ~(uint64_t)LAPIC_BASE_ENABLE;
	assert_int_equal(cpuid(f, 2, 1, 0).edx & 1u << 9, 0);
}

static void topology(void **state)
{
	struct regs r = cpuid(*state, 3, 0xb, 0);

	assert_int_equal(r.eax, 0);
	assert_int_equal(r.ebx, 1);
	assert_int_equal(r.ecx, 0x100);
	assert_int_equal(r.edx, 3);
	r = cpuid(*state, 3, 0xb, 1);
	assert_int_equal(r.eax, 2);
	assert_int_equal(r.ebx, 4);
	assert_int_equal(r.ecx, 0x201);
	/* An invalid level: the input in CL, the x2APIC ID */
	r = cpuid(*state, 3, 0xb, 0x205);
	assert_int_equal(r.eax | r.ebx, 0);
	assert_int_equal(r.ecx, 5);
	assert_int_equal(r.edx, 3);
	/* Four cores share the last-level cache, and nothing else. */
	assert_int_equal(cpuid(*state, 0, 4, 3).eax >> 14, 3 << 12 | 3);
	assert_int_equal(cpuid(*state, 0, 4, 0).eax >> 14, 3 << 12);
	assert_int_equal(cpuid(*state, 0, 4, 4).eax, 0);
}

/* SDM, "XSAVE-Supported Features": sizes by what XCR0 enables now, and by what it may. */
static void xsave(void **state)
{
	struct fake *f = *state;
	struct regs r = cpuid(f, 0, 0xd, 0);

	assert_int_equal(r.eax, 0x2e7);
	assert_int_equal(r.ebx, 576);
	assert_int_equal(r.ecx, 0xa88);
	f->vm.cpu[0].xcr0 = 7;
	assert_int_equal(cpuid(f, 0, 0xd, 0).ebx, 0x340);
	f->vm.cpu[0].xcr0 = 0x2e7;
	assert_int_equal(cpuid(f, 0, 0xd, 0).ebx, 0xa88);
	r = cpuid(f, 0, 0xd, 1);
	assert_int_equal(r.eax, 7);		/* XSAVES only with supervisor states */
	assert_int_equal(r.ebx, 576 + 0x100 + 0x40 + 0x200 + 0x400 + 8);
	assert_int_equal(r.ecx, 0);
	r = cpuid(f, 0, 0xd, 2);
	assert_int_equal(r.eax, 0x100);
	assert_int_equal(r.ebx, 0x240);
	assert_int_equal(cpuid(f, 0, 0xd, 3).eax, 0);
}

static void hypervisor_leaves(void **state)
{
	struct regs r = cpuid(*state, 0, CPUID_HYPERVISOR, 0);

	assert_int_equal(r.eax, CPUID_HYPERVISOR_TSC);
	assert_memory_equal(&r.ebx, "vexi", 4);
	assert_memory_equal(&r.ecx, "tvex", 4);
	assert_memory_equal(&r.edx, "itvx", 4);
	r = cpuid(*state, 0, CPUID_HYPERVISOR_TSC, 0);
	assert_int_equal(r.eax, FAKE_KHZ);
	assert_int_equal(r.ebx, FAKE_KHZ);
	r = cpuid(*state, 0, CPUID_HYPERVISOR + 1, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	/* The crystal says the same. */
	r = cpuid(*state, 0, 0x15, 0);
	assert_int_equal((uint64_t)r.ecx * r.ebx / r.eax, FAKE_KHZ * 1000ull);
}

/* What Linux finds when it looks for KVM: the signature 0x100 further on, and two features; x2APIC for it. */
static void kvm_leaves(void **state)
{
	struct regs r = cpuid(*state, 0, 0x40000100, 0);

	assert_int_equal(r.eax, 0x40000101);
	assert_memory_equal(&r.ebx, "KVMK", 4);
	assert_memory_equal(&r.ecx, "VMKV", 4);
	assert_memory_equal(&r.edx, "M\0\0", 4);
	r = cpuid(*state, 0, 0x40000101, 0);
	assert_int_equal(r.eax, 1u << 1 | 1u << 6);	/* no delay at ports, PV EOI; no clock, no async page fault */
	assert_int_equal(r.ebx | r.ecx | r.edx, 0);
	r = cpuid(*state, 0, 1, 0);
	assert_int_equal(r.ecx >> 21 & 1, 1);	/* x2APIC */
	assert_int_equal(r.ecx >> 24 & 1, 1);	/* TSC deadline */
	assert_int_equal(cpuid(*state, 0, 6, 0).eax, 1u << 2);	/* ARAT */
}

/* SDM: a leaf above the highest of its range gives the highest basic leaf's data. */
static void beyond_the_highest(void **state)
{
	struct regs top = cpuid(*state, 0, 0x16, 0), r;
	static const uint32_t leaves[] = { 0x17, 0x100, 0x40000011, 0x40000102, 0x80000009, 0xc0000000, UINT32_MAX };

	for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		r = cpuid(*state, 0, leaves[i], 0);
		assert_memory_equal(&r, &top, sizeof(r));
	}
	r = cpuid(*state, 0, 0x3, 0);	/* below it, without a row */
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
}

static void addresses(void **state)
{
	struct fake *f = *state;

	assert_int_equal(cpuid(f, 0, 0x80000008, 0).eax, 0x302e);
	assert_int_equal(f->vm.config.phys_bits, 0x2e);
	assert_int_equal(cpuid(f, 0, 0x80000000, 0).eax, 0x80000008);
}

/* A table from a hostile trace: whatever it holds, nothing outside of it is read. */
static void hostile_table(void **state)
{
	struct fake *f = *state;

	memset(f->vm.config.cpuid, 0, sizeof(f->vm.config.cpuid));
	for (unsigned i = 0; i < VM_MAX_CPUID; i++)
		f->vm.config.cpuid[i] = (struct vm_cpuid){ .leaf = 7, .subleaf = 9 };
	memset(f->vm.config.cpuid_index, VM_MAX_CPUID, sizeof(f->vm.config.cpuid_index));
	cpuid(f, 0, 7, 0);
	memset(f->vm.config.cpuid_index, 0xff, sizeof(f->vm.config.cpuid_index));
	cpuid(f, 0, 7, 0);
	cpuid(f, 0, 0x123456, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup_smp, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(vendor),
		TEST(hidden_features),
		TEST(host_random_is_asked_for),
		TEST(arch_capabilities_of_the_host),
		TEST(its_by_processor),
		TEST(features_follow_xcr0),
		TEST(bits_of_state),
		TEST(topology),
		TEST(xsave),
		TEST(hypervisor_leaves),
		TEST(kvm_leaves),
		TEST(beyond_the_highest),
		TEST(addresses),
		TEST(hostile_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
