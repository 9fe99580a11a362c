/*
 * fake_irq.c: see fake_irq.h.
 */
#include "dev/irq.h"
#include "support/fake_irq.h"

#define APIC_SVR	0xf0
#define APIC_ICR	0x300
#define APIC_SELF	0x40000		/* the ICR's shorthand */
#define APIC_TIMER	0x320
#define APIC_DIVIDE	0x3e0

void fake_apic_enable(struct fake *f, unsigned cpu)
{
	fake_apic_write(f, cpu, APIC_SVR, 0x1ff);
}

void fake_interrupts_on(struct vcpu *v)
{
	fake_set(v, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
}

void fake_request(struct fake *f, unsigned vector)
{
	fake_apic_write(f, 0, APIC_ICR, APIC_SELF | vector);
}

void fake_start_timer(struct fake *f, unsigned cpu, unsigned vector, uint32_t cycles)
{
	fake_apic_enable(f, cpu);
	fake_apic_write(f, cpu, APIC_DIVIDE, 0xb);
	fake_apic_write(f, cpu, APIC_TIMER, vector);
	fake_apic_write(f, cpu, APIC_INITIAL, cycles);
}

void fake_halt(struct fake *f, unsigned cpu, bool masked)
{
	fake_set(&f->cpu[cpu], VMCS_GUEST_RFLAGS, RFLAGS_FIXED | (masked ? 0 : RFLAGS_IF));
	fake_exit(f, &f->cpu[cpu], REASON_HLT, 0, 1);
}

void fake_taken(struct vcpu *v)
{
	fake_set(v, VMCS_ENTRY_INTR_INFO, vmcs_read(v, VMCS_ENTRY_INTR_INFO) & ~(uint64_t)INTR_INFO_VALID);
}

void fake_start_pic(struct fake *f)
{
	static const uint8_t words[] = { 0x30, 0x04, 0x01 };

	fake_out(f, PORT_PIC_MASTER, 1, 0x11);
	for (unsigned i = 0; i < sizeof(words); i++)
		fake_out(f, PORT_PIC_MASTER + 1, 1, words[i]);
}

void fake_raise_irq(struct fake *f, unsigned irq)
{
	irq_set(&f->vm, &f->world, 0, irq, true);
}
