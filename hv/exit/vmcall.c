/*
 * vmcall.c: hypercalls; platform.h has the numbers and the convention.
 *
 * VMCALL exits at any CPL. A bad call gives the guest an error code, never a fault.
 */
#include "exit/exit.h"
#include "insn/linear.h"
#include "platform.h"

/* All of the string is read before the first byte is printed: a bad pointer prints nothing. */
static int64_t hypercall_print(struct vcpu *v, struct vm *vm, struct world *w, uint64_t linear, uint64_t len)
{
	struct access a = { .v = v, .vm = vm, .w = w };
	uint8_t text[HYPERCALL_PRINT_MAX];

	if (len > HYPERCALL_PRINT_MAX)
		return HYPERCALL_EINVAL;
	if (len == 0)
		return 0;
	if (!linear_read_ram(&a, linear, text, (uint32_t)len, ACCESS_READ | ACCESS_IMPLICIT))
		return HYPERCALL_EFAULT;
	w->ops->console_out(w, text, (uint32_t)len);
	return (int64_t)len;
}

static int64_t hypercall(struct vcpu *v, struct vm *vm, struct world *w, uint64_t number)
{
	if (vcpu_cpl(v) != 0)
		return HYPERCALL_EPERM;
	switch (number) {
	case HYPERCALL_NOP:
		return 0;
	case HYPERCALL_PRINT:
		return hypercall_print(v, vm, w, vcpu_reg_operand(v, GPR_RBX), vcpu_reg_operand(v, GPR_RCX));
	default:
		return HYPERCALL_ENOSYS;
	}
}

enum exit_action exit_vmcall(struct vcpu *v, struct vm *vm, struct world *w)
{
	int64_t result = hypercall(v, vm, w, vcpu_reg_operand(v, GPR_RAX));

	/* Outside 64-bit mode a write to EAX clears the upper half, which the guest can't see. */
	gpr_write(v, GPR_RAX, vcpu_is_64bit(v) ? (uint64_t)result : (uint32_t)result);
	return ACTION_RETIRE;
}
