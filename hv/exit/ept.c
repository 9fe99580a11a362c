/*
 * ept.c: EPT violations: the guest reached for memory that isn't RAM (SDM, "Exit Qualification for EPT
 * Violations").
 *
 * EPT maps the guest's RAM and nothing else, so each of them is a device, or nothing. The processor doesn't
 * say what it was about to do: the instruction is fetched, decoded and emulated.
 */
#include "exit/exit.h"
#include "insn/emulate.h"

#define QUAL_WRITE		(1u << 1)
#define QUAL_FETCH		(1u << 2)
#define QUAL_LINEAR_VALID	(1u << 7)
#define QUAL_FINAL		(1u << 8)	/* the access itself, not to a paging structure */
#define QUAL_NMI_UNBLOCK	(1u << 12)

/* SDM: the physical address is that of GUEST_LINEAR_ADDR if bits 7 and 8 are set, and that spares a walk. */
static void know_translation(struct access *a, uint64_t qualification)
{
	uint32_t access = walk_privilege(a->v) | (qualification & QUAL_WRITE ? ACCESS_WRITE : ACCESS_READ);
	uint64_t both = QUAL_LINEAR_VALID | QUAL_FINAL;

	if ((qualification & both) != both)
		return;
	linear_know(a, vmcs_read(a->v, VMCS_GUEST_LINEAR_ADDR), vmcs_read(a->v, VMCS_GUEST_PHYSICAL_ADDR),
		    access);
}

/* Fetch and decode. ACTION_RETIRE: *insn is good. Otherwise what to do instead. */
static enum exit_action fetch(struct access *a, struct insn *insn)
{
	uint8_t bytes[INSN_MAX];
	unsigned count = linear_fetch(a, bytes);

	if (count == 0)
		return vcpu_inject_fault(a->v, a->vm, &a->fault);
	switch (insn_decode(bytes, count, insn_code_bits(a->v), insn)) {
	case INSN_OK: return ACTION_RETIRE;
	case INSN_SHORT: return vcpu_inject_fault(a->v, a->vm, &a->fault);	/* of the next page */
	case INSN_TOO_LONG: return vcpu_inject(a->v, a->vm, VECTOR_GP, 0);
	case INSN_UNDEFINED: break;
	}
	return vcpu_inject(a->v, a->vm, VECTOR_UD, 0);
}

static enum exit_action emulate(struct access *a)
{
	struct insn insn;
	enum exit_action action = fetch(a, &insn);

	if (action != ACTION_RETIRE)
		return action;
	switch (insn_emulate(a, &insn)) {
	case EMULATE_DONE:
		a->v->retire_len = insn.length;
		return ACTION_RETIRE;
	case EMULATE_AGAIN:
		vcpu_pend_single_step(a->v);
		return ACTION_RESUME;
	case EMULATE_FAULT:
		return vcpu_inject_fault(a->v, a->vm, &a->fault);
	case EMULATE_UNSUPPORTED:
		break;
	}
	return exit_unhandled(a->v, a->vm, a->w);
}

enum exit_action exit_ept_violation(struct vcpu *v, struct vm *vm, struct world *w)
{
	struct access a;
	uint64_t qualification = vmcs_read(v, VMCS_EXIT_QUALIFICATION);
	bool delivering = vmcs_read(v, VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID;

	if ((qualification & QUAL_NMI_UNBLOCK) && !delivering)
		vcpu_block_nmi(v);
	/* RAM is mapped, all of it; and no event's stack or table is a device. */
	if (vm_has_memory(vm, vmcs_read(v, VMCS_GUEST_PHYSICAL_ADDR), 1) || delivering)
		return exit_unhandled(v, vm, w);
	/* Nothing reads as FF FF, which is no instruction; and no device holds code. */
	if (qualification & QUAL_FETCH)
		return vcpu_inject(v, vm, VECTOR_UD, 0);
	access_begin(&a, v, vm, w);
	know_translation(&a, qualification);
	return emulate(&a);
}
