/*
 * processor.c: CPUID beyond its leaves, MSRs with reserved bits, instructions on a device register that guest
 * mmio has no need of.
 */
#include "edge.h"

#define LEAF_TOPOLOGY 0xb

#define MSR_FEATURE_CONTROL  0x3a
#define MSR_BIOS_UPDT_TRIG   0x79
#define MSR_MTRRCAP          0xfe
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_SYSENTER_CS      0x174
#define MSR_SYSENTER_ESP     0x175
#define MSR_SYSENTER_EIP     0x176
#define MSR_MISC_ENABLE      0x1a0
#define MSR_DEBUGCTL         0x1d9
#define MSR_MTRR_PHYSBASE0   0x200
#define MSR_MTRR_PHYSMASK7   0x20f
#define MSR_MTRR_FIX64K      0x250
#define MSR_MTRR_FIX16K_LAST 0x259
#define MSR_MTRR_FIX4K_LAST  0x26f
#define MSR_MTRR_DEF_TYPE    0x2ff

#define CPUID_7_EDX_ARCH_CAPABILITIES (1u << 29)
#define APIC_BASE_BSP    (1ull << 8)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define EFER_RESERVED    (1ull << 1)
#define EFER_LME         (1ull << 8)
#define EFER_LMA         (1ull << 10)

static void same_leaf(const char *what, struct cpuid got, struct cpuid expected)
{
	CHECK(got.eax == expected.eax && got.ebx == expected.ebx && got.ecx == expected.ecx &&
	      got.edx == expected.edx, "%s: got %#x %#x %#x %#x, expected %#x %#x %#x %#x", what, got.eax,
	      got.ebx, got.ecx, got.edx, expected.eax, expected.ebx, expected.ecx, expected.edx);
}

void test_cpuid(void)
{
	static const struct cpuid none;
	uint32_t highest = cpuid(0, 0).eax;
	struct cpuid last = cpuid(highest, 0);

	/* SDM, "CPUID": above the highest leaf, the data of the highest basic one */
	same_leaf("CPUID above the highest basic leaf", cpuid(highest + 1, 0), last);
	same_leaf("CPUID 0x3fffffff", cpuid(0x3fffffff, 0), last);
	same_leaf("CPUID above the highest extended leaf", cpuid(cpuid(0x80000000, 0).eax + 1, 0), last);
	same_leaf("CPUID above the highest hypervisor leaf", cpuid(CPUID_HYPERVISOR_TSC + 1, 0), last);
	same_leaf("CPUID 0xc0000000", cpuid(0xc0000000, 0), last);
	same_leaf("CPUID 3, which isn't there", cpuid(3, 0), none);
	for (uint32_t level = 0; level < 4; level++) {
		struct cpuid topology = cpuid(LEAF_TOPOLOGY, level);

		test_equal("CPUID.0xB:ECX[7:0], the level asked for", topology.ecx & 0xff, level);
		test_equal("CPUID.0xB:EDX, the x2APIC ID", topology.edx, this_cpu()->index);
	}
	for (uint32_t i = 0; i < 16 && cpuid(4, i).eax & 0x1f; i++)
		CHECK(i < 8, "CPUID.4 has no end");
}

static uint64_t read_msr(uint32_t msr)
{
	uint64_t value;

	test_trap("RDMSR", try_rdmsr(msr, &value), NO_TRAP, 0);
	return value;
}

/* `value` can be written and is read back, then the old one. */
static void keeps(const char *what, uint32_t msr, uint64_t value)
{
	uint64_t before = read_msr(msr);

	test_trap(what, try_wrmsr(msr, value), NO_TRAP, 0);
	test_equal(what, read_msr(msr), value);
	test_trap(what, try_wrmsr(msr, before), NO_TRAP, 0);
	test_equal(what, read_msr(msr), before);
}

static void refuses(const char *what, uint32_t msr, uint64_t value)
{
	test_trap(what, try_wrmsr(msr, value), VECTOR_GP, 0);
}

