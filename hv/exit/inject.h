/*
 * inject.h: events for the next VM entry (SDM, "Event Injection").
 */
#ifndef VEXIT_EXIT_INJECT_H
#define VEXIT_EXIT_INJECT_H

#include "vcpu.h"

/* An exception that an access or an emulated instruction would raise. */
struct fault {
	uint8_t vector;
	uint32_t error_code;
	uint64_t address;	/* #PF: for CR2 */
};

/*
 * Queue a hardware exception for the next entry: ACTION_INJECT. While an event is queued whose delivery
 * this exit interrupted, the two combine (SDM, "Interrupt 8—Double Fault Exception (#DF)"): into a double
 * fault, or the triple fault that ends the VM: ACTION_STOP. `error_code` counts only for vectors that have
 * one.
 */
enum exit_action vcpu_inject(struct vcpu *v, struct vm *vm, unsigned vector, uint32_t error_code);

/* The same for a fault that an access gave; sets CR2 for #PF. */
enum exit_action vcpu_inject_fault(struct vcpu *v, struct vm *vm, const struct fault *fault);

/* Queue again what the exit interrupted (IDT-vectoring information is valid). */
void vcpu_requeue_event(struct vcpu *v);

/* Whether an event is queued for the next entry. */
static inline bool vcpu_has_event(struct vcpu *v)
{
	return vmcs_read(v, VMCS_ENTRY_INTR_INFO) & INTR_INFO_VALID;
}

/* Queue an event of `type` (INTR_TYPE_…); `length` is the instruction's for software events. */
void vcpu_queue_event(struct vcpu *v, uint32_t info, uint32_t error_code, uint32_t length);

/* IRET had ended NMI blocking and then faulted (bit 12 of the exit's information): it is in effect again. */
void vcpu_block_nmi(struct vcpu *v);

/* Single-step trap pending, if the guest asked for it (RFLAGS.TF without DEBUGCTL.BTF). */
void vcpu_pend_single_step(struct vcpu *v);

#endif
