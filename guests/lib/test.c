/*
 * test.c: verdicts and checks.
 */
#include "guest.h"

bool under_vexit;
uint32_t test_failures;

void verdict(uint32_t value)
{
	outb(PORT_DEBUG_EXIT, (uint8_t)value);
	for (;;)
		asm volatile("cli; hlt");
}

void test_fail(const char *format, ...)
{
	char text[384];
	va_list args;

	va_start(args, format);
	format_string(text, sizeof(text), format, args);
	va_end(args);
	atomic_add(&test_failures, 1);
	printf("FAILED: vCPU %u: %s\n", this_cpu()->index, text);
}

void test_equal(const char *what, uint64_t got, uint64_t expected)
{
	CHECK(got == expected, "%s: got %#lx, expected %#lx", what, got, expected);
}

void test_trap(const char *what, struct trap got, int32_t vector, uint32_t error)
{
	if (got.vector != vector)
		test_fail("%s: got %s(%#x), expected %s", what, trap_name(got.vector),
			  got.vector == NO_TRAP ? 0 : got.error, trap_name(vector));
	else if (vector != NO_TRAP && got.error != error)
		test_fail("%s: %s with error code %#x, expected %#x", what, trap_name(vector), got.error,
			  error);
}

int test_result(const char *name, const char *subject)
{
	uint32_t failures = atomic_load(&test_failures);

	if (failures) {
		printf("%s: %s%u checks failed\n", name, subject, failures);
		return VERDICT_FAILURE;
	}
	printf("%s: %sall checks passed\n", name, subject);
	return VERDICT_SUCCESS;
}
