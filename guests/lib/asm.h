/*
 * asm.h: single instructions as functions, for where they can't fault. What may fault goes through trap.h.
 */
#ifndef GUEST_ASM_H
#define GUEST_ASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void outl(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void rep_outsb(uint16_t port, const void *from, size_t bytes)
{
	asm volatile("rep outsb" : "+S"(from), "+c"(bytes) : "d"(port) : "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t xgetbv(uint32_t xcr)
{
	uint32_t lo, hi;

	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(xcr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void xsetbv(uint32_t xcr, uint64_t value)
{
	asm volatile("xsetbv" : : "c"(xcr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* KVM's convention: number in RAX, arguments in RBX, RCX, RDX, RSI, result in RAX, all else is kept. */
static inline int64_t hypercall(uint64_t number, uint64_t b, uint64_t c, uint64_t d, uint64_t s)
{
	asm volatile("vmcall" : "+a"(number) : "b"(b), "c"(c), "d"(d), "S"(s) : "memory");
	return (int64_t)number;
}

#define DEFINE_REGISTER(reg) \
	static inline uint64_t read_##reg(void) \
	{ \
		uint64_t value; \
		asm volatile("mov %%" #reg ", %0" : "=r"(value) : : "memory"); \
		return value; \
	} \
	static inline void write_##reg(uint64_t value) \
	{ \
		asm volatile("mov %0, %%" #reg : : "r"(value) : "memory"); \
	}

DEFINE_REGISTER(cr0)
DEFINE_REGISTER(cr2)
DEFINE_REGISTER(cr3)
DEFINE_REGISTER(cr4)
DEFINE_REGISTER(cr8)
DEFINE_REGISTER(dr0)
DEFINE_REGISTER(dr1)
DEFINE_REGISTER(dr2)
DEFINE_REGISTER(dr3)
DEFINE_REGISTER(dr6)
DEFINE_REGISTER(dr7)

static inline uint64_t read_flags(void)
{
	uint64_t flags;

	asm volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
	return flags;
}

static inline void invlpg(const volatile void *address)
{
	asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

static inline void irq_enable(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
	asm volatile("cli" : : : "memory");
}

/* The two belong together: STI's shadow lets no interrupt in between STI and HLT. */
static inline void irq_enable_and_halt(void)
{
	asm volatile("sti; hlt" : : : "memory");
}

static inline uint32_t atomic_add(uint32_t *counter, uint32_t n)
{
	return __atomic_add_fetch(counter, n, __ATOMIC_SEQ_CST);
}

static inline uint32_t atomic_load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void atomic_store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/* Bits of control registers, EFER and MSR numbers that guests use (SDM, "Control Registers", "MSRs"). */
#define CR0_PE             (1ull << 0)
#define CR0_MP             (1ull << 1)
#define CR0_EM             (1ull << 2)
#define CR0_TS             (1ull << 3)
#define CR0_NE             (1ull << 5)
#define CR0_WP             (1ull << 16)
#define CR0_AM             (1ull << 18)
#define CR0_NW             (1ull << 29)
#define CR0_CD             (1ull << 30)
#define CR0_PG             (1ull << 31)
#define CR4_VME            (1ull << 0)
#define CR4_TSD            (1ull << 2)
#define CR4_DE             (1ull << 3)
#define CR4_PAE            (1ull << 5)
#define CR4_PGE            (1ull << 7)
#define CR4_OSFXSR         (1ull << 9)
#define CR4_OSXMMEXCPT     (1ull << 10)
#define CR4_VMXE           (1ull << 13)
#define CR4_SMXE           (1ull << 14)
#define CR4_PCIDE          (1ull << 17)
#define CR4_OSXSAVE        (1ull << 18)
#define CR4_PKE            (1ull << 22)
#define FLAG_TF            (1ull << 8)
#define FLAG_IF            (1ull << 9)
#define FLAG_DF            (1ull << 10)

#define MSR_IA32_TSC            0x10
#define MSR_IA32_APIC_BASE      0x1b
#define MSR_IA32_BIOS_SIGN_ID   0x8b
#define MSR_IA32_PAT            0x277
#define MSR_IA32_VMX_BASIC      0x480
#define MSR_IA32_XSS            0xda0
#define MSR_IA32_EFER           0xc0000080
#define MSR_IA32_STAR           0xc0000081
#define MSR_IA32_LSTAR          0xc0000082
#define MSR_IA32_CSTAR          0xc0000083
#define MSR_IA32_FMASK          0xc0000084
#define MSR_IA32_GS_BASE        0xc0000101
#define MSR_IA32_KERNEL_GS_BASE 0xc0000102
#define MSR_IA32_TSC_AUX        0xc0000103

#endif
