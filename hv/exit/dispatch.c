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

/* Seldom more than RIP: `crossed`, it went beyond 4 GiB, or below. */
static __attribute__((noinline)) enum exit_action finish_unusual(struct vcpu *v, bool crossed)
{
	uint64_t state = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);

	/* Outside 64-bit mode EIP wraps. */
	if (crossed && !vcpu_is_64bit(v))
		vmcs_write(v, VMCS_GUEST_RIP, (uint32_t)vmcs_read(v, VMCS_GUEST_RIP));
	/*
	 * SDM, "Guest Non-Register State": both last until the instruction after STI, MOV SS or POP SS is
	 * done.
	 */
	if (state & (BLOCKING_STI | BLOCKING_MOV_SS))
		vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, state & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS));
	if (vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_TF)
		vcpu_pend_single_step(v);
	return ACTION_RETIRE;
}

/* What it reads is loaded: exit_dispatch() has seen to it. */
static inline enum exit_action vmcs_forward_rip(struct vcpu *v)
{
	/*
	 * SDM, "Information for VM Exits Due to Instruction Execution": for an EPT violation the length is
	 * undefined.
	 */
	uint64_t length = __builtin_expect(v->retire_len, 0) ? v->retire_len : v->vmcs[VMCS_EXIT_INSTRUCTION_LEN];
	uint64_t before = v->vmcs[VMCS_GUEST_RIP], rip = before + length, crossed = (before ^ rip) >> 32;

	vmcs_write_loaded(v, VMCS_GUEST_RIP, rip);
	if (__builtin_expect(crossed | (v->vmcs[VMCS_GUEST_INTERRUPTIBILITY] & (BLOCKING_STI | BLOCKING_MOV_SS)) |
			     (v->vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_TF), 0))
		return finish_unusual(v, crossed);
	return ACTION_RETIRE;
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

static enum exit_action handle_unusual(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t reason = vmcs_read(v, VMCS_EXIT_REASON), state = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);
	int action;

	vmcs_read(v, VMCS_GUEST_RIP), vmcs_read(v, VMCS_GUEST_RFLAGS), vmcs_read(v, VMCS_EXIT_INSTRUCTION_LEN);
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
 * The short way: nothing was being delivered, nobody is asked first, the reason has a row. All conditions are
 * tested on what is loaded, without a call, so that the way to the handler is a straight line; anything else
 * is unusual. If the exit reason is loaded, so is all else that every exit needs: they are read together.
 */
static inline bool is_usual(const struct vcpu *v, const struct vm *vm)
{
	return slot_test(v->loaded, VMCS_EXIT_REASON) && v->vmcs[VMCS_EXIT_REASON] < HANDLERS &&
	       !(v->vmcs[VMCS_GUEST_INTERRUPTIBILITY] & BLOCKING_SMI) &&
	       !(v->vmcs[VMCS_IDT_VECTORING_INFO] & INTR_INFO_VALID) && vm->chain[0] == CONTROLLER_NONE;
}

/* Every exit can come here; most don't need to. */
static __attribute__((noinline))
enum exit_action dispatch_unusual(struct vcpu *v, struct vm *vm, struct world *w)
{
	enum exit_action action = handle_unusual(v, vm, w);

	return action == ACTION_RETIRE ? vmcs_forward_rip(v) : action;
}

enum exit_action exit_dispatch(struct vcpu *v, struct vm *vm, struct world *w)
{
	enum exit_action action;

	if (__builtin_expect(!is_usual(v, vm), 0))
		return dispatch_unusual(v, vm, w);
	action = handlers[v->vmcs[VMCS_EXIT_REASON]](v, vm, w);
	if (__builtin_expect(action != ACTION_RETIRE, 0))
		return action;
	return vmcs_forward_rip(v);
}
