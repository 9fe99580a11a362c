/*
 * host.c: the block at %gs:0, and what little is done about the host's own interrupts.
 *
 * entry.S keeps the host's stack pointer in the block's first word while a guest runs. One processor, one
 * block.
 */
#include "boot/tables.h"
#include "boot/x86.h"
#include "trace/encode.h"
#include "vmx/host.h"
#include "vmx/vmx.h"

#define MSR_APIC_BASE		0x1b
#define MSR_X2APIC_EOI		0x80b
#define APIC_BASE_X2APIC	(1u << 10)
#define APIC_BASE_ENABLED	(1u << 11)
#define APIC_BASE_ADDRESS	0xfffff000u	/* what lies above 4 GiB we couldn't reach, and it never does */
#define APIC_EOI		0xb0

static struct host_block {
	uint64_t rsp;		/* %gs:0, entry.S */
	struct item *items;
	uint64_t rax;		/* entry.S needs one register for itself */
	struct vmx *vmx;
} host;
_Static_assert(offsetof(struct host_block, items) == 8 && offsetof(struct host_block, rax) == 16, "entry.S");
_Static_assert(ITEM_GPR == 0xe0 && sizeof(struct item) == 16 && offsetof(struct item, delta) == 8, "entry.S");

void host_init(struct vmx *x)
{
	host.items = x->tracer.encoder.items;
	host.vmx = x;
	x86_wrmsr(X86_MSR_GS_BASE, host_gs_base());
}

struct vmx *host_vmx(void)
{
	return host.vmx;
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
