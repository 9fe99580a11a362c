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

/* SDM, "Guest Non-Register State": both last until the instruction after STI, MOV SS or POP SS is done. */
static void end_blocking(struct vcpu *v)
{
	uint64_t state = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);

	vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, state & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS));
}

/* The instruction is done: RIP moves past it, and what lasts for one instruction ends. */
static inline void vmcs_forward_rip(struct vcpu *v, uint64_t blocking)
{
	/* SDM, "Information for VM Exits Due to Instruction Execution": for an EPT violation the length is undefined. */
	uint64_t length = v->retire_len ? v->retire_len : vmcs_read(v, VMCS_EXIT_INSTRUCTION_LEN);
	uint64_t before = vmcs_read(v, VMCS_GUEST_RIP), rip = before + length;

	/* Outside 64-bit mode EIP wraps at 4 GiB. Only a RIP that crosses it can tell. */
	if (__builtin_expect((before ^ rip) >> 32 != 0, 0) && !vcpu_is_64bit(v))
		rip = (uint32_t)rip;
	vmcs_write(v, VMCS_GUEST_RIP, rip);
	if (__builtin_expect((blocking & (BLOCKING_STI | BLOCKING_MOV_SS)) != 0, 0))
		end_blocking(v);
	if (__builtin_expect((vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_TF) != 0, 0))
		vcpu_pend_single_step(v);
}

/* The VM's extra controllers: an action, or CONTROLLER_PASS from all. */
static __attribute__((noinline)) int ask_chain(struct vcpu *v, struct vm *vm, struct world *w)
{
	for (unsigned i = 0; i < VM_MAX_CONTROLLERS && vm->chain[i] != CONTROLLER_NONE; i++) {
		int action;

		if (vm->chain[i] >= exit_controller_count)
			break;
		action = exit_controllers[vm->chain[i]](v, vm, w);
		if (action != CONTROLLER_PASS)
			return action;
	}
	return CONTROLLER_PASS;
}

static inline enum exit_action handle(struct vcpu *v, struct vm *vm, struct world *w, uint64_t reason)
{
	if (__builtin_expect(vm->chain[0] != CONTROLLER_NONE, 0)) {
		int action = ask_chain(v, vm, w);

		if (action != CONTROLLER_PASS)
			return (enum exit_action)action;
	}
	return handlers[reason](v, vm, w);
}

enum exit_action exit_dispatch(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t reason = vmcs_read(v, VMCS_EXIT_REASON), state;
	enum exit_action action;

	/* Bit 31 makes the number large, too; so do bits that say where the exit came from, which can't be here. */
	if (__builtin_expect(reason >= HANDLERS, 0)) {
		if (reason & EXIT_REASON_ENTRY_FAILURE)
			return exit_entry_failure(v, vm, w);
		return exit_impossible(v, vm, w);
	}
	/* There is no SMM here, but Bochs' APs report blocking by SMI, with which no entry would succeed. */
	state = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);
	if (__builtin_expect((state & BLOCKING_SMI) != 0, 0))
		vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, state & ~(uint64_t)BLOCKING_SMI);
	if (__builtin_expect((vmcs_read(v, VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID) != 0, 0))
		vcpu_requeue_event(v);
	action = handle(v, vm, w, reason);
	if (action == ACTION_RETIRE)
		vmcs_forward_rip(v, state);
	return action;
}
