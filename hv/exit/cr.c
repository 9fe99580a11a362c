/*
 * cr.c: control-register accesses (SDM, "Exit Qualification for Control-Register Accesses").
 *
 * The guest owns most bits of CR0 and CR4 and changes them without an exit. What comes here touches a bit
 * that the masks keep from it, and the whole instruction is then ours: checks, IA-32e mode, PDPTEs,
 * invalidation. CPL was checked by the processor.
 */
#include "exit/exit.h"
#include "dev/lapic.h"
#include "dev/vm_state.h"
#include "insn/walk.h"

enum access_type { MOV_TO_CR, MOV_FROM_CR, CLTS, LMSW };

static enum exit_action general_protection(struct vcpu *v, struct vm *vm)
{
	return vcpu_inject(v, vm, VECTOR_GP, 0);
}

static bool uses_pdptes(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

/* SDM, "MOV—Move to/from Control Registers": what gives #GP(0) in a MOV to CR0. */
static bool cr0_is_valid(struct vcpu *v, uint64_t old, uint64_t cr0)
{
	uint64_t cr4 = vcpu_cr4(v), efer = vmcs_read(v, VMCS_GUEST_EFER);
	bool code64 = vmcs_read(v, VMCS_GUEST_CS_ACCESS_RIGHTS) & AR_LONG;

	if ((cr0 & CR0_PG) && !(cr0 & CR0_PE))
		return false;
	if ((cr0 & CR0_NW) && !(cr0 & CR0_CD))
		return false;
	if (!(cr0 & CR0_PG) && (old & CR0_PG))
		return !(cr4 & CR4_PCIDE) && !((efer & EFER_LMA) && code64);
	if ((cr0 & CR0_PG) && !(old & CR0_PG) && (efer & EFER_LME))
		return (cr4 & CR4_PAE) && !code64;
	return true;
}

/* SDM, "Initializing IA-32e Mode": paging switches IA-32e mode on and off when LME is set. */
static void update_long_mode(struct vcpu *v, uint64_t cr0)
{
	uint64_t efer = vmcs_read(v, VMCS_GUEST_EFER), controls = vmcs_read(v, VMCS_ENTRY_CONTROLS);
	bool active = (efer & EFER_LME) && (cr0 & CR0_PG);

	if (active == !!(efer & EFER_LMA))
		return;
	vmcs_write(v, VMCS_GUEST_EFER, efer ^ EFER_LMA);
	vmcs_write(v, VMCS_ENTRY_CONTROLS,
		   active ? controls | ENTRY_IA32E : controls & ~(uint64_t)ENTRY_IA32E);
}

static enum exit_action cr0_write(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	uint64_t old = vcpu_cr0(v), cr0 = (value & CR0_DEFINED) | CR0_ET, changed = old ^ cr0;

	if (value >> 32 || !cr0_is_valid(v, old, cr0))
		return general_protection(v, vm);
	/* SDM, "PDPTE Registers": loaded by a MOV that changes CD, NW or PG. */
	if (uses_pdptes(cr0, vcpu_cr4(v), vmcs_read(v, VMCS_GUEST_EFER)) &&
	    (changed & (CR0_CD | CR0_NW | CR0_PG)) &&
	    !walk_load_pdptes(v, vm, w, vmcs_read(v, VMCS_GUEST_CR3)))
		return general_protection(v, vm);
	update_long_mode(v, cr0);
	vmcs_write(v, VMCS_CR0_READ_SHADOW, cr0);
	vmcs_write(v, VMCS_GUEST_CR0, vcpu_real_cr0(&vm->config, cr0));
	/* SDM, "Operations that Invalidate TLBs and Paging-Structure Caches" */
	if (changed & CR0_PG)
		w->ops->invvpid(w, INVVPID_CONTEXT, 0);
	return ACTION_RETIRE;
}

static bool cr4_is_valid(struct vcpu *v, const struct vm *vm, uint64_t old, uint64_t cr4)
{
	bool active = vcpu_is_long(v);

	if (cr4 & ~vm->config.cr4_allowed)
		return false;
	if (active && !(cr4 & CR4_PAE))
		return false;
	if ((cr4 & CR4_PCIDE) && !(old & CR4_PCIDE))
		return active && !(vmcs_read(v, VMCS_GUEST_CR3) & CR3_PCID);
	return true;
}

static enum exit_action cr4_write(struct vcpu *v, struct vm *vm, struct world *w, uint64_t cr4)
{
	uint64_t old = vcpu_cr4(v), changed = old ^ cr4;

	if (!cr4_is_valid(v, vm, old, cr4))
		return general_protection(v, vm);
	if (uses_pdptes(vcpu_cr0(v), cr4, vmcs_read(v, VMCS_GUEST_EFER)) &&
	    (changed & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP)) &&
	    !walk_load_pdptes(v, vm, w, vmcs_read(v, VMCS_GUEST_CR3)))
		return general_protection(v, vm);
	vmcs_write(v, VMCS_CR4_READ_SHADOW, cr4);
	vmcs_write(v, VMCS_GUEST_CR4, vcpu_real_cr4(&vm->config, cr4));
	if (changed & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE))
		w->ops->invvpid(w, INVVPID_CONTEXT, 0);
	return ACTION_RETIRE;
}

