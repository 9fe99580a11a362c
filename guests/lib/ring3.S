/*
 * ring3.S: uint64_t user_run(uint64_t (*function)(void)): a function in ring 3, on a stack of its own.
 *
 * It goes down by IRETQ and comes back by INT 0x80, whose gate ring 3 may use. user_exit() (user.c)
 * then drops the trap frame: the kernel stack is as user_enter() left it.
 */
#include "layout.h"

	.text
	.code64
/* user_enter(function = RDI, user stack top = RSI, where to keep RSP = RDX) */
	.globl	user_enter
user_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdx)
	pushq	$SEL_USER_DATA
	pushq	%rsi
	pushq	$0x2		/* RFLAGS: interrupts off, IOPL 0 */
	pushq	$SEL_USER_CODE64
	leaq	user_call(%rip), %rax
	pushq	%rax
	iretq

/* In ring 3 */
user_call:
	callq	*%rdi
	int	$0x80
	ud2

/* user_leave(result = RDI, kept RSP = RSI): returns from user_enter() */
	.globl	user_leave
user_leave:
	movq	%rdi, %rax
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
