/*
 * stop.c: the exits that end the VM, and those of instructions that the guest was told it doesn't have.
 *
 * The report that names the exit is metal's and replay's, from vm->stop and the vCPU.
 */
#include "exit/exit.h"
#include "dev/vm_state.h"

enum exit_action exit_stop(struct vm *vm, enum stop_kind kind, uint64_t value)
{
	vm_end(vm, kind, value);
	return ACTION_STOP;
}

/* The guest needs something that has no handler yet. */
enum exit_action exit_unhandled(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)w;
	return exit_stop(vm, STOP_UNHANDLED, vmcs_read(v, VMCS_EXIT_REASON));
}

/*
 * The control or feature that causes this exit is off, or there is no such reason: a set-up bug, or a new
 * processor.
 */
enum exit_action exit_impossible(struct vcpu *v, struct vm *vm, struct world *w)
{
	return exit_unhandled(v, vm, w);
}

/* SDM, "VM-Entry Failures During or After Loading Guest State": nothing of the guest ran. */
enum exit_action exit_entry_failure(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)w;
	return exit_stop(vm, STOP_ENTRY_FAILURE, vmcs_read(v, VMCS_EXIT_QUALIFICATION));
}

/* On a PC a shutdown resets the machine; here it is a verdict. */
enum exit_action exit_triple_fault(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)v, (void)w;
	return exit_stop(vm, STOP_TRIPLE_FAULT, 0);
}

/* CPUID says that there is no such instruction. */
enum exit_action exit_undefined(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)w;
	return vcpu_inject(v, vm, VECTOR_UD, 0);
}
