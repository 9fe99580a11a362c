/*
 * state.c: the state of a vCPU that no VMCS field holds. A hypervisor that runs several vCPUs on one
 * processor must switch it by hand; what it forgets, one vCPU finds changed by another.
 *
 * Each vCPU writes values of its own everywhere, waits while the others run (spinning, so that the end of the
 * time slice makes the switch; then halted, so that HLT makes it), and compares. Then all again with others.
 */
#include "print.h"

#define ROUNDS       2 /* of write, wait, compare */
#define SPIN_WAITS   2 /* barriers in each */
#define HALT_WAITS   2 /* and waits in HLT for the IPI of the vCPU before */
#define VECTOR_ROUND 0x41

#define XSTATE_X87    (1u << 0)
#define XSTATE_SSE    (1u << 1)
#define XSTATE_AVX    (1u << 2)
#define XSTATE_AVX512 (7u << 5)
#define XSTATE_PKRU   (1u << 9)
/* Components whose every bit pattern may be loaded; the others stay as they are. */
#define XSTATE_USED   (XSTATE_X87 | XSTATE_SSE | XSTATE_AVX | XSTATE_AVX512)

#define XSAVE_AREA_SIZE 4096
#define XSAVE_FCW       0
#define XSAVE_FTW       4
#define XSAVE_MXCSR     24
#define XSAVE_ST        32  /* eight of 16 bytes, 10 used */
#define XSAVE_XMM       160
#define XSAVE_XMM_BYTES 256
#define XSAVE_XSTATE_BV 512

struct register_state {
	const char *name;
	uint64_t (*read)(void);
	void (*write)(uint64_t value);
	uint64_t varying; /* bits that may take any value */
	uint64_t fixed;   /* the others read so */
};

static struct {
	uint32_t components; /* of XCR0, those in XSTATE_USED; 0 without XSAVE */
	bool has_pkru;       /* read by RDPKRU, since Bochs doesn't say where XSAVE puts it */
	uint64_t xss;        /* bits that IA32_XSS may take; all of them 0 without XSAVES */
	bool has_xss, has_tsc_aux;
} machine;

static struct barrier barrier;
static uint8_t xsave_expected[MAX_CPUS][XSAVE_AREA_SIZE] __attribute__((aligned(64)));
static uint8_t xsave_got[MAX_CPUS][XSAVE_AREA_SIZE] __attribute__((aligned(64)));

#define DEFINE_MSR(name, number) \
	static uint64_t read_##name(void) { return rdmsr(number); } \
	static void write_##name(uint64_t value) { wrmsr(number, value); }

DEFINE_MSR(kernel_gs_base, MSR_IA32_KERNEL_GS_BASE)
DEFINE_MSR(star, MSR_IA32_STAR)
DEFINE_MSR(lstar, MSR_IA32_LSTAR)
DEFINE_MSR(cstar, MSR_IA32_CSTAR)
DEFINE_MSR(fmask, MSR_IA32_FMASK)

/* Addresses: bits 47:0 with bit 47 clear are canonical in any case. */
static const struct register_state registers[] = {
	{ "CR2", read_cr2, write_cr2, 0x00007fffffffffff, 0 },
	{ "DR0", read_dr0, write_dr0, 0x00007fffffffffff, 0 },
	{ "DR1", read_dr1, write_dr1, 0x00007fffffffffff, 0 },
	{ "DR2", read_dr2, write_dr2, 0x00007fffffffffff, 0 },
	{ "DR3", read_dr3, write_dr3, 0x00007fffffffffff, 0 },
	{ "DR6", read_dr6, write_dr6, 0x000000000000e00f, 0xffff0ff0 },
	{ "IA32_KERNEL_GS_BASE", read_kernel_gs_base, write_kernel_gs_base, 0x00007fffffffffff, 0 },
	{ "IA32_STAR", read_star, write_star, 0xffffffff00000000, 0 },
	{ "IA32_LSTAR", read_lstar, write_lstar, 0x00007fffffffffff, 0 },
	{ "IA32_CSTAR", read_cstar, write_cstar, 0x00007fffffffffff, 0 },
	{ "IA32_FMASK", read_fmask, write_fmask, 0x00000000ffffffff, 0 },
};
#define REGISTER_COUNT (sizeof(registers) / sizeof(registers[0]))

