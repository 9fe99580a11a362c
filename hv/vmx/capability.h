/* capability.h: what the processor's VMX can do, and the control words made from it. */
#ifndef VMX_CAPABILITY_H
#define VMX_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

enum control_word { CONTROL_PIN, CONTROL_PROC, CONTROL_PROC2, CONTROL_EXIT, CONTROL_ENTRY, CONTROL_WORDS };

/* The capability MSRs in the session frame (SDM "VMX Capability Reporting Facility"). */
#define CAPABILITY_MSRS 18

struct capability {
	uint64_t basic, misc, ept_vpid;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint32_t control[CONTROL_WORDS];	/* results: what goes into the VMCS */
	struct {
		uint32_t msr;
		uint64_t value;
	} msr[CAPABILITY_MSRS];
	unsigned msr_count;
};

/*
 * Checks that VMX is there, unlocks it where the firmware left that to us, computes the control words and
 * prints them. Several vCPUs: PAUSE exits, so that a spinning one gives way. Without `host_random`, RDRAND
 * and RDSEED exit. Whatever is missing ends the run as a host error.
 */
void capability_init(struct capability *c, unsigned vcpus, bool host_random);

#endif
