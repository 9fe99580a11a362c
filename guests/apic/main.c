/*
 * apic: interrupt controllers: the local APIC in x2APIC mode and its TSC deadlines, the I/O APIC with edges
 * and levels, the 8259 pair by every way that leads from it to a processor. What is expected is what the SDM and the
 * data sheets of 82093AA and 8259A say.
 *
 * Exits: RDMSR, WRMSR (x2APIC, IA32_APIC_BASE, IA32_TSC_DEADLINE), I/O instruction (8259, 8254, clock, UART), EPT
 * violation (I/O APIC, local APIC), interrupt window, HLT, preemption timer, CPUID, INIT/SIPI.
 * Options: only=x2apic|deadline|ioapic|pic.
 * Verdicts: 0; 1 if a check failed; 2 for an unknown part.
 */
#include "apic_parts.h"

static const struct test_part parts[] = {
	{ "x2apic", test_x2apic, true, false },
	{ "deadline", test_tsc_deadline, false, false },
	{ "ioapic", test_ioapic, false, true },
	{ "pic", test_pic, false, true },
};

#define UART_IER  (PORT_UART + 1)
#define UART_IIR  (PORT_UART + 2)
#define UART_MCR  (PORT_UART + 4)
#define IER_EMPTY 0x02
#define MCR_ON    0x03 /* as the library has it */
#define MCR_OUT2  0x08

void uart_raise(void)
{
	outb(UART_MCR, MCR_ON | MCR_OUT2);
	outb(UART_IER, IER_EMPTY);
}

void uart_lower(void)
{
	inb(UART_IIR);
	outb(UART_IER, 0);
	outb(UART_MCR, MCR_ON);
}

void pit_start(uint16_t clocks)
{
	outb(PORT_PIT + 3, clocks ? 0x34 : 0x30); /* both bytes; mode 2, or mode 0 that waits for its count */
	if (!clocks)
		return;
	outb(PORT_PIT, (uint8_t)clocks);
	outb(PORT_PIT, clocks >> 8);
}

void halt_until(volatile uint32_t *count, uint32_t value)
{
	while (*count < value) {
		irq_enable_and_halt();
		irq_disable();
	}
}

#define BASE_ENABLE 0x800
#define BASE_MODE   0xc00

void apic_restart(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);

	wrmsr(MSR_IA32_APIC_BASE, base & ~(uint64_t)BASE_MODE);
	wrmsr(MSR_IA32_APIC_BASE, (base & ~(uint64_t)BASE_MODE) | BASE_ENABLE);
	apic_init();
}

int main(void)
{
	return test_parts("apic", parts, sizeof(parts) / sizeof(parts[0]));
}