/* A value for the n-th thing of a vCPU in a round: no two alike (the finalizer of splitmix64). */
static uint64_t pattern(const struct cpu *cpu, unsigned round, unsigned n)
{
	uint64_t x = ((uint64_t)cpu->index << 32 | round << 16 | n) * 0x9e3779b97f4a7c15 + 0x1234567;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t register_value(const struct register_state *r, const struct cpu *cpu, unsigned round)
{
	return (pattern(cpu, round, (unsigned)(r - registers)) & r->varying) | r->fixed;
}

/* ---- XCR0 and the XSAVE area ---- */

/* XCR0 differs between vCPUs where the machine leaves a choice: from x87 alone to all components. */
static uint64_t xcr0_value(const struct cpu *cpu, unsigned round)
{
	uint32_t choices[5], count = 0, all = machine.components;

	choices[count++] = XSTATE_X87;
	if (all & XSTATE_SSE)
		choices[count++] = XSTATE_X87 | XSTATE_SSE;
	if (all & XSTATE_AVX)
		choices[count++] = XSTATE_X87 | XSTATE_SSE | XSTATE_AVX;
	if (machine.has_pkru)
		choices[count++] = XSTATE_X87 | XSTATE_PKRU;
	choices[count++] = all;
	return choices[(cpu->index + round) % count];
}

static void xsave(void *area)
{
	asm volatile("xsave64 (%0)" : : "r"(area), "a"(machine.components), "d"(0) : "memory");
}

static void xrstor(const void *area)
{
	asm volatile("xrstor64 (%0)" : : "r"(area), "a"(machine.components), "d"(0) : "memory");
}

static void fill(uint8_t *at, size_t bytes, const struct cpu *cpu, unsigned round, unsigned salt)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(pattern(cpu, round, salt + (unsigned)(i / 8)) >> i % 8 * 8);
}

/* Extended components lie where CPUID.0xD says (SDM, "Enumeration of CPU Support for XSAVE Instructions"). */
static void fill_extended(uint8_t *area, const struct cpu *cpu, unsigned round)
{
	for (unsigned i = 2; i < 32; i++) {
		struct cpuid layout = cpuid(0xd, i);

		if (!(machine.components & 1u << i) || layout.ebx + layout.eax > XSAVE_AREA_SIZE)
			continue;
		fill(area + layout.ebx, layout.eax, cpu, round, 1000 * i);
	}
}

static void xstate_load(const struct cpu *cpu, unsigned round)
{
	uint8_t *area = xsave_expected[cpu->index];

	memset(area, 0, XSAVE_AREA_SIZE);
	/* x87 and SSE: all exceptions masked, rounding control by vCPU */
	*(uint16_t *)(area + XSAVE_FCW) = (uint16_t)(0x037f | (cpu->index + round) % 4 << 10);
	area[XSAVE_FTW] = 0xff; /* all registers in use */
	*(uint32_t *)(area + XSAVE_MXCSR) = 0x1f80 | (cpu->index + round) % 4 << 13;
	for (unsigned i = 0; i < 8; i++)
		fill(area + XSAVE_ST + 16 * i, 10, cpu, round, 100 + 10 * i);
	fill(area + XSAVE_XMM, XSAVE_XMM_BYTES, cpu, round, 500);
	fill_extended(area, cpu, round);
	*(uint64_t *)(area + XSAVE_XSTATE_BV) = machine.components;
	xsetbv(0, machine.components);
	xrstor(area);
	/* Registers keep their values when XCR0 drops their components: a hypervisor must switch them. */
	xsetbv(0, xcr0_value(cpu, round));
}

static void compare(const struct cpu *cpu, const char *name, size_t offset, size_t bytes)
{
	const uint8_t *got = xsave_got[cpu->index] + offset, *expected = xsave_expected[cpu->index] + offset;

	for (size_t i = 0; i < bytes; i++) {
		if (got[i] == expected[i])
			continue;
		test_fail("%s changed: byte %lu of the XSAVE area is %#x, expected %#x", name, offset + i,
			  got[i], expected[i]);
		return;
	}
}

static const char *component_name(unsigned i)
{
	switch (i) {
	case 2: return "YMM registers";
	case 5: return "AVX-512 opmask";
	case 6: return "ZMM0-15";
	case 7: return "ZMM16-31";
	default: return "XSAVE component";
	}
}

static void xstate_compare(const struct cpu *cpu, unsigned round)
{
	test_equal("XCR0", xgetbv(0), xcr0_value(cpu, round));
	xsetbv(0, machine.components);
	memset(xsave_got[cpu->index], 0, XSAVE_AREA_SIZE);
	xsave(xsave_got[cpu->index]);
	compare(cpu, "x87 control word", XSAVE_FCW, 2);
	compare(cpu, "x87 tag word", XSAVE_FTW, 1);
	compare(cpu, "MXCSR", XSAVE_MXCSR, 4);
	for (unsigned i = 0; i < 8; i++)
		compare(cpu, "x87 register", XSAVE_ST + 16 * i, 10);
	compare(cpu, "XMM registers", XSAVE_XMM, XSAVE_XMM_BYTES);
	for (unsigned i = 2; i < 32; i++) {
		struct cpuid layout = cpuid(0xd, i);

		if (machine.components & 1u << i && layout.ebx + layout.eax <= XSAVE_AREA_SIZE)
			compare(cpu, component_name(i), layout.ebx, layout.eax);
	}
}