static void test_mtrrs(void)
{
	uint64_t physical = (1ull << (cpuid(0x80000008, 0).eax & 0xff)) - 1;

	test_equal("IA32_MTRRCAP, variable ranges", read_msr(MSR_MTRRCAP) & 0xff, 8);
	refuses("WRMSR IA32_MTRRCAP", MSR_MTRRCAP, 0);
	keeps("IA32_MTRR_PHYSBASE0", MSR_MTRR_PHYSBASE0, 0xc0000006);
	keeps("IA32_MTRR_PHYSMASK7", MSR_MTRR_PHYSMASK7, (physical & ~0xfffull) | 0x800);
	refuses("IA32_MTRR_PHYSBASE0, type 2", MSR_MTRR_PHYSBASE0, 2);
	refuses("IA32_MTRR_PHYSMASK7, beyond MAXPHYADDR", MSR_MTRR_PHYSMASK7, (physical + 1) | 0x800);
	refuses("IA32_MTRR_PHYSMASK7, bit 0", MSR_MTRR_PHYSMASK7, 1);
	keeps("IA32_MTRR_FIX64K", MSR_MTRR_FIX64K, 0x0606060606060606);
	keeps("the last IA32_MTRR_FIX16K", MSR_MTRR_FIX16K_LAST, 0x0001040506000104);
	keeps("the last IA32_MTRR_FIX4K", MSR_MTRR_FIX4K_LAST, 0x0505050505050505);
	refuses("IA32_MTRR_FIX64K, type 7", MSR_MTRR_FIX64K, 0x0606060706060606);
	keeps("IA32_MTRR_DEF_TYPE", MSR_MTRR_DEF_TYPE, 0xc06);
	refuses("IA32_MTRR_DEF_TYPE, bit 9", MSR_MTRR_DEF_TYPE, 0x206);
}

/* What the VMCS holds of the guest's MSRs */
static void test_vmcs_msrs(void)
{
	keeps("IA32_SYSENTER_CS", MSR_SYSENTER_CS, 0x1234);
	keeps("IA32_SYSENTER_ESP", MSR_SYSENTER_ESP, 0xffff800000001000);
	keeps("IA32_SYSENTER_EIP", MSR_SYSENTER_EIP, 0x00007ffffffff000);
	refuses("IA32_SYSENTER_ESP, not canonical", MSR_SYSENTER_ESP, NON_CANONICAL);
	refuses("IA32_SYSENTER_EIP, not canonical", MSR_SYSENTER_EIP, 0x0000800000000000);
	keeps("IA32_PAT", MSR_IA32_PAT, 0x0007010600070406);
	refuses("IA32_PAT, type 3", MSR_IA32_PAT, 0x0307040600070406);
}

/* SDM, "IA32_ARCH_CAPABILITIES": there if CPUID says so, and read-only */
static void test_arch_capabilities(void)
{
	bool there = cpuid(7, 0).edx & CPUID_7_EDX_ARCH_CAPABILITIES;
	uint64_t value;

	test_trap("RDMSR IA32_ARCH_CAPABILITIES", try_rdmsr(MSR_ARCH_CAPABILITIES, &value),
		  there ? NO_TRAP : VECTOR_GP, 0);
	refuses("WRMSR IA32_ARCH_CAPABILITIES", MSR_ARCH_CAPABILITIES, 0);
}

static void test_apic_base(void)
{
	uint64_t base = read_msr(MSR_IA32_APIC_BASE), moved = base + 0x10000;
	volatile uint32_t *there = (volatile uint32_t *)((moved & ~0xfffull) + APIC_ID);
	uint32_t id = apic_read(APIC_ID);

	refuses("IA32_APIC_BASE, x2APIC without enable", MSR_IA32_APIC_BASE,
		(base & ~APIC_BASE_ENABLE) | APIC_BASE_X2APIC);
	refuses("IA32_APIC_BASE, beyond MAXPHYADDR", MSR_IA32_APIC_BASE, base | 1ull << 51);
	refuses("IA32_APIC_BASE in RAM", MSR_IA32_APIC_BASE, (base & 0xfff) | 0x100000);
	wrmsr(MSR_IA32_APIC_BASE, base ^ APIC_BASE_BSP);
	test_equal("IA32_APIC_BASE.BSP is what it is", read_msr(MSR_IA32_APIC_BASE), base);
	wrmsr(MSR_IA32_APIC_BASE, moved);
	test_equal("the ID register of an APIC that moved", *there, id);
	test_equal("where it was", apic_read(APIC_ID), 0xffffffff);
	wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_ENABLE);
	test_equal("CPUID.1:EDX.APIC of a disabled APIC", cpuid(1, 0).edx >> 9 & 1, 0);
	test_equal("a register of a disabled APIC", apic_read(APIC_ID), 0xffffffff);
	refuses("IA32_APIC_BASE, x2APIC from disabled", MSR_IA32_APIC_BASE, base | APIC_BASE_X2APIC);
	wrmsr(MSR_IA32_APIC_BASE, base);
	apic_init();	/* its state was lost */
	test_equal("the ID register, back again", apic_read(APIC_ID), id);
}

