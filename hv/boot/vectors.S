/*
 * vectors.S: the 256 entry points of the host's IDT.
 *
 * None returns: the hypervisor runs with interrupts off, so whatever comes is a fault, an NMI or a machine
 * check, and panic_fault() reports it. Sixteen bytes a stub, so that tables.c finds them by arithmetic.
 */
	.text
	.balign 16
	.globl	vectors_stub
vectors_stub:
	.set	vector, 0
	.rept	256
	.balign 16
	/* SDM "Error Code": these push one themselves; the others get a zero, for one layout. */
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq	$0
	.endif
	pushq	$vector
	jmp	vectors_common
	.set	vector, vector + 1
	.endr

vectors_common:
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	panic_fault
	ud2

	.section .note.GNU-stack, "", @progbits
