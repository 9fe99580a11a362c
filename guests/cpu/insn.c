/*
 * insn.c: instructions that exit, or may: results, and #UD where CPUID doesn't offer them.
 */
#include "cpu.h"

static void test_absent(void)
{
	struct cpuid one = cpuid(1, 0), seven = cpuid(7, 0);
	uint64_t value = 0;

	if (!(one.ecx & 1u << 3)) {
		test_trap("MONITOR", TRY("monitor", OUT(), IN("a"(&value), "c"(0), "d"(0))), VECTOR_UD, 0);
		test_trap("MWAIT", TRY("mwait", OUT(), IN("a"(0), "c"(0))), VECTOR_UD, 0);
	}
	if (!(one.ecx & 1u << 6)) {
		value = 0;
		test_trap("GETSEC", TRY("getsec", OUT("+a"(value)), IN("b"(0))), VECTOR_UD, 0);
	}
	if (!(one.ecx & 1u << 30))
		test_trap("RDRAND", TRY("rdrand %0", OUT("=r"(value)), IN()), VECTOR_UD, 0);
	if (!(seven.ebx & 1u << 18))
		test_trap("RDSEED", TRY("rdseed %0", OUT("=r"(value)), IN()), VECTOR_UD, 0);
	if (!(seven.ebx & 1u << 10))
		test_trap("INVPCID", TRY("invpcid (%0), %1", OUT(), IN("r"(&value), "r"(2ul))), VECTOR_UD, 0);
	if (!(seven.ecx & 1u << 5)) {
		test_trap("TPAUSE", TRY("tpause %%ecx", OUT(), IN("a"(0), "d"(0), "c"(0))), VECTOR_UD, 0);
		test_trap("UMWAIT", TRY("umwait %%ecx", OUT(), IN("a"(0), "d"(0), "c"(0))), VECTOR_UD, 0);
	}
	test_trap("RSM", TRY("rsm", OUT(), IN()), VECTOR_UD, 0);
	test_trap("UD2", TRY("ud2", OUT(), IN()), VECTOR_UD, 0);
	test_vmx_undefined();
}

static void test_time(void)
{
	uint64_t last = rdtsc();
	uint32_t lo, hi, aux;

	for (int i = 0; i < 16; i++) {
		uint64_t now = rdtsc();

		CHECK(now > last, "RDTSC went from %lu to %lu", last, now);
		cpuid(0, 0); /* an exit in between */
		last = now;
	}
	if (cpuid(0x80000000, 0).eax < 0x80000001 || !(cpuid(0x80000001, 0).edx & 1u << 27))
		return;
	wrmsr(MSR_IA32_TSC_AUX, 0x1234 + this_cpu()->index);
	asm volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
	test_equal("RDTSCP's IA32_TSC_AUX", aux, 0x1234 + this_cpu()->index);
	CHECK(((uint64_t)hi << 32 | lo) > last, "RDTSCP is behind RDTSC");
}

static void test_caches(void)
{
	static uint8_t pages[2][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
	unsigned mine = this_cpu()->index;
	volatile uint8_t *page;

	pages[0][mine] = 0xa5;
	pages[1][mine] = 0x5a;
	page = page_map(mine, (uint64_t)pages[0], PAGE_PRESENT | PAGE_WRITABLE);
	test_equal("a mapped page", page[mine], 0xa5);
	page_map(mine, (uint64_t)pages[1], PAGE_PRESENT | PAGE_WRITABLE); /* with INVLPG */
	test_equal("it after a change and INVLPG", page[mine], 0x5a);
	test_trap("INVLPG, not canonical", TRY("invlpg (%0)", OUT(), IN("r"(1ull << 63))), NO_TRAP, 0);
	test_trap("WBINVD", TRY("wbinvd", OUT(), IN()), NO_TRAP, 0);
	if (under_vexit) /* elsewhere it would throw away what wasn't written back */
		test_trap("INVD", TRY("invd", OUT(), IN()), NO_TRAP, 0);
	page_map(mine, 0, 0);
}

/* CPUID, RDMSR and VMCALL clear or keep the upper halves of what they write, and touch nothing else. */
static void test_registers_kept(void)
{
	uint64_t a = 0xffffffff00000000, b = ~0ull, c = 0xffffffff00000000, d = ~0ull, s = 0x1111, e = 0x2222;

	asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(s), "+D"(e));
	test_equal("upper halves after CPUID", (a | b | c | d) >> 32, 0);
	test_equal("RSI after CPUID", s, 0x1111);
	test_equal("RDI after CPUID", e, 0x2222);
	a = ~0ull;
	c = 0xffffffff00000000 | MSR_IA32_APIC_BASE; /* RDMSR ignores RCX[63:32] */
	d = ~0ull;
	asm volatile("rdmsr" : "+a"(a), "+d"(d) : "c"(c));
	test_equal("upper halves after RDMSR", (a | d) >> 32, 0);
	test_equal("RDMSR IA32_APIC_BASE", a & 0xfffff000, MMIO_LAPIC);
	a = ~0ull;
	asm volatile("inb %%dx, %%al" : "+a"(a) : "d"(PORT_UART + 7));
	test_equal("RAX[63:8] after IN of a byte", a >> 8, ~0ull >> 8);
	a = ~0ull;
	asm volatile("inl %%dx, %%eax" : "+a"(a) : "d"(0x1230));
	test_equal("RAX[63:32] after IN of a doubleword", a >> 32, 0);
}

void test_instructions(void)
{
	test_absent();
	test_time();
	test_caches();
	test_registers_kept();
	test_trap("RDPMC of no counter", TRY("rdpmc", OUT(), IN("c"(0xffff)), "eax", "edx"), VECTOR_GP, 0);
	test_trap("PAUSE", TRY("pause", OUT(), IN()), NO_TRAP, 0);
}
