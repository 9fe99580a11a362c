/*
 * mmio: many forms of instructions on memory-mapped and port-mapped devices: what a hypervisor decodes and
 * emulates.
 *
 * The same instruction is run on a register of the local APIC, which exits, and on memory, which doesn't:
 * results, registers and flags must be alike. String I/O is checked against what the SDM says.
 *
 * Exits: EPT violation (local APIC, MMIO console), I/O instruction (all string forms, with faults in the
 * middle). Plain Bochs passes, too, but for the console's part, which is skipped there.
 * Options: only=forms|strings|ports|faults|console|more|rare; form=NAME for one form of forms, more or rare
 * (forms.c and more_forms.c name them).
 * Verdicts: 0; 1 if a check failed; 2 for an unknown part.
 */
#include "mmio.h"

static const struct test_part parts[] = {
	{ "forms", test_forms, false, false },
	{ "strings", test_string_forms, false, false },
	{ "ports", test_port_strings, false, false },
	{ "faults", test_port_faults, false, false },
	{ "console", test_console, false, true },
	{ "more", test_more_forms, false, false },
	{ "rare", test_rare_forms, false, false },
};

int main(void)
{
	apic_timer_stop();
	return test_parts("mmio", parts, sizeof(parts) / sizeof(parts[0]));
}
