/*
 * task.S: a hardware task switch. Only legacy protected mode has it: out of long mode by way of a 32-bit code
 * segment (SDM, "Switching Out of IA-32e Mode Operation"), then a far jump to a TSS. Under VMX this exits.
 */
#include "platform.h"
#include "layout.h"

#define SEL_TSS_OLD   0x20
#define SEL_TSS_NEW   0x28
#define CR0_PG        0x80000000
#define MSR_EFER      0xc0000080
#define EFER_LME      0x100
#define TSS_BYTES     104

	.text
	.code64
	.globl	crash_task_switch
crash_task_switch:
	cli
	pushq	$SEL_CODE32
	pushq	$leave_long_mode
	lretq

	.code32
leave_long_mode:
	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	movl	$MSR_EFER, %ecx
	rdmsr
	andl	$~EFER_LME, %eax
	wrmsr

	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	/* The TSS descriptors' base goes in three pieces, which the linker can't split. */
	movl	$tss_old, %eax
	movl	$task_gdt + SEL_TSS_OLD, %ebx
	call	set_base
	movl	$tss_new, %eax
	movl	$task_gdt + SEL_TSS_NEW, %ebx
	call	set_base
	lgdt	task_gdtr
	movl	$SEL_TSS_OLD, %eax
	ltr	%ax
	ljmp	$SEL_TSS_NEW, $0
	ud2

set_base:
	movw	%ax, 2(%ebx)
	shrl	$16, %eax
	movb	%al, 4(%ebx)
	movb	%ah, 7(%ebx)
	ret

new_task:
	xorl	%eax, %eax
	movl	$PORT_DEBUG_EXIT, %edx
	outb	%al, %dx
1:	hlt
	jmp	1b

	.data
	.balign	8
task_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_CODE64 */
	.quad	0x00cf93000000ffff	/* SEL_DATA */
	.quad	0x00cf9b000000ffff	/* SEL_CODE32 */
	.quad	0x0000890000000000 + TSS_BYTES - 1
	.quad	0x0000890000000000 + TSS_BYTES - 1
task_gdt_end:
task_gdtr:
	.word	task_gdt_end - task_gdt - 1
	.long	task_gdt

	.balign	16
tss_old:
	.skip	TSS_BYTES
	.balign	16
tss_new:
	.skip	8 * 4			/* link, stacks, CR3 */
	.long	new_task, 0x2		/* EIP, EFLAGS */
	.skip	4 * 4			/* EAX, ECX, EDX, EBX */
	.long	cpu_areas + CPU_AREA_SIZE, 0, 0, 0
	.long	SEL_DATA, SEL_CODE32, SEL_DATA, SEL_DATA, SEL_DATA, SEL_DATA
	.long	0, TSS_BYTES << 16	/* LDT, trap flag, I/O map beyond the limit */

	.section .note.GNU-stack, "", @progbits
