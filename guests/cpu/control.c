/*
 * control.c: MOV to and from control registers, CLTS, LMSW, SMSW, XSETBV.
 * (SDM, "MOV—Move to/from Control Registers", "Control Registers", "XSETBV")
 */
#include "cpu.h"

#define XCR0_X87       1ull
#define XCR0_SSE       2ull
#define XCR0_AVX       4ull
#define CR_RESERVED_HIGH (1ull << 52) /* reserved in CR0, CR3 and CR4 alike */
#define LEGACY_XSAVE_BYTES 576        /* legacy region and header */

#define TRY_MOV_TO_CR(n, value) TRY("mov %0, %%cr" #n, OUT(), IN("r"((uint64_t)(value))))

static void test_cr0(void)
{
	const uint64_t cr0 = read_cr0();
	const uint64_t free_bits[] = { CR0_MP, CR0_TS, CR0_NE, CR0_WP, CR0_AM, CR0_CD, CR0_CD | CR0_NW };

	test_equal("CR0.PE, ET, WP, PG", cr0 & 0x80010011, 0x80010011);
	for (size_t i = 0; i < sizeof(free_bits) / sizeof(free_bits[0]); i++) {
		uint64_t changed = cr0 ^ free_bits[i];

		test_trap("MOV to CR0, a bit that may change", TRY_MOV_TO_CR(0, changed), NO_TRAP, 0);
		test_equal("CR0 as written", read_cr0(), changed);
		write_cr0(cr0);
		test_equal("CR0 as written back", read_cr0(), cr0);
	}
	test_trap("MOV to CR0 without PE", TRY_MOV_TO_CR(0, cr0 & ~CR0_PE), VECTOR_GP, 0);
	test_trap("MOV to CR0 without PG in 64-bit mode", TRY_MOV_TO_CR(0, cr0 & ~CR0_PG), VECTOR_GP, 0);
	test_trap("MOV to CR0, NW without CD", TRY_MOV_TO_CR(0, cr0 | CR0_NW), VECTOR_GP, 0);
	test_trap("MOV to CR0, bit 52", TRY_MOV_TO_CR(0, cr0 | CR_RESERVED_HIGH), VECTOR_GP, 0);
	test_equal("CR0 after bad writes", read_cr0(), cr0);
}

static void test_task_switched(void)
{
	const uint64_t cr0 = read_cr0();
	uint16_t word = 0xfff0;

	write_cr0(cr0 | CR0_TS);
	test_trap("x87 with CR0.TS", TRY("fnop", OUT(), IN()), VECTOR_NM, 0);
	asm volatile("clts" : : : "memory");
	test_equal("CR0 after CLTS", read_cr0(), cr0 & ~CR0_TS);
	test_trap("x87 after CLTS", TRY("fnop", OUT(), IN()), NO_TRAP, 0);

	/* LMSW loads bits 3:0, and can set PE but not clear it. */
	asm volatile("lmsw %w0" : : "r"(CR0_TS | CR0_MP) : "memory");
	test_equal("CR0 after LMSW of TS and MP", read_cr0(), (cr0 & ~CR0_EM) | CR0_TS | CR0_MP);
	asm volatile("lmsw %0" : : "m"(word) : "memory");
	test_equal("CR0 after LMSW of 0xfff0", read_cr0(), cr0 & ~(CR0_TS | CR0_MP | CR0_EM));
	write_cr0(cr0);
	asm volatile("smsw %0" : "=m"(word));
	test_equal("SMSW", word, (uint16_t)cr0);
}

static void test_cr3(void)
{
	const uint64_t cr3 = read_cr3();

	write_cr3(cr3);
	test_equal("CR3 as written", read_cr3(), cr3);
	/* PWT and PCD */
	write_cr3(cr3 | 0x18);
	test_equal("CR3 with PWT and PCD", read_cr3(), cr3 | 0x18);
	write_cr3(cr3);
	test_trap("MOV to CR3, bit 52", TRY_MOV_TO_CR(3, cr3 | CR_RESERVED_HIGH), VECTOR_GP, 0);
	test_equal("CR3 after a bad write", read_cr3(), cr3);
}

static void test_cr4(void)
{
	const uint64_t cr4 = read_cr4();
	const uint64_t free_bits[] = { CR4_VME, CR4_TSD, CR4_DE, CR4_PGE, CR4_OSFXSR, CR4_OSXMMEXCPT };

	for (size_t i = 0; i < sizeof(free_bits) / sizeof(free_bits[0]); i++) {
		uint64_t changed = cr4 ^ free_bits[i];

		test_trap("MOV to CR4, a bit that may change", TRY_MOV_TO_CR(4, changed), NO_TRAP, 0);
		test_equal("CR4 as written", read_cr4(), changed);
		write_cr4(cr4);
		test_equal("CR4 as written back", read_cr4(), cr4);
	}
	test_trap("MOV to CR4 without PAE in long mode", TRY_MOV_TO_CR(4, cr4 & ~CR4_PAE), VECTOR_GP, 0);
	test_trap("MOV to CR4, bit 15", TRY_MOV_TO_CR(4, cr4 | 1ull << 15), VECTOR_GP, 0);
	test_trap("MOV to CR4, bit 31", TRY_MOV_TO_CR(4, cr4 | 1ull << 31), VECTOR_GP, 0);
	test_trap("MOV to CR4, bit 52", TRY_MOV_TO_CR(4, cr4 | CR_RESERVED_HIGH), VECTOR_GP, 0);
	if (!(cpuid(1, 0).ecx & 1u << 5))
		test_trap("MOV to CR4, VMXE without VMX", TRY_MOV_TO_CR(4, cr4 | CR4_VMXE), VECTOR_GP, 0);
	if (!(cpuid(1, 0).ecx & 1u << 6))
		test_trap("MOV to CR4, SMXE without SMX", TRY_MOV_TO_CR(4, cr4 | CR4_SMXE), VECTOR_GP, 0);
	if (cpuid(1, 0).ecx & 1u << 17) {
		write_cr3(read_cr3() | 0x18);
		test_trap("MOV to CR4, PCIDE with CR3[11:0]", TRY_MOV_TO_CR(4, cr4 | CR4_PCIDE),
			  VECTOR_GP, 0);
		write_cr3(read_cr3() & ~0x18ull);
	}
	test_equal("CR4 after bad writes", read_cr4(), cr4);
}

static void test_cr8(void)
{
	for (uint64_t priority = 0; priority < 16; priority++) {
		write_cr8(priority);
		test_equal("CR8 as written", read_cr8(), priority);
		test_equal("the APIC's TPR after MOV to CR8", apic_read(APIC_TPR), priority << 4);
	}
	apic_write(APIC_TPR, 0x3a);
	test_equal("CR8 after a write of the APIC's TPR", read_cr8(), 3);
	test_trap("MOV to CR8 of 16", TRY_MOV_TO_CR(8, 16), VECTOR_GP, 0);
	test_trap("MOV to CR8 of 2^32", TRY_MOV_TO_CR(8, 1ull << 32), VECTOR_GP, 0);
	test_equal("CR8 after bad writes", read_cr8(), 3);
	write_cr8(0);
}

static uint64_t user_rdtsc(void)
{
	asm volatile(TRY_TEXT("rdtsc") : : : "eax", "edx", "memory");
	return 0;
}

static uint64_t user_mov_from_cr0(void)
{
	asm volatile(TRY_TEXT("mov %%cr0, %%rax") : : : "rax", "memory");
	return 0;
}

static uint64_t user_hlt(void)
{
	asm volatile(TRY_TEXT("hlt") : : : "memory");
	return 0;
}

