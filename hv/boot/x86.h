/*
 * x86.h: instructions that C has no word for, one inline function each.
 *
 * For hv/boot and hv/vmx only. The core (hv/exit, hv/insn, hv/dev, hv/trace) must not include this: it
 * reaches the processor through struct world.
 */
#ifndef BOOT_X86_H
#define BOOT_X86_H

#include <stdint.h>

#define X86_CR0_PE		(1ull << 0)
#define X86_CR0_WP		(1ull << 16)
#define X86_CR4_VMXE		(1ull << 13)
#define X86_CR4_OSXSAVE		(1ull << 18)

#define X86_EFER_NXE		(1ull << 11)

#define X86_MSR_FEATURE_CONTROL	0x3a
#define X86_MSR_ARCH_CAPABILITIES 0x10a
#define X86_MSR_XSS		0xda0
#define X86_MSR_PAT		0x277
#define X86_MSR_EFER		0xc0000080
#define X86_MSR_STAR		0xc0000081
#define X86_MSR_LSTAR		0xc0000082
#define X86_MSR_CSTAR		0xc0000083
#define X86_MSR_FMASK		0xc0000084
#define X86_MSR_FS_BASE		0xc0000100
#define X86_MSR_GS_BASE		0xc0000101
#define X86_MSR_KERNEL_GS_BASE	0xc0000102
#define X86_MSR_TSC_AUX		0xc0000103

struct x86_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

/* The operand of LGDT, LIDT, SGDT and SIDT. */
struct x86_table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline uint8_t x86_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t x86_in16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t x86_in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void x86_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void x86_out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void x86_out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* Writes `count` bytes to one port; in Bochs one REP iteration costs what one instruction costs. */
static inline void x86_outs8(uint16_t port, const void *bytes, uint64_t count)
{
	__asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}

static inline uint64_t x86_rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr) : "memory");
}

static inline struct x86_cpuid x86_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct x86_cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

/* RDTSC clears the upper halves of both registers, so they are taken as 64 bits: an instruction less. */
static inline __attribute__((always_inline)) uint64_t x86_rdtsc(void)
{
	uint64_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return high << 32 | low;
}

#define X86_CONTROL_REGISTER(reg)								\
	static inline uint64_t x86_##reg##_read(void)						\
	{											\
		uint64_t value;									\
												\
		__asm__ volatile("mov %%" #reg ", %0" : "=r"(value));				\
		return value;									\
	}											\
	static inline void x86_##reg##_write(uint64_t value)					\
	{											\
		__asm__ volatile("mov %0, %%" #reg : : "r"(value) : "memory");			\
	}

X86_CONTROL_REGISTER(cr0)
X86_CONTROL_REGISTER(cr2)
X86_CONTROL_REGISTER(cr3)
X86_CONTROL_REGISTER(cr4)
X86_CONTROL_REGISTER(dr0)
X86_CONTROL_REGISTER(dr1)
X86_CONTROL_REGISTER(dr2)
X86_CONTROL_REGISTER(dr3)
X86_CONTROL_REGISTER(dr6)

/* XCR0. CR4.OSXSAVE must be set. */
static inline uint64_t x86_xcr0_read(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static inline void x86_xcr0_write(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0) : "memory");
}

#endif
