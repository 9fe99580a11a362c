/*
 * spin: runs forever and exits never: what the hypervisor does of its own accord (preemption timer, host
 * interrupts) is all that gets it out. For --timeout and ^C.
 *
 * Exits: none after the greeting.
 * Options: smp spins on all vCPUs; pause does it with PAUSE, which a hypervisor may intercept if it repeats.
 * Verdicts: none; it doesn't end.
 */
#include "guest.h"

static void spin(struct cpu *cpu)
{
	bool pause = option_given("pause");

	printf("spin: vCPU %u spins\n", cpu->index);
	for (;;) {
		if (pause)
			cpu_relax();
		else
			asm volatile("");
	}
}

int main(void)
{
	if (option_given("smp"))
		smp_run(spin);
	spin(this_cpu());
	return VERDICT_ERROR;
}
