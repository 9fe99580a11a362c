/*
 * event.c: debug exceptions that other guests don't raise, the shadow of STI over an instruction that exits
 * more than once, and events that can't be delivered.
 */
#include "edge.h"

#define DR6_INITIAL 0xffff0ff0
#define DR6_BD      (1ull << 13)
#define DR7_INITIAL 0x400
#define DR7_GD      (1ull << 13)
#define V_SHADOW    0x4c

static void test_debug(void)
{
	uint64_t value = 0;

	write_dr6(DR6_INITIAL);
	test_trap("INT1", TRY(".byte 0xf1", OUT(), IN()), VECTOR_DB, 0);
	write_dr6(DR6_INITIAL);
	write_dr7(DR7_INITIAL | DR7_GD);
	test_trap("MOV from DR0 with DR7.GD", TRY("movq %%dr0, %0", OUT("=r"(value)), IN()), VECTOR_DB, 0);
	test_equal("DR7.GD after it", read_dr7() & DR7_GD, 0);
	test_equal("DR6.BD", read_dr6() & DR6_BD, DR6_BD);
	write_dr6(DR6_INITIAL);
	write_dr7(DR7_INITIAL);
}

/* A string that no hypervisor moves at once */
static void test_long_shadow(void)
{
	static const uint8_t bytes[4000];
	const uint8_t *from = bytes;
	uint64_t count = sizeof(bytes);
	uint32_t before = trap_count(V_SHADOW);

	apic_broadcast(ICR_SELF | ICR_FIXED | V_SHADOW);
	asm volatile("sti; rep outsb; nop; cli" : "+S"(from), "+c"(count) : "d"(UART_SCRATCH) : "memory");
	test_equal("interrupts at STI, REP OUTSB", trap_count(V_SHADOW) - before, 1);
	test_equal("RCX after it", count, 0);
	test_equal("RSI after it", (uint64_t)from, (uint64_t)bytes + sizeof(bytes));
}

void test_events(void)
{
	test_debug();
	test_long_shadow();
}

#define ON_HOLE(insn, ...) \
	asm volatile("movq %0, %%rsp\n\t" insn : : "r"(HOLE + 0x800) __VA_ARGS__ : "memory")

/* What is pushed goes nowhere: the exit comes in the middle of the delivery, and says of what. */
void event_into_hole(const char *which)
{
	printf("edge: an event on a stack that is no memory\n");
	if (strcmp(which, "int") == 0)
		ON_HOLE("int $0x41");
	else if (strcmp(which, "gp") == 0)
		ON_HOLE("movw %w1, %%ds", , "r"(0x1000)); /* beyond the GDT: the selector is the error code */
	printf("edge: vectored=%s is none\n", which);
	verdict(VERDICT_ERROR);
}
