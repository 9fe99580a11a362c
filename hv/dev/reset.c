/*
 * reset.c: what resets the machine by a bit of a register.
 *
 * Called by the port table. A reset ends the run: the recorder boots the guest again if it was told to.
 */
#include "dev/reset.h"
#include "dev/vm_state.h"

#define RESET_CPU	(1u << 2)	/* 0xcf9: a write that sets it resets; SYS_RST says how hard */
#define RESET_WRITABLE	0x0eu		/* SYS_RST, RST_CPU, FULL_RST */
#define FAST_RESET	(1u << 0)	/* 0x92: 0 to 1 resets */
#define A20_GATE	(1u << 1)	/* 0x92: reads 1, since no address line is ever masked */

uint32_t reset_control_read(const struct port_access *a)
{
	return a->vm->chipset.reset_control;
}

void reset_control_write(const struct port_access *a, uint32_t value)
{
	a->vm->chipset.reset_control = value & RESET_WRITABLE;
	vm_touch(a->vm, VM_DEVICE_CHIPSET);
	if (value & RESET_CPU)
		vm_end(a->vm, STOP_RESET, 0);
}

uint32_t system_control_a_read(const struct port_access *a)
{
	(void)a;
	return A20_GATE;
}

void system_control_a_write(const struct port_access *a, uint32_t value)
{
	if (value & FAST_RESET)
		vm_end(a->vm, STOP_RESET, 0);
}
