/*
 * exits: exits all the time. For --timeout and ^C, and for traces of a million exits.
 *
 * A generator with a fixed seed picks the next instruction and its operands, so that no pattern repeats
 * within 65,535 exits and two runs are alike. Its state is 16 bits wide, so that the registers of a trace hold about
 * as much that is new in an exit as those of ordinary code. vCPU n is seeded with n + 1.
 *
 * Exits: CPUID, VMCALL, I/O instruction, EPT violation (local APIC), RDMSR; with several vCPUs preemption
 * timer, too.
 * Options: n=COUNT ends each vCPU after that many exits with verdict 0 (without it: never); smp runs all.
 * Verdicts: 0.
 */
#include "guest.h"

#define UART_SCRATCH (PORT_UART + 7)

static uint64_t exits_wanted;

/* A full-period xorshift generator of 16 bits */
static uint16_t next_random(uint16_t x)
{
	x ^= (uint16_t)(x << 7);
	x ^= x >> 9;
	x ^= (uint16_t)(x << 8);
	return x;
}

static void cause_exit(uint16_t random)
{
	static const uint32_t leaves[8] = { 0, 1, 2, 4, 7, 0xd, 0x40000000, 0x80000001 };
	static const uint16_t apic_registers[4] = { APIC_ID, APIC_VERSION, APIC_TPR, APIC_TIMER_INITIAL };
	uint32_t operand = random >> 4;

	switch (random & 15) {
	case 0 ... 3:
		cpuid(leaves[operand & 7], operand >> 3 & 1);
		break;
	case 4 ... 6:
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
		apic_write(APIC_TIMER_INITIAL, operand);
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
	uint16_t random = (uint16_t)(cpu->index + 1);

	for (uint64_t i = 0; !exits_wanted || i < exits_wanted; i++) {
		random = next_random(random);
		cause_exit(random);
	}
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
