/*
 * interrupt.c: exits that are about time and interrupts, not about what the guest does.
 *
 * None retires an instruction but PAUSE. What they make possible is decided by the entry step that follows.
 */
#include "exit/exit.h"

/* The host's interrupt; metal's handler has run, or runs when interrupts are enabled. */
enum exit_action exit_external_interrupt(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)v, (void)vm, (void)w;
	return ACTION_RESUME;
}

static void close_window(struct vcpu *v, uint32_t window)
{
	vmcs_write(v, VMCS_PROC_CONTROLS, vmcs_read(v, VMCS_PROC_CONTROLS) & ~(uint64_t)window);
}

/* SDM, "Other Causes of VM Exits": the guest can take an interrupt now. */
enum exit_action exit_interrupt_window(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)vm, (void)w;
	close_window(v, PROC_INTERRUPT_WINDOW);
	return ACTION_RESUME;
}

enum exit_action exit_nmi_window(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)vm, (void)w;
	close_window(v, PROC_NMI_WINDOW);
	return ACTION_RESUME;
}

enum exit_action exit_preemption_timer(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)v, (void)vm, (void)w;
	return ACTION_RESUME;
}

/* A hint that the guest spins: the scheduler sees the reason. */
enum exit_action exit_pause(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)v, (void)vm, (void)w;
	return ACTION_RETIRE;
}
