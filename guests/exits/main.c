/*
 * exits: exits all the time. For --timeout and ^C, and for traces of a million exits.
 *
 * A generator with a fixed seed picks the next instruction and its operands, so that no short pattern
 * repeats and two runs are alike. It needs few instructions between two exits. vCPU n is seeded with n.
 *
 * Exits: CPUID, VMCALL, I/O instruction, EPT violation (local APIC), RDMSR; with several vCPUs preemption
 * timer, too.
 * Options: n=COUNT ends each vCPU after that many exits with verdict 0 (without it: never); smp runs all.
 * Verdicts: 0.
 */
#include "guest.h"

#define UART_SCRATCH (PORT_UART + 7)

static uint64_t exits_wanted;

/* Marsaglia's xorshift64 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void cause_exit(uint64_t random)
{
	static const uint32_t leaves[8] = { 0, 1, 2, 4, 7, 0xd, 0x40000000, 0x80000001 };
	static const uint16_t apic_registers[4] = { APIC_ID, APIC_VERSION, APIC_TPR, APIC_TIMER_INITIAL };
	uint32_t operand = (uint32_t)(random >> 32);

	switch (random & 15) {
	case 0 ... 3:
		cpuid(leaves[operand & 7], operand >> 8 & 1);
		break;
	case 4 ... 6:
		if (under_vexit)
			hypercall(HYPERCALL_NOP, operand, random, 0, 0);
		break;
	case 7 ... 9:
		outb(UART_SCRATCH, (uint8_t)operand);
		break;
	case 10 ... 11:
		inb(operand & 1 ? UART_SCRATCH : PORT_UART + 5);
		break;
	case 12:
		apic_read(apic_registers[operand & 3]);
		break;
	case 13:
		/* The timer is masked: its initial count may be anything. */
		apic_write(APIC_TIMER_INITIAL, operand & 0xffff);
		break;
	case 14:
		rdmsr(MSR_IA32_APIC_BASE);
		break;
	case 15:
		hypercall(0x1000 + (operand & 0xff), operand, 0, 0, 0); /* ENOSYS */
		break;
	}
}

static void run(struct cpu *cpu)
{
	uint64_t state = 0x9e3779b97f4a7c15 + cpu->index;

	for (uint64_t i = 0; !exits_wanted || i < exits_wanted; i++)
		cause_exit(next_random(&state));
}

int main(void)
{
	if (!under_vexit) {
		printf("exits: needs vexit\n");
		return VERDICT_SKIP;
	}
	exits_wanted = option_number("n", 0);
	if (option_given("smp"))
		smp_run(run);
	else
		run(this_cpu());
	return VERDICT_SUCCESS;
}
