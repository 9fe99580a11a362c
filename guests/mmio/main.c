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

static const struct {
	const char *name;
	void (*test)(void);
	bool needs_vexit;
} parts[] = {
	{ "forms", test_forms, false },
	{ "strings", test_string_forms, false },
	{ "ports", test_port_strings, false },
	{ "faults", test_port_faults, false },
	{ "console", test_console, true },
	{ "more", test_more_forms, false },
	{ "rare", test_rare_forms, false },
};

int main(void)
{
	const char *only = option_string("only");
	unsigned tested = 0;

	apic_timer_stop();
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint32_t before = test_failures;

		if (only && strcmp(only, parts[i].name) != 0)
			continue;
		tested++;
		if (parts[i].needs_vexit && !under_vexit)
			continue;
		parts[i].test();
		printf("mmio: %s %s\n", parts[i].name, test_failures == before ? "ok" : "FAILED");
	}
	if (!tested) {
		printf("mmio: only=%s is no part\n", only);
		return VERDICT_ERROR;
	}
	return test_result("mmio", "");
}
