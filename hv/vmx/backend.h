/*
 * backend.h: where the slots of vcpu->vmcs[] come from and go to. Another backend (SVM) would fill the same slots behind
 * these three.
 */
#ifndef VMX_BACKEND_H
#define VMX_BACKEND_H

struct vmx_cpu;

/*
 * Writes what the last steps changed to the hardware and enters the guest; returns after its next VM exit. A
 * VMfail is a bug, and a panic.
 */
void backend_enter(struct vmx_cpu *c);

/*
 * After the exit, and after encoder_begin(): fills vcpu->vmcs[] and the general registers as the snapshot level
 * says, and tells the encoder what differs from the base.
 */
void backend_load(struct vmx_cpu *c);

/* At the end of each step: remembers what it wrote, for the next entry. */
void backend_collect(struct vmx_cpu *c);

#endif
