/*
 * hello: the smallest guest; copy it to begin your own.
 *
 * Exits: I/O instructions (set-up of the 16550, the line, the debug-exit port), CPUID (is this vexit?),
 * EPT violations or APIC accesses (set-up of the local APIC).
 * Verdicts: 0.
 */
#include "guest.h"

int main(void)
{
	printf("hello from vCPU %u of %u\n", this_cpu()->index, cpu_count());
	return VERDICT_SUCCESS;
}