static void test_time_stamp(void)
{
	const uint64_t leap = 1ull << 40;
	uint64_t before = rdtsc(), after;

	wrmsr(MSR_IA32_TSC, before + leap);
	after = rdtsc();
	CHECK(after >= before + leap && after - before - leap < leap / 2,
	      "the TSC is %#lx, after %#lx was written", after, before + leap);
	wrmsr(MSR_IA32_TSC, after - leap);
}

void test_msrs(void)
{
	uint64_t value, efer = read_msr(MSR_IA32_EFER), misc = read_msr(MSR_MISC_ENABLE);

	test_equal("IA32_FEATURE_CONTROL: locked, without VMX", read_msr(MSR_FEATURE_CONTROL), 1);
	refuses("WRMSR IA32_FEATURE_CONTROL", MSR_FEATURE_CONTROL, 5);
	test_trap("RDMSR IA32_BIOS_UPDT_TRIG", try_rdmsr(MSR_BIOS_UPDT_TRIG, &value), VECTOR_GP, 0);
	test_equal("IA32_BIOS_SIGN_ID", read_msr(MSR_IA32_BIOS_SIGN_ID), 0);
	keeps("IA32_MISC_ENABLE, fast strings", MSR_MISC_ENABLE, misc ^ 1);
	refuses("IA32_MISC_ENABLE, BTS there", MSR_MISC_ENABLE, misc ^ 1ull << 11);
	wrmsr(MSR_DEBUGCTL, 3);
	test_equal("IA32_DEBUGCTL: BTF stays, LBR doesn't", read_msr(MSR_DEBUGCTL), 2);
	wrmsr(MSR_DEBUGCTL, 0);
	refuses("IA32_DEBUGCTL, TR", MSR_DEBUGCTL, 1ull << 6);
	refuses("IA32_EFER, reserved bit", MSR_IA32_EFER, efer | EFER_RESERVED);
	refuses("IA32_EFER, LME under paging", MSR_IA32_EFER, efer ^ EFER_LME);
	test_trap("IA32_EFER without LMA", try_wrmsr(MSR_IA32_EFER, efer & ~EFER_LMA), NO_TRAP, 0);
	test_equal("IA32_EFER.LMA is what it is", read_msr(MSR_IA32_EFER), efer);
	test_mtrrs();
	test_vmcs_msrs();
	test_arch_capabilities();
	test_apic_base();
	test_time_stamp();
}

/* ---- Emulated instructions, on the initial count of a masked timer ---- */

static uint64_t compare_string(uint64_t a, uint64_t at)
{
	uint64_t flags;

	asm volatile("scasl; pushfq; popq %0" : "=r"(flags), "+D"(at) : "a"(a) : "memory", "cc");
	return flags & 0x41; /* CF, ZF */
}

void test_emulation(void)
{
	const uint64_t word = MMIO_LAPIC + APIC_TIMER_INITIAL;
	uint64_t a = 0, count = 3, at = word;

	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, 0x80000005);
	test_equal("SCASD with less", compare_string(4, word), 0x01);
	test_equal("SCASD with more", compare_string(0x80000006, word), 0);
	asm volatile("movl (%%edi), %%eax" : "=a"(a) : "D"(0xabcdef0000000000 | word));
	test_equal("MOV by EDI, with RDI[63:32] set", a, 0x80000005);
	/* 0x384 and 0x388 lie between registers and read as 0. */
	asm volatile("repne scasl" : "+D"(at), "+c"(count) : "a"(0) : "memory", "cc");
	test_equal("RDI after REPNE SCASD", at, word + 8);
	test_equal("RCX after REPNE SCASD", count, 1);
	asm volatile("btsl %0, 4(%1)" : : "r"(-30), "D"(word) : "memory", "cc");
	test_equal("BTS of bit -30, the doubleword before", apic_read(APIC_TIMER_INITIAL), 0x80000005);
	asm volatile("btsl %0, 4(%1)" : : "r"(-31), "D"(word) : "memory", "cc");
	test_equal("BTS of bit -31", apic_read(APIC_TIMER_INITIAL), 0x80000007);
	asm volatile("pushq (%1); popq %0" : "=r"(a) : "D"(word) : "memory");
	test_equal("PUSH of a register", a, 0x80000007);
	apic_write(APIC_TIMER_INITIAL, 0);
}
