/*
 * bzimage.S: a Linux kernel as far as a boot loader can tell (Documentation/x86/boot.rst): a bzImage whose 64-bit entry
 * looks at what it was given, prints its command line and its initrd, and gives a verdict: 0, or the number of the check
 * that failed. load.sh makes it with as and objcopy.
 */
#define HEADER(offset) .org offset
#define CHECK(number, condition) movb $number, %bl; j##condition 2f; jmp end; 2:

	.text
	.code64
start:
	HEADER(0x1f1)
	.byte	1				/* setup_sects */
	HEADER(0x1f4)
	.long	(kernel_end - kernel) / 16	/* syssize */
	HEADER(0x1fe)
	.word	0xaa55
	.byte	0xeb, header_end - start - 0x202	/* jump */
	.ascii	"HdrS"
	.word	0x20f				/* version */
	HEADER(0x211)
	.byte	1				/* loadflags: LOADED_HIGH */
	HEADER(0x22c)
	.long	0x7fffffff			/* initrd_addr_max */
	.long	0x200000			/* kernel_alignment */
	.byte	1, 21				/* relocatable_kernel, min_alignment */
	.word	3				/* xloadflags: a 64-bit entry point; initrd anywhere */
	.long	255				/* cmdline_size */
	HEADER(0x248)
	.long	0x220, 16			/* payload */
	HEADER(0x258)
	.quad	0x1000000			/* pref_address */
	.long	0x100000			/* init_size */
	HEADER(0x26c)
header_end:

	.org	0x400
kernel:	hlt					/* the 32-bit entry, which nobody takes */
	.org	0x600
	leaq	kernel + 0x80000(%rip), %rsp
	pushfq
	popq	%rax
	testl	$0x200, %eax			/* interrupts are off */
	CHECK(1, z)
	movl	%cs, %eax
	cmpl	$0x10, %eax
	CHECK(2, e)
	movl	%ds, %eax
	cmpl	$0x18, %eax
	CHECK(3, e)
	movl	%ss, %eax
	cmpl	$0x18, %eax
	CHECK(4, e)
	cmpl	$0x53726448, 0x202(%rsi)	/* RSI: the zero page, with our header in it */
	CHECK(5, e)
	cmpb	$3, 0x1e8(%rsi)			/* e820 entries; the last ends where --mem does: 64 MiB */
	CHECK(6, e)
	movq	0x2d0 + 40(%rsi), %rax
	addq	0x2d0 + 48(%rsi), %rax
	cmpq	$64 << 20, %rax
	CHECK(7, e)
	movq	0x70(%rsi), %rax		/* acpi_rsdp_addr */
	movabsq	$0x2052545020445352, %rcx	/* "RSD PTR " */
	cmpq	%rcx, (%rax)
	CHECK(8, e)
	/* A far jump through the GDT: descriptors are where the registers say. */
	pushq	$0x10
	leaq	1f(%rip), %rax
	pushq	%rax
	lretq
1:	movl	$0x18, %eax
	movl	%eax, %ss

	movw	$0x3f8, %dx
	movl	0x228(%rsi), %eax		/* cmd_line_ptr */
1:	movb	(%rax), %bl
	incq	%rax
	testb	%bl, %bl
	jz	3f
	xchgb	%al, %bl
	outb	%al, %dx
	xchgb	%al, %bl
	jmp	1b
3:	movb	$'\n', %al
	outb	%al, %dx
	movl	0x21c(%rsi), %ecx		/* ramdisk_size, ramdisk_image */
	movl	0x218(%rsi), %esi
	rep	outsb
	xorl	%ebx, %ebx
end:	movb	%bl, %al
	outb	%al, $0xf4
	hlt
	.balign	16
	.ascii	"the payload      "
	.balign	16
	.org	0x1000
kernel_end:
