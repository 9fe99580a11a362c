/*
 * load.h: the whole snapshot of an exit: every field that the processor may have changed, compared with
 * what it was.
 *
 * For backend.c alone. Most fields are what they were, so the price is in finding that out. Each is read
 * straight into memory, packed by its width (an image), and one REPE CMPSQ goes over this image and the last
 * one: two instructions a field, and one for each eight bytes.
 */
#ifndef VMX_LOAD_H
#define VMX_LOAD_H

#include <stdint.h>

#include "include/vmcs.h"

/*
 * Fields that the SDM calls undefined after most exits are read only after the others ("Information for VM
 * Exits Due to Instruction Execution", "Information for VM Exits Due to Vectored Events"; PDPTEs: "Saving
 * Control Registers, Debug Registers, and MSRs"). Elsewhere a slot keeps what it had, and no handler may look
 * at it.
 */
#define LOAD_IS_LATE(slot)								\
	((slot) == VMCS_GUEST_PHYSICAL_ADDR || (slot) == VMCS_GUEST_LINEAR_ADDR ||	\
	 (slot) == VMCS_EXIT_INSTRUCTION_INFO || (slot) == VMCS_EXIT_INTR_ERROR_CODE ||	\
	 (slot) == VMCS_IDT_VECTORING_ERROR_CODE ||					\
	 ((slot) >= VMCS_GUEST_PDPTE0 && (slot) <= VMCS_GUEST_PDPTE3))

/* What changes with most exits is compared by itself: a difference in the image costs more. */
#define LOAD_IS_SINGLE(slot)								\
	((slot) == VMCS_EXIT_REASON || (slot) == VMCS_EXIT_INSTRUCTION_LEN ||		\
	 (slot) == VMCS_EXIT_QUALIFICATION || (slot) == VMCS_GUEST_RSP ||		\
	 (slot) == VMCS_GUEST_RIP || (slot) == VMCS_GUEST_RFLAGS)

/* Bytes in the image; only what is read at each exit (vmcs.def: GUEST, INFO) has any. */
#define LOAD_WIDTH(encoding) (((encoding) >> 13 & 3) == VMCS_WIDTH_16 ? 2 : ((encoding) >> 13 & 3) == VMCS_WIDTH_32 ? 4 : 8)
#define LOAD_BYTES_GUEST(slot, encoding) (LOAD_IS_LATE(slot) || LOAD_IS_SINGLE(slot) ? 0 : LOAD_WIDTH(encoding))
#define LOAD_BYTES_INFO(slot, encoding)	 LOAD_BYTES_GUEST(slot, encoding)
#define LOAD_BYTES_OPTION(slot, encoding) 0
#define LOAD_BYTES_KEPT(slot, encoding)	 0
#define LOAD_BYTES_HOST(slot, encoding)	 0

/* Where each field is in the image: AT is the enumerator before plus one. */
enum {
#define VMCS(name, encoding, change)							\
	LOAD_AT_##name, LOAD_LAST_##name = LOAD_AT_##name + LOAD_BYTES_##change(VMCS_##name, encoding) - 1,
#include "include/vmcs.def"
#undef VMCS
	LOAD_IMAGE_BYTES
};
#define LOAD_IMAGE_WORDS ((LOAD_IMAGE_BYTES + 7) / 8)

struct load_image {
	uint64_t before[LOAD_IMAGE_WORDS + 1];	/* what the processor held when we last looked or wrote */
	uint64_t now[LOAD_IMAGE_WORDS + 1];
	uint8_t slot[LOAD_IMAGE_BYTES];		/* of the field that has this byte */
};

struct item;
struct vmx_cpu;

/* Fills the image from vcpu->vmcs[], which must be what the processor holds. */
void load_init(struct vmx_cpu *c);

/* The value of a field that was VMWRITten. */
void load_written(struct vmx_cpu *c, enum vmcs_slot slot, uint64_t value);

/* Fills vcpu->vmcs[], and appends an item for each slot that changed; gives where they end. */
struct item *load_marked(struct vmx_cpu *c, struct item *p);

#endif
