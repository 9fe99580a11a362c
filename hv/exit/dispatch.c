/*
 * dispatch.c: one VM exit, from reason to action.
 *
 * Called by metal at each exit and by replay for each recorded one. Checks bit 31 and bounds, lets the VM's extra
 * controllers have a look, calls the handler of exits.def's row, and finishes the instruction: RIP is advanced, STI
 * and MOV-SS blocking ended and the single-step trap raised here alone.
 */
#include "exit/exit.h"

static exit_handler *const handlers[] = {
#define EXIT(number, name, handler, lock) [number] = handler,
#include "exits.def"
#undef EXIT
};

#define HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

/* The instruction is done: RIP moves past it, and what lasts for one instruction ends. */
static void vmcs_forward_rip(struct vcpu *v)
{
	/* SDM, "Information for VM Exits Due to Instruction Execution": for an EPT violation the length is undefined. */
	uint64_t length = v->retire_len ? v->retire_len : vmcs_read(v, VMCS_EXIT_INSTRUCTION_LEN);
	uint64_t before = vmcs_read(v, VMCS_GUEST_RIP), rip = before + length;
	uint64_t blocking = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);

	/* Outside 64-bit mode EIP wraps at 4 GiB. Only a RIP that crosses it can tell. */
	if (__builtin_expect((before ^ rip) >> 32 != 0, 0) && !vcpu_is_64bit(v))
		rip = (uint32_t)rip;
	vmcs_write(v, VMCS_GUEST_RIP, rip);
	/* SDM, "Guest Non-Register State": both last until the instruction after STI, MOV SS or POP SS is done. */
	if (blocking & (BLOCKING_STI | BLOCKING_MOV_SS))
		vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, blocking & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS));
	if (__builtin_expect((vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_TF) != 0, 0))
		vcpu_pend_single_step(v);
}

/* Controllers of the VM's chain, then the row's handler. */
static enum exit_action handle(struct vcpu *v, struct vm *vm, struct world *w, uint32_t basic)
{
	for (unsigned i = 0; i < VM_MAX_CONTROLLERS && vm->chain[i] != CONTROLLER_NONE; i++) {
		int action;

		if (vm->chain[i] >= exit_controller_count)
			break;
		action = exit_controllers[vm->chain[i]](v, vm, w);
		if (action != CONTROLLER_PASS)
			return (enum exit_action)action;
	}
	return handlers[basic](v, vm, w);
}

enum exit_action exit_dispatch(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t reason = vmcs_read(v, VMCS_EXIT_REASON);
	uint32_t basic = reason & EXIT_REASON_BASIC;
	uint64_t state = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);
	enum exit_action action;

	if (__builtin_expect((reason & EXIT_REASON_ENTRY_FAILURE) != 0, 0))
		return exit_entry_failure(v, vm, w);
	if (__builtin_expect(basic >= HANDLERS, 0))
		return exit_impossible(v, vm, w);
	/* There is no SMM here, but Bochs' APs report blocking by SMI, with which no entry would succeed. */
	if (__builtin_expect((state & BLOCKING_SMI) != 0, 0))
		vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, state & ~(uint64_t)BLOCKING_SMI);
	if (__builtin_expect((vmcs_read(v, VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID) != 0, 0))
		vcpu_requeue_event(v);
	action = handle(v, vm, w, basic);
	if (action == ACTION_RETIRE)
		vmcs_forward_rip(v);
	return action;
}
