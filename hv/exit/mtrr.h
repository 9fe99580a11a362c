/* mtrr.h: memory type range registers, kept for the guest and without effect: EPT gives the memory types. */
#ifndef VEXIT_EXIT_MTRR_H
#define VEXIT_EXIT_MTRR_H

#include "vm.h"

/* The register of a variable or fixed range, or NULL: `msr` is none of them. */
uint64_t *mtrr_register(struct vm_cpu *cpu, uint32_t msr);

/* Whether `value` may be written to `msr`, one of the registers above or IA32_MTRR_DEF_TYPE. */
bool mtrr_is_valid(const struct vm_config *config, uint32_t msr, uint64_t value);

/* Whether `value` may be written to IA32_PAT. */
bool pat_is_valid(uint64_t value);

#endif