/* ---- all of it ---- */

/*
 * Key 0, which all pages here have, stays open. PKRU guards user pages alone, and there are none, but Bochs
 * 2.7 applies it to supervisor writes.
 */
static uint32_t pkru_value(const struct cpu *cpu, unsigned round)
{
	return (uint32_t)pattern(cpu, round, 51) & ~3u;
}

static void wrpkru(uint32_t value)
{
	asm volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

static uint32_t rdpkru(void)
{
	uint32_t value;

	asm volatile("rdpkru" : "=a"(value) : "c"(0) : "edx", "memory");
	return value;
}

static uint64_t xss_value(const struct cpu *cpu, unsigned round)
{
	return (cpu->index + round) % 2 ? machine.xss : 0;
}

static void state_write(const struct cpu *cpu, unsigned round)
{
	for (size_t i = 0; i < REGISTER_COUNT; i++)
		registers[i].write(register_value(&registers[i], cpu, round));
	if (machine.has_tsc_aux)
		wrmsr(MSR_IA32_TSC_AUX, (uint32_t)pattern(cpu, round, 50));
	if (machine.has_xss)
		wrmsr(MSR_IA32_XSS, xss_value(cpu, round));
	if (machine.has_pkru)
		wrpkru(pkru_value(cpu, round));
	if (machine.components)
		xstate_load(cpu, round);
}

static void state_compare(const struct cpu *cpu, unsigned round)
{
	/* CR2 and DR6 first: a check that fails prints, and printing must not be what changed them. */
	uint64_t got[REGISTER_COUNT];

	for (size_t i = 0; i < REGISTER_COUNT; i++)
		got[i] = registers[i].read();
	for (size_t i = 0; i < REGISTER_COUNT; i++)
		test_equal(registers[i].name, got[i], register_value(&registers[i], cpu, round));
	if (machine.has_tsc_aux)
		test_equal("IA32_TSC_AUX", rdmsr(MSR_IA32_TSC_AUX), (uint32_t)pattern(cpu, round, 50));
	if (machine.has_xss)
		test_equal("IA32_XSS", rdmsr(MSR_IA32_XSS), xss_value(cpu, round));
	if (machine.has_pkru)
		test_equal("PKRU", rdpkru(), pkru_value(cpu, round));
	if (machine.components)
		xstate_compare(cpu, round);
}

/*
 * Spins without an exit, past the end of its time slice (a hundredth of a second), so that only the
 * preemption timer can take the processor from it.
 */
static void spin_preempted(void)
{
	uint64_t start = rdtsc(), cycles = UINT64_C(15) * cpuid(CPUID_HYPERVISOR_TSC, 0).eax;

	while (rdtsc() - start < cycles)
		;
}

/* Halts until the vCPU before this one (the BSP: the last one) has sent its IPI; vCPU 0 sends first. */
static void wait_halted(const struct cpu *cpu)
{
	static uint32_t taken[MAX_CPUS];
	uint32_t next = (cpu->index + 1) % cpu_count(), mine = ++taken[cpu->index];

	if (cpu->index == 0)
		apic_send(next, ICR_FIXED | VECTOR_ROUND);
	irq_disable();
	while (trap_count(VECTOR_ROUND) < mine) {
		irq_enable_and_halt();
		irq_disable();
	}
	if (cpu->index != 0)
		apic_send(next, ICR_FIXED | VECTOR_ROUND);
}

void state_init(void)
{
	struct cpuid features = cpuid(1, 0), extended = cpuid(0xd, 0);

	machine.has_tsc_aux = cpuid(0x80000000, 0).eax >= 0x80000001 && cpuid(0x80000001, 0).edx & 1u << 27;
	if (features.ecx & 1u << 26) {
		machine.components = extended.eax & XSTATE_USED;
		if ((machine.components & XSTATE_AVX512) != XSTATE_AVX512)
			machine.components &= ~XSTATE_AVX512;
		machine.has_pkru = extended.eax & XSTATE_PKRU && cpuid(7, 0).ecx & 1u << 3;
		machine.has_xss = cpuid(0xd, 1).eax & 1u << 3;
		machine.xss = machine.has_xss ? cpuid(0xd, 1).ecx : 0;
	}
}

void check_state(struct cpu *cpu)
{
	if (machine.components)
		write_cr4(read_cr4() | CR4_OSXSAVE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	if (machine.has_pkru)
		write_cr4(read_cr4() | CR4_PKE);
	for (unsigned round = 0; round < ROUNDS; round++) {
		state_write(cpu, round);
		if (cpu_count() > 1)
			spin_preempted();
		for (int i = 0; i < SPIN_WAITS; i++)
			barrier_wait(&barrier, cpu_count());
		for (int i = 0; i < HALT_WAITS; i++)
			wait_halted(cpu);
		state_compare(cpu, round);
		barrier_wait(&barrier, cpu_count());
	}
}
