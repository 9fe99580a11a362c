/*
 * tables.c: the host's own GDT, TSS with IST stacks, and IDT (SDM "Protected-Mode Memory Management", "Task
 * Management", "Interrupt and Exception Handling").
 *
 * Called once by boot_main(); vmx/ asks for the addresses, since a VM exit reloads all of this from the VMCS.
 */
#include "boot/tables.h"
#include "boot/x86.h"

#define GDT_CODE64		0x00af9b000000ffffull
#define GDT_DATA		0x00cf93000000ffffull
#define TSS_TYPE_PRESENT	0x89ull			/* 64-bit TSS, available */
#define IDT_INTERRUPT_GATE	0x8e00ull		/* present, DPL 0 */

#define VECTOR_NMI		2
#define VECTOR_DF		8
#define VECTOR_MC		18
#define IST_STACK_BYTES		8192

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM: 64-bit TSS format");

struct gate {
	uint64_t low, high;
};

extern const uint8_t vectors_stub[256][16];	/* vectors.S */

static uint64_t gdt[5] __attribute__((aligned(16)));
static struct tss tss __attribute__((aligned(16)));
static struct gate idt[256] __attribute__((aligned(16)));
static uint64_t fs_block[8] = { [5] = 0x7665786974c0de00 };	/* index 5 is %fs:0x28 */

/* A stack of its own for what may strike while the stack is bad: overflow (#DF), NMI, machine check. */
static uint8_t ist_stack[3][IST_STACK_BYTES] __attribute__((aligned(16)));

static void gdt_init(void)
{
	uint64_t base = (uint64_t)&tss, limit = sizeof(tss) - 1;

	gdt[TABLES_CS / 8] = GDT_CODE64;
	gdt[TABLES_DS / 8] = GDT_DATA;
	gdt[TABLES_TR / 8] = limit | (base & 0xffffff) << 16 | TSS_TYPE_PRESENT << 40 | (base >> 24 & 0xff) << 56;
	gdt[TABLES_TR / 8 + 1] = base >> 32;

	for (unsigned i = 0; i < 3; i++)
		tss.ist[i] = (uint64_t)ist_stack[i] + IST_STACK_BYTES;
	tss.io_map = sizeof(tss);
}

static void idt_set(unsigned vector, unsigned ist)
{
	uint64_t stub = (uint64_t)vectors_stub[vector];

	idt[vector].low = (stub & 0xffff) | (uint64_t)TABLES_CS << 16 | (uint64_t)ist << 32 |
			  IDT_INTERRUPT_GATE << 32 | (stub >> 16 & 0xffff) << 48;
	idt[vector].high = stub >> 32;
}

void tables_init(void)
{
	struct x86_table_register gdtr = { sizeof(gdt) - 1, (uint64_t)gdt };
	struct x86_table_register idtr = { sizeof(idt) - 1, (uint64_t)idt };

	gdt_init();
	for (unsigned v = 0; v < 256; v++)
		idt_set(v, v == VECTOR_DF ? 1 : v == VECTOR_NMI ? 2 : v == VECTOR_MC ? 3 : 0);

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%ss\n\t"
			 "movl %%eax, %%fs\n\t"
			 "movl %%eax, %%gs\n\t"
			 "ltr %w3\n\t"
			 "lidt %4"
			 : : "m"(gdtr), "i"(TABLES_CS), "i"(TABLES_DS), "r"(TABLES_TR), "m"(idtr) : "rax", "memory");
	x86_wrmsr(X86_MSR_FS_BASE, (uint64_t)fs_block);	/* after FS itself, which clears the base */
}

uint64_t tables_gdt_base(void)
{
	return (uint64_t)gdt;
}

uint64_t tables_idt_base(void)
{
	return (uint64_t)idt;
}

uint64_t tables_tss_base(void)
{
	return (uint64_t)&tss;
}

uint64_t tables_fs_base(void)
{
	return (uint64_t)fs_block;
}
