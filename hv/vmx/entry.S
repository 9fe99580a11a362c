/*
 * entry.S: into the guest and back.
 *
 * vmx_resume and vmx_launch are called by backend.h's inline assembly, which says what they take and leave. They
 * load the general registers in enum gpr's order from RDI and execute VMRESUME or VMLAUNCH, with the VMCS current.
 * After a VM exit RAX is the tracer's cursor (below); of the other registers only RSP comes back. VMfail is not
 * survived: it ends in backend_refused().
 *
 * A VM exit goes on at one of two places (HOST_RIP), with RSP in the vCPU's gpr[] (HOST_RSP): it is the one
 * register that isn't the guest's. The host's own stack pointer waits at %gs:0, a block of this processor
 * (host.h).
 */
#define GS_RSP		0
#define GS_ITEMS	8	/* struct host_block, checked in host.c */
#define GS_RAX		16
#define ITEM_GPR	0xe0	/* trace/step.h, checked in host.c */
#define ITEM_SIZE	16
#define CR2_SLOT	16

	.text
	.globl	vmx_resume, vmx_launch, vmx_exited_plain, vmx_exited_compared

	.macro	load_registers
	movq	%rsp, %gs:GS_RSP
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
	.endm

vmx_resume:
	load_registers
	vmresume
	jmp	refused

vmx_launch:
	load_registers
	vmlaunch

	/* Still here: VMfail. RSP is the host's; CF says that there is no current VMCS. */
refused:
	setc	%dil
	movzbl	%dil, %edi
	call	backend_refused

/*
 * Nobody compares: RSP is the end of the sixteen registers' slots, so that sixteen pushes save them in order;
 * CR2, which no exit saves, goes to the slot behind them.
 */
vmx_exited_plain:
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
	movq	%rax, 8 * CR2_SLOT(%rsp)
	movq	%gs:GS_RSP, %rsp
	ret

/*
 * The tracer wants what changed: RSP is gpr[], which holds the base. Most registers are what they were, so they
 * are compared where they are, and only others are written, with an item (trace/encode.h) each at the cursor
 * in RAX: its code, and the difference, which makes the base the new value, too.
 */
	.macro	compare reg, slot
	cmpq	\reg, 8 * \slot(%rsp)
	jne	.Lchanged\slot
.Lsame\slot:
	.pushsection .text.entry_changed, "ax"
.Lchanged\slot:
	movq	$ITEM_GPR + \slot, (%rax)
	subq	8 * \slot(%rsp), \reg
	movq	\reg, 8(%rax)
	addq	\reg, 8 * \slot(%rsp)
	addq	$ITEM_SIZE, %rax
	jmp	.Lsame\slot
	.popsection
	.endm

vmx_exited_compared:
	movq	%rax, %gs:GS_RAX
	movq	%gs:GS_ITEMS, %rax
	compare	%rcx, 1
	compare	%rdx, 2
	compare	%rbx, 3
	compare	%rbp, 5
	compare	%rsi, 6
	compare	%rdi, 7
	compare	%r8, 8
	compare	%r9, 9
	compare	%r10, 10
	compare	%r11, 11
	compare	%r12, 12
	compare	%r13, 13
	compare	%r14, 14
	compare	%r15, 15
	movq	%gs:GS_RAX, %rcx
	compare	%rcx, 0
	movq	%cr2, %rcx
	compare	%rcx, CR2_SLOT
	movq	%gs:GS_RSP, %rsp
	ret

	.section .note.GNU-stack, "", @progbits
