/*
 * startup.c: INIT and SIPI (SDM, "Multiple-Processor (MP) Initialization").
 *
 * Called by entry.c. Brings the vCPU's VMCS, registers, debug registers and local APIC to their state after
 * INIT. XCR0, MTRRs and the MSRs that INIT leaves alone are left alone.
 */
#include "exit/exit.h"
#include "exit/startup.h"
#include "dev/lapic.h"
#include "dev/pv_eoi.h"
#include "dev/timers.h"
#include "dev/vm_state.h"

static void clear_bits(struct vcpu *v, enum vmcs_slot slot, uint64_t bits)
{
	uint64_t value = vmcs_read(v, slot);

	if (value & bits)
		vmcs_write(v, slot, value & ~bits);
}

static void init_debug_registers(struct world *w)
{
	for (uint32_t dr = 0; dr < 4; dr++)
		w->ops->dr_write(w, dr, 0);
	w->ops->dr_write(w, 6, DR6_FIXED);
}

bool vcpu_take_init(struct vcpu *v, struct vm *vm, struct world *w)
{
	struct vm_cpu *cpu = &vm->cpu[v->index];

	vm_touch_cpu(vm, v->index);
	cpu->init_pending = 0;
	if (cpu->apic_base & LAPIC_BASE_BSP) {
		/* The BSP would start its firmware again: that is a reset, and there is no firmware. */
		vm_end(vm, STOP_RESET, 0);
		return false;
	}
	vcpu_init(v, vm);
	clear_bits(v, VMCS_ENTRY_CONTROLS, ENTRY_IA32E);
	clear_bits(v, VMCS_ENTRY_INTR_INFO, INTR_INFO_VALID);
	clear_bits(v, VMCS_PROC_CONTROLS, PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW);
	init_debug_registers(w);
	w->ops->invvpid(w, INVVPID_CONTEXT, 0);

	/* SDM, "Local APIC State After It Receives an INIT Reset": all but the ID; the mode stays, too. */
	lapic_reset(&cpu->lapic, cpu->lapic.id >> 24);
	timers_update(vm);
	pv_eoi_reset(cpu);
	cpu->nmi_pending = 0;
	cpu->extint_pending = 0;
	cpu->activity = CPU_WAIT_SIPI;
	return true;
}

void vcpu_take_sipi(struct vcpu *v, struct vm *vm)
{
	struct vm_cpu *cpu = &vm->cpu[v->index];

	vcpu_startup(v, (uint8_t)(cpu->sipi_pending - 1));
	/* It may have slept in the guest while it waited. */
	if (vmcs_read(v, VMCS_GUEST_ACTIVITY_STATE) != ACTIVITY_ACTIVE)
		vmcs_write(v, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	cpu->sipi_pending = 0;
	cpu->activity = CPU_RUNNING;
	vm_touch_cpu(vm, v->index);
}