static uint64_t user_xsetbv(void)
{
	asm volatile(TRY_TEXT("xsetbv") : : "a"(1), "d"(0), "c"(0) : "memory");
	return 0;
}

static struct trap user_trap(uint64_t (*function)(void))
{
	struct trap *trap = trap_arm();

	user_run(function);
	return *trap;
}

static void test_user_mode(void)
{
	const uint64_t cr4 = read_cr4();

	test_trap("MOV from CR0 in ring 3", user_trap(user_mov_from_cr0), VECTOR_GP, 0);
	test_trap("HLT in ring 3", user_trap(user_hlt), VECTOR_GP, 0);
	test_trap("RDTSC in ring 3", user_trap(user_rdtsc), NO_TRAP, 0);
	write_cr4(cr4 | CR4_TSD);
	test_trap("RDTSC in ring 3 with CR4.TSD", user_trap(user_rdtsc), VECTOR_GP, 0);
	test_trap("RDTSC in ring 0 with CR4.TSD", TRY("rdtsc", OUT(), IN(), "eax", "edx"), NO_TRAP, 0);
	write_cr4(cr4);
}

void test_control_registers(void)
{
	test_cr0();
	test_task_switched();
	test_cr3();
	test_cr4();
	test_cr8();
	test_user_mode();
}

void test_xsetbv(void)
{
	const uint64_t cr4 = read_cr4();
	const uint32_t offered = cpuid(0xd, 0).eax;

	if (!(cpuid(1, 0).ecx & 1u << 26))
		return;
	write_cr4(cr4 & ~CR4_OSXSAVE);
	test_equal("CPUID.1:ECX.OSXSAVE without CR4.OSXSAVE", cpuid(1, 0).ecx >> 27 & 1, 0);
	test_trap("XSETBV without CR4.OSXSAVE", try_xsetbv(0, XCR0_X87), VECTOR_UD, 0);
	write_cr4(cr4 | CR4_OSXSAVE);
	test_equal("CPUID.1:ECX.OSXSAVE with CR4.OSXSAVE", cpuid(1, 0).ecx >> 27 & 1, 1);

	test_trap("XSETBV, x87 and SSE", try_xsetbv(0, XCR0_X87 | XCR0_SSE), NO_TRAP, 0);
	test_equal("XCR0", xgetbv(0), XCR0_X87 | XCR0_SSE);
	test_equal("CPUID.0xD.0:EBX with x87 and SSE", cpuid(0xd, 0).ebx, LEGACY_XSAVE_BYTES);
	test_trap("XSETBV without x87", try_xsetbv(0, XCR0_SSE), VECTOR_GP, 0);
	test_trap("XSETBV, AVX without SSE", try_xsetbv(0, XCR0_X87 | XCR0_AVX), VECTOR_GP, 0);
	test_trap("XSETBV, bit 62", try_xsetbv(0, XCR0_X87 | 1ull << 62), VECTOR_GP, 0);
	test_trap("XSETBV of XCR 1", try_xsetbv(1, XCR0_X87), VECTOR_GP, 0);
	if (offered & XCR0_AVX) {
		test_trap("XSETBV with AVX", try_xsetbv(0, XCR0_X87 | XCR0_SSE | XCR0_AVX), NO_TRAP, 0);
		test_equal("XCR0 with AVX", xgetbv(0), XCR0_X87 | XCR0_SSE | XCR0_AVX);
		CHECK(cpuid(0xd, 0).ebx > LEGACY_XSAVE_BYTES, "CPUID.0xD.0:EBX doesn't follow XCR0");
	}
	test_trap("XSETBV, all that CPUID offers", try_xsetbv(0, offered), NO_TRAP, 0);
	test_trap("XSETBV in ring 3", user_trap(user_xsetbv), VECTOR_GP, 0);
	test_equal("XCR0 after all", xgetbv(0), offered);
	xsetbv(0, XCR0_X87);
	write_cr4(cr4);
}
