/*
 * inject.c: queueing events for the next VM entry, and what becomes of two at once.
 *
 * Called by dispatch.c (an event whose delivery was interrupted), by handlers (exceptions) and entry.c
 * (interrupts, NMIs). Never moves RIP.
 */
#include "exit/exit.h"
#include "dev/vm_state.h"

void vcpu_queue_event(struct vcpu *v, uint32_t info, uint32_t error_code, uint32_t length)
{
	uint32_t type = info & INTR_INFO_TYPE;

	vmcs_write(v, VMCS_ENTRY_INTR_INFO, info | INTR_INFO_VALID);
	if (info & INTR_INFO_ERROR_CODE)
		vmcs_write(v, VMCS_ENTRY_EXCEPTION_ERROR_CODE, error_code);
	/* SDM, "VM-Entry Controls for Event Injection": the length is used for these three types alone. */
	if (type == INTR_TYPE_SOFTWARE || type == INTR_TYPE_PRIVILEGED || type == INTR_TYPE_SOFTWARE_EXC)
		vmcs_write(v, VMCS_ENTRY_INSTRUCTION_LEN, length);
}

void vcpu_block_nmi(struct vcpu *v)
{
	vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
}

/* SDM, "Information for VM Exits That Occur During Event Delivery" and "Resuming Guest Software …" */
void vcpu_requeue_event(struct vcpu *v)
{
	uint32_t info = vmcs_read(v, VMCS_IDT_VECTORING_INFO);
	uint32_t code = info & INTR_INFO_ERROR_CODE ? vmcs_read(v, VMCS_IDT_VECTORING_ERROR_CODE) : 0;
	uint32_t type = info & INTR_INFO_TYPE, length = 0;

	if (type == INTR_TYPE_SOFTWARE || type == INTR_TYPE_PRIVILEGED || type == INTR_TYPE_SOFTWARE_EXC)
		length = vmcs_read(v, VMCS_EXIT_INSTRUCTION_LEN);
	if (type == INTR_TYPE_NMI) {
		/* Its delivery set the blocking that an entry which injects an NMI must not find. */
		uint64_t state = vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY);

		if (state & BLOCKING_NMI)
			vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, state & ~(uint64_t)BLOCKING_NMI);
	}
	/* Bit 12 is undefined there, and reserved at entry. */
	vcpu_queue_event(v, info & (INTR_INFO_VECTOR | INTR_INFO_TYPE | INTR_INFO_ERROR_CODE), code, length);
}

enum exception_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

/* SDM, "Interrupt 8—Double Fault Exception (#DF)", tables of exception classes */
static enum exception_class class_of(unsigned vector)
{
	switch (vector) {
	case 0: case VECTOR_TS: case VECTOR_NP: case VECTOR_SS: case VECTOR_GP: case VECTOR_CP:
		return CONTRIBUTORY;
	case VECTOR_PF:
		return PAGE_FAULT;
	case VECTOR_DF:
		return DOUBLE_FAULT;
	default:
		return BENIGN;
	}
}

static bool has_error_code(unsigned vector)
{
	switch (vector) {
	case VECTOR_DF: case VECTOR_TS: case VECTOR_NP: case VECTOR_SS: case VECTOR_GP: case VECTOR_PF:
	case VECTOR_AC: case VECTOR_CP:
		return true;
	default:
		return false;
	}
}

/* The class of the event being delivered: interrupts, NMIs and software events are benign. */
static enum exception_class class_queued(uint32_t info)
{
	if ((info & INTR_INFO_TYPE) != INTR_TYPE_HARDWARE)
		return BENIGN;
	return class_of(info & INTR_INFO_VECTOR);
}

static bool makes_double_fault(enum exception_class first, enum exception_class second)
{
	return (first == CONTRIBUTORY && second == CONTRIBUTORY) ||
	       (first == PAGE_FAULT && (second == CONTRIBUTORY || second == PAGE_FAULT));
}

static void queue_exception(struct vcpu *v, unsigned vector, uint32_t error_code)
{
	uint32_t info = INTR_TYPE_HARDWARE | vector;

	/* SDM, "Checks on VMX Controls": no error code is delivered in real-address mode. */
	if (has_error_code(vector) && vcpu_is_protected(v))
		info |= INTR_INFO_ERROR_CODE;
	vcpu_queue_event(v, info, error_code, 0);
	/*
	 * SDM, "Saving Non-Register State"/"EFLAGS.RF": what a fault pushes has RF set, so that an
	 * instruction breakpoint isn't met again. Delivery pushes the VMCS's RFLAGS, so it is set there.
	 */
	if (vector != VECTOR_DB && vector != VECTOR_DF && vector != VECTOR_MC)
		vmcs_write(v, VMCS_GUEST_RFLAGS, vmcs_read(v, VMCS_GUEST_RFLAGS) | RFLAGS_RF);
}

enum exit_action vcpu_inject(struct vcpu *v, struct vm *vm, unsigned vector, uint32_t error_code)
{
	if (vcpu_has_event(v)) {
		uint32_t queued = vmcs_read(v, VMCS_ENTRY_INTR_INFO);
		enum exception_class first = class_queued(queued), second = class_of(vector);

		if (first == DOUBLE_FAULT && second != BENIGN)
			return exit_stop(vm, STOP_TRIPLE_FAULT, 0);
		if (makes_double_fault(first, second)) {
			vector = VECTOR_DF;
			error_code = 0;
		} else if ((queued & INTR_INFO_TYPE) == INTR_TYPE_NMI) {
			/*
			 * "Handle serially": the exception takes the NMI's place, but the NMI counts as
			 * delivered.
			 */
			vcpu_block_nmi(v);
		}
	}
	queue_exception(v, vector, error_code);
	return ACTION_INJECT;
}

enum exit_action vcpu_inject_fault(struct vcpu *v, struct vm *vm, const struct fault *fault)
{
	if (fault->vector == VECTOR_PF)
		gpr_write(v, GPR_CR2, fault->address);
	return vcpu_inject(v, vm, fault->vector, fault->error_code);
}

void vcpu_pend_single_step(struct vcpu *v)
{
	if (!(vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_TF) ||
	    (vmcs_read(v, VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		return;
	vmcs_write(v, VMCS_GUEST_PENDING_DBG_EXCEPTIONS,
		   vmcs_read(v, VMCS_GUEST_PENDING_DBG_EXCEPTIONS) | PENDING_DBG_BS);
}
