/*
 * exception.c: exceptions and NMIs (SDM, "Information for VM Exits Due to Vectored Events").
 *
 * The exception bitmap is metal's: it intercepts #DB and #AC, whose delivery can loop without end inside the
 * processor, and what a user asks for. The guest gets each of them as if there had been no exit.
 */
#include "exit/exit.h"

/* SDM, "Architectural State Before a VM Exit": #DB exits before DR6, DR7 and DEBUGCTL are updated. */
static void update_debug_registers(struct vcpu *v, struct world *w)
{
	uint64_t qualification = vmcs_read(v, VMCS_EXIT_QUALIFICATION), dr7 = vmcs_read(v, VMCS_GUEST_DR7);
	uint64_t dr6 = w->ops->dr_read(w, 6);

	/* B3:B0 are those of this event; BD and BS are only ever set. */
	w->ops->dr_write(w, 6, (dr6 & ~UINT64_C(0xf)) | (qualification & 0x600f));
	if (dr7 & DR7_GD)
		vmcs_write(v, VMCS_GUEST_DR7, dr7 & ~DR7_GD);
}

static enum exit_action reflect_hardware(struct vcpu *v, struct vm *vm, struct world *w, unsigned vector,
					 uint32_t error_code)
{
	if (vector == VECTOR_MC)
		return exit_unhandled(v, vm, w);
	if (vector == VECTOR_PF)
		gpr_write(v, GPR_CR2, vmcs_read(v, VMCS_EXIT_QUALIFICATION));
	if (vector == VECTOR_DB)
		update_debug_registers(v, w);
	return vcpu_inject(v, vm, vector, error_code);
}

enum exit_action exit_exception(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint32_t info = vmcs_read(v, VMCS_EXIT_INTR_INFO), type = info & INTR_INFO_TYPE;
	unsigned vector = info & INTR_INFO_VECTOR;
	uint32_t error_code = info & INTR_INFO_ERROR_CODE ? vmcs_read(v, VMCS_EXIT_INTR_ERROR_CODE) : 0;

	/* The host's NMI: metal takes it. */
	if (type == INTR_TYPE_NMI)
		return ACTION_RESUME;
	/* SDM: bit 12 counts unless the exit was in the middle of a delivery, or for a double fault. */
	if ((info & INTR_INFO_NMI_UNBLOCK) && vector != VECTOR_DF &&
	    !(vmcs_read(v, VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID))
		vcpu_block_nmi(v);
	if (type == INTR_TYPE_HARDWARE)
		return reflect_hardware(v, vm, w, vector, error_code);
	if (type == INTR_TYPE_PRIVILEGED)
		update_debug_registers(v, w);
	/* INT1, INT3, INTO: RIP is at the instruction, and the entry pushes what lies after it. */
	vcpu_queue_event(v, info & (INTR_INFO_VECTOR | INTR_INFO_TYPE), 0,
			 vmcs_read(v, VMCS_EXIT_INSTRUCTION_LEN));
	return ACTION_INJECT;
}
