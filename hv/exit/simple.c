/*
 * simple.c: instructions whose whole handler is a line: HLT, INVD, WBINVD, RDPMC.
 *
 * SDM, "Relative Priority of Faults and VM Exits": CPL and mode were checked by the processor before the
 * exit.
 */
#include "exit/exit.h"

/*
 * The vCPU sleeps from its next entry step on. With interrupts off only NMI and INIT can wake it. A
 * single-step trap that is pending after HLT ends it before it begins.
 */
enum exit_action exit_hlt(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t rflags = vmcs_read(v, VMCS_GUEST_RFLAGS);

	(void)w;
	if ((rflags & RFLAGS_TF) && !(vmcs_read(v, VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		return ACTION_RETIRE;
	vm->cpu[v->index].activity = rflags & RFLAGS_IF ? CPU_HALTED : CPU_HALTED_MASKED;
	vm->cpu[v->index].attention = 1;	/* what is pending may end it at once */
	vm_touch_cpu(vm, v->index);
	return ACTION_RETIRE;
}

/*
 * Guest memory is the host's cacheable memory and no device reads it behind the caches: nothing to write
 * back.
 */
enum exit_action exit_invd(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)v, (void)vm, (void)w;
	return ACTION_RETIRE;
}

/* SDM, "RDPMC": #GP(0) if the counter isn't there; CPUID leaf 0xA says that there is none. */
enum exit_action exit_rdpmc(struct vcpu *v, struct vm *vm, struct world *w)
{
	(void)w;
	return vcpu_inject(v, vm, VECTOR_GP, 0);
}
