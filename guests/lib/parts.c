/*
 * parts.c: runs the parts of a guest's test, one after another. Called by main() of guests that have more than one. It knows
 * nothing of what they test.
 */
#include "guest.h"

static const struct test_part *current;

static void run_current(struct cpu *cpu)
{
	(void)cpu;
	current->test();
}

int test_parts(const char *guest, const struct test_part *parts, size_t count)
{
	const char *only = option_string("only");
	unsigned named = 0;

	for (current = parts; current < parts + count; current++) {
		uint32_t before = test_failures;

		if (only && strcmp(only, current->name) != 0)
			continue;
		named++;
		if (current->needs_vexit && !under_vexit)
			continue;
		if (current->everywhere)
			smp_run(run_current);
		else
			current->test();
		printf("%s: %s %s\n", guest, current->name, test_failures == before ? "ok" : "FAILED");
	}
	if (!named) {
		printf("%s: only=%s is no part\n", guest, only);
		return VERDICT_ERROR;
	}
	return test_result(guest, "");
}
