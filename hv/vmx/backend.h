/*
 * backend.h: where the slots of vcpu->vmcs[] come from and go to. Another backend (SVM) would fill the same slots behind
 * these five.
 */
#ifndef VMX_BACKEND_H
#define VMX_BACKEND_H

struct vmx_cpu;

/*
 * Writes what the entry step in hand changed to the hardware and enters the guest; returns after its next VM exit. A
 * VMfail is a bug, and a panic.
 */
void backend_enter(struct vmx_cpu *c);

/*
 * After the exit, and after encoder_begin(): fills vcpu->vmcs[] and the general registers as the snapshot level
 * says, and tells the encoder what differs from the base.
 */
void backend_load(struct vmx_cpu *c);

/* After an exit that nobody records: what every handler reads; the rest by vcpu_load(). */
void backend_load_untraced(struct vmx_cpu *c);

/* At the end of an exit's step, while the VMCS is current: writes what the step changed. */
void backend_flush(struct vmx_cpu *c);

/* At the end of an entry step that says wait: remembers what it changed, for the entry that comes some time. */
void backend_flush_later(struct vmx_cpu *c);

#endif
