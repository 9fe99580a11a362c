/*
 * policy.c: what CPUID, MSRs and hypercalls of vexit promise to a guest.
 */
#include "print.h"

#define CPUID_1_ECX_MONITOR    (1u << 3)
#define CPUID_1_ECX_VMX        (1u << 5)
#define CPUID_1_ECX_SMX        (1u << 6)
#define CPUID_1_ECX_OSXSAVE    (1u << 27)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_1_EDX_NEEDED     0x00000171 /* FPU, TSC, MSR, PAE, CX8 (long mode runs on them) */

#define APIC_BASE_BSP    (1u << 8)
#define APIC_BASE_ENABLE (1u << 11)
#define EFER_LME_LMA     0x500
#define NO_SUCH_MSR      0xdeadbeef
#define NON_CANONICAL    0x8000000000000000

void check_cpuid(struct cpu *cpu)
{
	struct cpuid features = cpuid(1, 0);

	test_equal("CPUID.1:EBX[31:24], the APIC id", features.ebx >> 24, cpu->index);
	test_equal("the local APIC's ID register", apic_read(APIC_ID) >> 24, cpu->index);
	test_equal("CPUID.1:EDX, features that long mode needs", features.edx & CPUID_1_EDX_NEEDED,
		   CPUID_1_EDX_NEEDED);
	if (!under_vexit)
		return;
	CHECK(features.ecx & CPUID_1_ECX_HYPERVISOR, "CPUID.1:ECX[31] says there is no hypervisor");
	CHECK(!(features.ecx & CPUID_1_ECX_VMX), "CPUID.1:ECX[5] offers VMX");
	CHECK(!(features.ecx & CPUID_1_ECX_SMX), "CPUID.1:ECX[6] offers SMX");
	CHECK(!(features.ecx & CPUID_1_ECX_MONITOR), "CPUID.1:ECX[3] offers MONITOR/MWAIT");
	CHECK(cpuid(CPUID_HYPERVISOR, 0).eax >= CPUID_HYPERVISOR_TSC,
	      "CPUID.0x40000000:EAX isn't the highest leaf");
	CHECK(cpuid(CPUID_HYPERVISOR_TSC, 0).eax != 0, "CPUID.0x40000010:EAX gives no TSC frequency");
	CHECK(cpuid(CPUID_HYPERVISOR_TSC, 0).ebx != 0, "CPUID.0x40000010:EBX gives no APIC timer frequency");
}

static void check_good_msrs(struct cpu *cpu)
{
	uint64_t value, before;
	uint64_t base = MMIO_LAPIC | APIC_BASE_ENABLE | (cpu->index == 0 ? APIC_BASE_BSP : 0);

	test_trap("RDMSR IA32_APIC_BASE", try_rdmsr(MSR_IA32_APIC_BASE, &value), NO_TRAP, 0);
	test_equal("IA32_APIC_BASE", value, base);

	test_trap("RDMSR IA32_EFER", try_rdmsr(MSR_IA32_EFER, &value), NO_TRAP, 0);
	test_equal("IA32_EFER.LME and .LMA", value & EFER_LME_LMA, EFER_LME_LMA);

	before = rdtsc();
	test_trap("RDMSR IA32_TIME_STAMP_COUNTER", try_rdmsr(MSR_IA32_TSC, &value), NO_TRAP, 0);
	CHECK(before < value && value < rdtsc(), "IA32_TIME_STAMP_COUNTER doesn't agree with RDTSC");

	test_trap("RDMSR IA32_PAT", try_rdmsr(MSR_IA32_PAT, &before), NO_TRAP, 0);
	test_trap("WRMSR IA32_PAT", try_wrmsr(MSR_IA32_PAT, 0x0007040600070401), NO_TRAP, 0);
	test_trap("RDMSR IA32_PAT again", try_rdmsr(MSR_IA32_PAT, &value), NO_TRAP, 0);
	test_equal("IA32_PAT as written", value, 0x0007040600070401);
	test_trap("WRMSR IA32_PAT back", try_wrmsr(MSR_IA32_PAT, before), NO_TRAP, 0);
}

void check_msrs(struct cpu *cpu)
{
	uint64_t value;

	check_good_msrs(cpu);
	test_trap("RDMSR of no MSR", try_rdmsr(NO_SUCH_MSR, &value), VECTOR_GP, 0);
	test_trap("WRMSR of no MSR", try_wrmsr(NO_SUCH_MSR, 1), VECTOR_GP, 0);
	test_trap("RDMSR IA32_VMX_BASIC", try_rdmsr(MSR_IA32_VMX_BASIC, &value), VECTOR_GP, 0);
	test_trap("WRMSR IA32_VMX_BASIC", try_wrmsr(MSR_IA32_VMX_BASIC, 0), VECTOR_GP, 0);
	test_trap("WRMSR IA32_LSTAR, not canonical", try_wrmsr(MSR_IA32_LSTAR, NON_CANONICAL), VECTOR_GP, 0);
	test_trap("WRMSR IA32_KERNEL_GS_BASE, not canonical",
		  try_wrmsr(MSR_IA32_KERNEL_GS_BASE, NON_CANONICAL), VECTOR_GP, 0);
	test_trap("WRMSR IA32_PAT, type 2", try_wrmsr(MSR_IA32_PAT, 0x0007040600070402), VECTOR_GP, 0);
}

static void check_print(const char *what, uint64_t address, uint64_t bytes, int64_t expected)
{
	int64_t got = hypercall(HYPERCALL_PRINT, address, bytes, 0, 0);

	CHECK(got == expected, "hypercall PRINT, %s: got %ld, expected %ld", what, got, expected);
}

void check_hypercalls(void)
{
	static const char text[] = "must not be printed\n";
	const uint64_t at = (uint64_t)text, unmapped = (uint64_t)page_window(0);

	check_print("0 bytes", at, 0, 0);
	check_print("not mapped", unmapped, 8, HYPERCALL_EFAULT);
	check_print("mapped, but no memory", 0xe0000000, 8, HYPERCALL_EFAULT);
	check_print("across the end of what is mapped", unmapped - 4, 8, HYPERCALL_EFAULT);
	check_print("not canonical", NON_CANONICAL, 8, HYPERCALL_EFAULT);
	check_print("too long", at, HYPERCALL_PRINT_MAX + 1, HYPERCALL_EINVAL);
	check_print("much too long", at, 1ull << 32, HYPERCALL_EINVAL);

	test_equal("hypercall NOP", (uint64_t)hypercall(HYPERCALL_NOP, 1, 2, 3, 4), 0);
	test_equal("hypercall 0x7777", (uint64_t)hypercall(0x7777, 1, 2, 3, 4), (uint64_t)HYPERCALL_ENOSYS);
	test_equal("hypercall 2^32", (uint64_t)hypercall(1ull << 32, 0, 0, 0, 0), (uint64_t)HYPERCALL_ENOSYS);
}
