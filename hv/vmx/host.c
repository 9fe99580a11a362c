/*
 * host.c: the block at %gs:0, and what little is done about the host's own interrupts.
 *
 * entry.S keeps the host's stack pointer in the block's first word while a guest runs. One processor, one
 * block.
 */
#include "boot/tables.h"
#include "boot/x86.h"
#include "vmx/host.h"

#define MSR_APIC_BASE		0x1b
#define MSR_X2APIC_EOI		0x80b
#define APIC_BASE_X2APIC	(1u << 10)
#define APIC_BASE_ENABLED	(1u << 11)
#define APIC_BASE_ADDRESS	0xfffff000u	/* what lies above 4 GiB we couldn't reach, and it never does */
#define APIC_EOI		0xb0

static struct {
	uint64_t rsp;		/* %gs:0, entry.S */
} host;

void host_init(void)
{
	x86_wrmsr(X86_MSR_GS_BASE, host_gs_base());
}

uint64_t host_gs_base(void)
{
	return (uint64_t)&host;
}

void host_end_interrupt(void)
{
	uint64_t base = x86_rdmsr(MSR_APIC_BASE);

	if (!(base & APIC_BASE_ENABLED))
		return;
	if (base & APIC_BASE_X2APIC)
		x86_wrmsr(MSR_X2APIC_EOI, 0);
	else
		*(volatile uint32_t *)((base & APIC_BASE_ADDRESS) + APIC_EOI) = 0;
}

void host_unblock_nmi(void)
{
	__asm__ volatile("movq %%rsp, %%rax\n\t"
			 "pushq %0\n\t"
			 "pushq %%rax\n\t"
			 "pushfq\n\t"
			 "pushq %1\n\t"
			 "pushq $1f\n\t"
			 "iretq\n"
			 "1:"
			 : : "i"(TABLES_DS), "i"(TABLES_CS) : "rax", "memory");
}
