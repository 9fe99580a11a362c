/*
 * head.S: from GRUB's 32-bit protected mode to boot_main() in long mode.
 *
 * Entered by the loader with EAX = the multiboot2 magic and EBX = the information structure (Multiboot2
 * specification, "I386 machine state"). It must touch nothing before the stack is set, and it trusts nothing
 * that the loader left but CS, DS and SS being flat.
 */
#define MB2_MAGIC	0xe85250d6
#define MB2_ARCH_I386	0

#define CR0_PE_MP_NE_WP_PG	0x80010023	/* NE: x87 errors by #MF, and VMX needs it */
#define CR4_PAE_OSFXSR_OSXMM	0x620		/* zstd uses SSE2 */
#define MSR_EFER		0xc0000080
#define EFER_LME_NXE		0x900
#define PTE_P_W			0x3
#define PTE_P_W_PS		0x83
#define COM3			0x3e8

	.section .multiboot2, "a"
	.balign 8
header:
	.long	MB2_MAGIC
	.long	MB2_ARCH_I386
	.long	header_end - header
	.long	-(MB2_MAGIC + MB2_ARCH_I386 + (header_end - header))
	.short	0, 0			/* end tag */
	.long	8
header_end:

	.section .text.head, "ax"
	.code32
	.globl	head_entry
head_entry:
	cli
	cld
	movl	$boot_stack_top, %esp
	movl	%eax, %edi		/* boot_main's two arguments, in place for the 64-bit call */
	movl	%ebx, %esi

	movl	$0x80000000, %eax	/* CPUID.80000001H:EDX bit 29 = Intel 64, bit 20 = execute-disable */
	cpuid
	cmpl	$0x80000001, %eax
	jb	no_long_mode
	movl	$0x80000001, %eax
	cpuid
	andl	$(1 << 29 | 1 << 20), %edx
	cmpl	$(1 << 29 | 1 << 20), %edx
	jne	no_long_mode

	/* Identity map of the first 4 GiB with 2 MiB pages; paging.c refines it. .bss is zero already. */
	movl	$boot_pdpt + PTE_P_W, boot_pml4
	movl	$boot_pd + PTE_P_W, %eax
	movl	$boot_pdpt, %ebx
	movl	$4, %ecx
1:	movl	%eax, (%ebx)
	addl	$4096, %eax
	addl	$8, %ebx
	loop	1b
	movl	$PTE_P_W_PS, %eax
	movl	$boot_pd, %ebx
	movl	$2048, %ecx
2:	movl	%eax, (%ebx)
	addl	$0x200000, %eax
	addl	$8, %ebx
	loop	2b

	/* SDM "Initializing IA-32e Mode": PAE, CR3, EFER.LME, then CR0.PG. */
	movl	$CR4_PAE_OSFXSR_OSXMM, %eax
	movl	%eax, %cr4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME_NXE, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_PE_MP_NE_WP_PG, %eax
	movl	%eax, %cr0
	lgdt	early_gdtr
	ljmpl	$8, $long_mode

/* No C yet, so a word on the log port by hand; the UART keeps GRUB's or the reset's divisor if it has one. */
no_long_mode:
	movl	$no_long_mode_text, %esi
	movw	$COM3 + 3, %dx		/* LCR: divisor latch, then 115200 8N1, as serial.c sets it */
	movb	$0x80, %al
	outb	%al, %dx
	movw	$COM3, %dx
	movb	$1, %al
	outb	%al, %dx
	incw	%dx
	xorb	%al, %al
	outb	%al, %dx
	movw	$COM3 + 3, %dx
	movb	$3, %al
	outb	%al, %dx
3:	lodsb
	testb	%al, %al
	jz	5f
	movb	%al, %ah
	movw	$COM3 + 5, %dx
4:	inb	%dx, %al
	testb	$0x20, %al
	jz	4b
	movb	%ah, %al
	movw	$COM3, %dx
	outb	%al, %dx
	jmp	3b
5:	movw	$COM3 + 5, %dx		/* LSR.TEMT: all of it is out */
	inb	%dx, %al
	testb	$0x40, %al
	jz	5b
	xorb	%al, %al		/* QEMU's isa-debug-exit; a machine without it stays halted */
	outb	%al, $0xf4
6:	hlt
	jmp	6b

	.code64
long_mode:
	xorl	%eax, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$boot_stack_top, %esp
	xorl	%ebp, %ebp
	movl	%edi, %edi		/* both are 32-bit values: clear the undefined upper halves */
	movl	%esi, %esi
	call	boot_main
7:	hlt
	jmp	7b

	.section .rodata
	.balign 8
early_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code */
early_gdtr:
	.short	. - early_gdt - 1
	.long	early_gdt
no_long_mode_text:
	.ascii	"vexit: error: this processor has no Intel 64 with execute-disable\n"
	.asciz	"vexit: verdict host-error 0\n"

	.section .bss
	.balign 4096
	.globl	boot_pml4, boot_pdpt, boot_pd
boot_pml4:	.skip 4096
boot_pdpt:	.skip 4096
boot_pd:	.skip 4 * 4096
	.globl	boot_stack_guard, boot_stack_top
boot_stack_guard: .skip 4096		/* paging.c takes this page away: an overflow is a double fault, not rot */
	.skip	64 * 1024
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
