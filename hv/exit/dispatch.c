/*
 * dispatch.c: one VM exit, from reason to action.
 *
 * Called by metal at each exit and by replay for each recorded one. Checks bit 31 and bounds, lets the VM's
 * extra controllers have a look, calls the handler of exits.def's row, and finishes the instruction: RIP is
 * advanced, STI and MOV-SS blocking ended and the single-step trap raised here alone. The path of the
 * common exit is kept short.
 */
#include "exit/exit.h"

static exit_handler *const handlers[] = {
#define EXIT(number, name, handler, lock) [number] = handler,
#include "exits.def"
#undef EXIT
};

#define HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

/* ---- The instruction is done: RIP moves past it, and what lasts for one instruction ends ---- */

/* SDM, "Guest Non-Register State": both last until the instruction after STI, MOV SS or POP SS is done. */
static __attribute__((noinline)) void end_blocking(struct vcpu *v, uint64_t state)
{
	vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, state & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS));
}

static inline void vmcs_forward_rip(struct vcpu *v)
{
	/* SDM, "Information for VM Exits Due to Instruction Execution": for an EPT violation the length is undefined. */
	uint64_t length = v->retire_len ? v->retire_len : vmcs_read(v, VMCS_EXIT_INSTRUCTION_LEN);
	uint64_t before = vmcs_read(v, VMCS_GUEST_RIP), rip = before + length;
	uint64_t state;

	/* Outside 64-bit mode EIP wraps at 4 GiB. Only a RIP that crosses it can tell. */
	if (__builtin_expect((before ^ rip) >> 32 != 0, 0) && !vcpu_is_64bit(v))
		rip = (uint32_t)rip;
	vmcs_write(v, VMCS_GUEST_RIP, rip);
	state = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);
	if (__builtin_expect((state & (BLOCKING_STI | BLOCKING_MOV_SS)) != 0, 0))
		end_blocking(v, state);
	if (__builtin_expect((vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_TF) != 0, 0))
		vcpu_pend_single_step(v);
}

/* ---- The handler ---- */

/* The VM's extra controllers: an action, or CONTROLLER_PASS from all. */
static int ask_chain(struct vcpu *v, struct vm *vm, struct world *w)
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

/* Every exit can come here; most don't need to. */
static __attribute__((noinline))
enum exit_action handle_unusual(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t reason = vmcs_read(v, VMCS_EXIT_REASON), state = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);
	int action;

	if (reason & EXIT_REASON_ENTRY_FAILURE)
		return exit_entry_failure(v, vm, w);
	/* Reasons that we don't know, and bits that say where the exit came from, which can't be here. */
	if (reason >= HANDLERS)
		return exit_impossible(v, vm, w);
	/* There is no SMM here, but Bochs' APs report blocking by SMI, with which no entry would succeed. */
	if (state & BLOCKING_SMI)
		vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, state & ~(uint64_t)BLOCKING_SMI);
	if (vmcs_read(v, VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID)
		vcpu_requeue_event(v);
	action = ask_chain(v, vm, w);
	return action == CONTROLLER_PASS ? handlers[reason](v, vm, w) : (enum exit_action)action;
}

/*
 * The short way: nothing was being delivered, nobody is asked first, the reason has a row. All conditions are tested on
 * what is loaded, without a call, so that the way to the handler is a straight line; anything else is unusual.
 */
static inline bool is_usual(const struct vcpu *v, const struct vm *vm)
{
	return slot_test(v->loaded, VMCS_EXIT_REASON) && slot_test(v->loaded, VMCS_GUEST_INTERRUPTIBILITY) &&
	       slot_test(v->loaded, VMCS_IDT_VECTORING_INFO) && v->vmcs[VMCS_EXIT_REASON] < HANDLERS &&
	       !(v->vmcs[VMCS_GUEST_INTERRUPTIBILITY] & BLOCKING_SMI) &&
	       !(v->vmcs[VMCS_IDT_VECTORING_INFO] & INTR_INFO_VALID) && vm->chain[0] == CONTROLLER_NONE;
}

enum exit_action exit_dispatch(struct vcpu *v, struct vm *vm, struct world *w)
{
	enum exit_action action;

	if (__builtin_expect(is_usual(v, vm), 1))
		action = handlers[v->vmcs[VMCS_EXIT_REASON]](v, vm, w);
	else
		action = handle_unusual(v, vm, w);
	if (action == ACTION_RETIRE)
		vmcs_forward_rip(v);
	return action;
}
