/*
 * walk.h: guest-linear to guest-physical, as the processor's page walk does it (SDM, "Paging").
 */
#ifndef VEXIT_INSN_WALK_H
#define VEXIT_INSN_WALK_H

#include "exit/inject.h"
#include "vm.h"
#include "world.h"

/* What the access is: bits as in a page fault's error code. */
#define ACCESS_READ	0u
#define ACCESS_WRITE	(1u << 1)
#define ACCESS_USER	(1u << 2)	/* CPL 3 */
#define ACCESS_FETCH	(1u << 4)
#define ACCESS_IMPLICIT	(1u << 8)	/* a system structure's access: supervisor, whatever CPL and AC are */

/*
 * Translate `linear`. true: *gpa, accessed and dirty bits set as the processor sets them. false: *fault is
 * the #PF. Protection keys are left out: PKRU isn't the core's.
 */
bool walk_linear(struct vcpu *v, const struct vm *vm, struct world *w, uint64_t linear, uint32_t access,
		 uint64_t *gpa, struct fault *fault);

/* Access of CPL 3 or not, for data of the instruction that exited. */
uint32_t walk_privilege(struct vcpu *v);

/*
 * The four PDPTEs at `cr3` are read into the VMCS, as a MOV to CR does under PAE paging. false: one has
 * reserved bits set; nothing is changed (SDM, "PDPTE Registers").
 */
bool walk_load_pdptes(struct vcpu *v, const struct vm *vm, struct world *w, uint64_t cr3);

#endif
