/*
 * apic.c: local APIC set-up, interprocessor interrupts, timer.
 */
#include "guest.h"

void apic_init(void)
{
	apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_SPURIOUS_VECTOR);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

void apic_send(uint32_t destination, uint32_t command)
{
	/* SDM, "Interrupt Command Register": writing the low half sends, so the destination goes first. */
	apic_write(APIC_ICR_HIGH, destination << 24);
	apic_broadcast(command);
}

void apic_broadcast(uint32_t command)
{
	apic_write(APIC_ICR_LOW, command | ICR_ASSERT);
	while (apic_read(APIC_ICR_LOW) & ICR_PENDING)
		cpu_relax();
}

void apic_timer_start(uint8_t vector, uint32_t count, bool periodic)
{
	apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, vector | (periodic ? APIC_TIMER_PERIODIC : 0));
	apic_write(APIC_TIMER_INITIAL, count);
}

void apic_timer_stop(void)
{
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, 0);
}
