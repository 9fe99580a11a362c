/*
 * start.S: from the boot loader (multiboot 1: 32-bit, flat, no paging) to main() in long mode,
 * and the same way for application processors, which begin in real mode at TRAMPOLINE.
 *
 * Calls guest_start(magic, info) on the BSP and ap_start() on the others; neither returns.
 */
#include "layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x3         /* modules page-aligned, memory information wanted */

#define CR0_PE          0x1
#define CR0_CACHE_OFF   0x60000000  /* CD and NW: INIT leaves both set */
#define CR0_PG_WP       0x80010000
#define CR4_PAE         0x20
#define MSR_EFER        0xc0000080
#define EFER_LME        0x100

#define PTE_TABLE       0x7         /* present, writable, user: the last level decides */
#define PDE_RAM         0x83        /* present, writable, 2 MiB, supervisor */
#define PDE_DEVICE      0x9b        /* the same, uncacheable */
#define FIRST_DEVICE_PDE 1536       /* from 3 GiB on there is MMIO, no RAM */

	.section .multiboot, "a"
	.balign	4
	.long	MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	.text
	.code32
	.globl	start
start:
	cli
	cld
	movl	%eax, boot_magic
	movl	%ebx, boot_info
	movl	$cpu_areas + CPU_AREA_SIZE, %esp
	call	build_page_tables
	lgdt	boot_gdtr
	call	enter_long_mode
	ljmp	$SEL_CODE64, $start64

/* Identity map of the first 4 GiB by 2 MiB pages; the window above it gets tables, but no pages yet. */
build_page_tables:
	movl	$pdpt + PTE_TABLE, pml4
	movl	$pd + PTE_TABLE, pdpt
	movl	$pd + 0x1000 + PTE_TABLE, pdpt + 8
	movl	$pd + 0x2000 + PTE_TABLE, pdpt + 16
	movl	$pd + 0x3000 + PTE_TABLE, pdpt + 24
	movl	$window_pd + PTE_TABLE, pdpt + 32
	movl	$window_pt + PTE_TABLE, window_pd
	xorl	%ecx, %ecx
	movl	$PDE_RAM, %eax
1:	movl	%eax, pd(, %ecx, 8)
	addl	$0x200000, %eax
	incl	%ecx
	cmpl	$FIRST_DEVICE_PDE, %ecx
	jne	2f
	addl	$PDE_DEVICE - PDE_RAM, %eax
2:	cmpl	$2048, %ecx
	jne	1b
	ret

/* SDM, "Initializing IA-32e Mode": PAE, CR3, EFER.LME, then paging. The caller's far jump makes it 64-bit. */
enter_long_mode:
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	andl	$~CR0_CACHE_OFF, %eax
	orl	$CR0_PG_WP, %eax
	movl	%eax, %cr0
	ret

	.globl	ap_start32
ap_start32:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	/* The initial APIC id is the vCPU's index and picks its stack: APs may come up at the same moment. */
	movl	$1, %eax
	cpuid
	shrl	$24, %ebx
	incl	%ebx
	imull	$CPU_AREA_SIZE, %ebx
	leal	cpu_areas(%ebx), %esp
	call	enter_long_mode
	ljmp	$SEL_CODE64, $ap_start64

	.code64
start64:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$cpu_areas + CPU_AREA_SIZE, %esp
	movl	boot_magic, %edi
	movl	boot_info, %esi
	call	guest_start
1:	hlt
	jmp	1b

ap_start64:
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	call	ap_start
1:	hlt
	jmp	1b

/* Copied to TRAMPOLINE by smp.c. After SIPI: real mode, CS base = TRAMPOLINE, IP = 0. */
	.code16
	.globl	trampoline, trampoline_end
trampoline:
	cli
	lgdtl	%cs:(trampoline_gdtr - trampoline)
	movl	%cr0, %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $ap_start32
trampoline_gdtr:
	.word	boot_gdt_end - boot_gdt - 1
	.long	boot_gdt
trampoline_end:

	.data
	.balign	8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_CODE64 */
	.quad	0x00cf93000000ffff	/* SEL_DATA */
	.quad	0x00cf9b000000ffff	/* SEL_CODE32 */
boot_gdt_end:
boot_gdtr:
	.word	boot_gdt_end - boot_gdt - 1
	.long	boot_gdt
boot_magic:
	.long	0
boot_info:
	.long	0

	.bss
	.balign	4096
	.globl	pml4, pdpt, pd, window_pt
pml4:	.skip	4096
pdpt:	.skip	4096
pd:	.skip	4 * 4096
window_pd:
	.skip	4096
window_pt:
	.skip	4096

	.section .note.GNU-stack, "", @progbits