static enum exit_action cr3_write(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	uint64_t cr4 = vcpu_cr4(v), efer = vmcs_read(v, VMCS_GUEST_EFER);
	bool keep = false;

	if (cr4 & CR4_PCIDE) {
		keep = value & CR3_NO_FLUSH;
		value &= ~CR3_NO_FLUSH;
	}
	if ((efer & EFER_LMA) && (value & ~vm_phys_mask(&vm->config)))
		return general_protection(v, vm);
	if (uses_pdptes(vcpu_cr0(v), cr4, efer) && !walk_load_pdptes(v, vm, w, value))
		return general_protection(v, vm);
	vmcs_write(v, VMCS_GUEST_CR3, value);
	if (!keep)
		w->ops->invvpid(w, INVVPID_CONTEXT_NOT_GLOBAL, 0);
	return ACTION_RETIRE;
}

/* SDM, "Interrupt Priority in 64-Bit Mode": CR8 is the TPR's high half. */
static enum exit_action cr8_write(struct vcpu *v, struct vm *vm, uint64_t value)
{
	if (value > 15)
		return general_protection(v, vm);
	lapic_set_tpr(vm, v->index, (uint32_t)value << 4);
	return ACTION_RETIRE;
}

static enum exit_action mov_to(struct vcpu *v, struct vm *vm, struct world *w, unsigned cr, enum gpr reg)
{
	uint64_t value = vcpu_reg_operand(v, reg);

	switch (cr) {
	case 0: return cr0_write(v, vm, w, value);
	case 3: return cr3_write(v, vm, w, value);
	case 4: return cr4_write(v, vm, w, value);
	case 8: return cr8_write(v, vm, value);
	default: return exit_impossible(v, vm, w);
	}
}

static enum exit_action mov_from(struct vcpu *v, struct vm *vm, struct world *w, unsigned cr, enum gpr reg)
{
	switch (cr) {
	case 3: gpr_write(v, reg, vmcs_read(v, VMCS_GUEST_CR3)); return ACTION_RETIRE;
	case 8: gpr_write(v, reg, vm->cpu[v->index].lapic.tpr >> 4); return ACTION_RETIRE;
	default: return exit_impossible(v, vm, w);	/* CR0 and CR4 are read from their shadows, without an exit */
	}
}

/* Only if TS is in the mask, which ours isn't; the instruction clears the bit wherever it is. */
static enum exit_action clear_task_switched(struct vcpu *v)
{
	vmcs_write(v, VMCS_CR0_READ_SHADOW, vmcs_read(v, VMCS_CR0_READ_SHADOW) & ~CR0_TS);
	vmcs_write(v, VMCS_GUEST_CR0, vmcs_read(v, VMCS_GUEST_CR0) & ~CR0_TS);
	return ACTION_RETIRE;
}

enum exit_action exit_cr(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t qualification = vmcs_read(v, VMCS_EXIT_QUALIFICATION), cr0;
	unsigned cr = qualification & 15;
	enum gpr reg = qualification >> 8 & 15;

	switch ((enum access_type)(qualification >> 4 & 3)) {
	case MOV_TO_CR:
		return mov_to(v, vm, w, cr, reg);
	case MOV_FROM_CR:
		return mov_from(v, vm, w, cr, reg);
	case CLTS:
		return clear_task_switched(v);
	case LMSW:
		/* SDM, "LMSW": loads PE, MP, EM, TS; it can set PE, but not clear it. */
		cr0 = vcpu_cr0(v);
		cr0 = (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | (qualification >> 16 & 15);
		return cr0_write(v, vm, w, cr0);
	}
	return exit_impossible(v, vm, w);
}
