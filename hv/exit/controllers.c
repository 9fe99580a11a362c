/*
 * controllers.c: extra controllers, which a VM's chain can put before exits.def's handlers.
 *
 * Called by dispatch.c. Indexes are in traces (vm.chain): only append.
 */
#include <stddef.h>

#include "exit/exit.h"
#include "dev/ports.h"

/* A guest that should only touch ports that exist stops where it doesn't, instead of reading all ones. */
static int strict_io(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t qualification;

	(void)w;
	if ((vmcs_read(v, VMCS_EXIT_REASON) & EXIT_REASON_BASIC) != REASON_IO_INSTRUCTION)
		return CONTROLLER_PASS;
	qualification = vmcs_read(v, VMCS_EXIT_QUALIFICATION);
	if (port_exists((uint16_t)(qualification >> 16), (qualification & 7) + 1))
		return CONTROLLER_PASS;
	return exit_stop(vm, STOP_UNHANDLED, vmcs_read(v, VMCS_EXIT_REASON));
}

exit_controller *const exit_controllers[] = {
	[CONTROLLER_NONE] = NULL,
	[CONTROLLER_STRICT_IO] = strict_io,
};

const unsigned exit_controller_count = sizeof(exit_controllers) / sizeof(exit_controllers[0]);
