/*
 * entry.S: into the guest and back.
 *
 * vmx_enter is called by backend.c's inline assembly, which says what it takes and leaves. It loads the
 * general registers in enum gpr's order from RDI and executes VMRESUME, or VMLAUNCH if SIL is 0, with the
 * VMCS current. EAX is 0 after a VM exit, 1 on VMfailInvalid, 2 on VMfailValid; of the other registers only
 * RSP comes back.
 *
 * At a VM exit the processor loads HOST_RIP = vmx_exited and HOST_RSP = the end of 16 register slots, so that
 * sixteen pushes save the guest's registers in order; CR2, which no exit saves, goes to the slot behind them.
 * The host's own stack pointer waits at %gs:0, a block of this processor (host.h).
 */
	.text
	.globl	vmx_enter, vmx_exited
vmx_enter:
	movq	%rsp, %gs:0
	testb	%sil, %sil		/* the moves leave ZF alone */
	movq	0x00(%rdi), %rax
	movq	0x08(%rdi), %rcx
	movq	0x10(%rdi), %rdx
	movq	0x18(%rdi), %rbx
	movq	0x28(%rdi), %rbp
	movq	0x30(%rdi), %rsi
	movq	0x40(%rdi), %r8
	movq	0x48(%rdi), %r9
	movq	0x50(%rdi), %r10
	movq	0x58(%rdi), %r11
	movq	0x60(%rdi), %r12
	movq	0x68(%rdi), %r13
	movq	0x70(%rdi), %r14
	movq	0x78(%rdi), %r15
	movq	0x38(%rdi), %rdi
	jz	1f
	vmresume
	jmp	2f
1:	vmlaunch

	/* Still here: VMfail. RSP is the host's; CF or ZF says which. */
2:	movl	$1, %eax
	jc	3f
	movl	$2, %eax
3:	ret

vmx_exited:
	pushq	%r15
	pushq	%r14
	pushq	%r13
	pushq	%r12
	pushq	%r11
	pushq	%r10
	pushq	%r9
	pushq	%r8
	pushq	%rdi
	pushq	%rsi
	pushq	%rbp
	pushq	$0			/* GPR_RSP: a VMCS field, its slot stays 0 */
	pushq	%rbx
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	movq	%cr2, %rax
	movq	%rax, 0x80(%rsp)
	movq	%gs:0, %rsp
	xorl	%eax, %eax
	ret

	.section .note.GNU-stack, "", @progbits
