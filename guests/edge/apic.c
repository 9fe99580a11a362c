/*
 * apic.c: the local APIC's errors, destinations by cluster, dividers, and what it does while it is disabled
 * (SDM, "Error Handling", "Logical Destination Mode", "APIC Timer", "Local APIC State After It Has Been
 * Software Disabled").
 */
#include "edge.h"

#define V_SELF   0x49
#define V_ERROR  0x4a
#define V_TIMER  0x4b

#define ICR_LOGICAL          0x800
#define ESR_SEND_ILLEGAL     0x20
#define ESR_REGISTER_ILLEGAL 0x80
#define APIC_UNUSED          0x3f0 /* no register */
#define DIVIDE_BY_2          0x0
#define DIVIDE_BY_16         0x3

static void open_window(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

/* Interrupts of `vector` since the last call for it */
static uint32_t taken(unsigned vector)
{
	static uint32_t last[256];
	uint32_t now, before = last[vector];

	open_window();
	now = last[vector] = trap_count(vector);
	return now - before;
}

void test_self(void)
{
	uint32_t before = trap_count(V_SELF);

	apic_broadcast(ICR_SELF | ICR_FIXED | V_SELF);
	open_window();
	test_equal("an interrupt to oneself", trap_count(V_SELF) - before, 1);
}

static void test_errors(void)
{
	apic_write(APIC_LVT_ERROR, V_ERROR);
	apic_write(APIC_ESR, 0);
	apic_broadcast(ICR_SELF | ICR_FIXED | 5);
	test_equal("ESR before it is written", apic_read(APIC_ESR), 0);
	apic_write(APIC_ESR, 0);
	test_equal("ESR: a vector that can't be sent", apic_read(APIC_ESR), ESR_SEND_ILLEGAL);
	test_equal("error interrupts", taken(V_ERROR), 1);
	apic_write(APIC_UNUSED, 0);
	apic_write(APIC_ESR, 0);
	test_equal("ESR: no such register", apic_read(APIC_ESR), ESR_REGISTER_ILLEGAL);
	apic_write(APIC_ESR, 0);
	test_equal("ESR, read again", apic_read(APIC_ESR), 0);
	test_equal("error interrupts", taken(V_ERROR), 1);
	apic_write(APIC_LVT_ERROR, APIC_LVT_MASKED);
}

static void test_clusters(void)
{
	apic_write(APIC_DFR, 0x0fffffff);
	apic_write(APIC_LDR, 0x31u << 24);
	apic_send(0x31, ICR_LOGICAL | ICR_FIXED | V_SELF);
	test_equal("its cluster and its bit", taken(V_SELF), 1);
	apic_send(0x32, ICR_LOGICAL | ICR_FIXED | V_SELF);
	test_equal("its cluster, another's bit", taken(V_SELF), 0);
	apic_send(0x11, ICR_LOGICAL | ICR_FIXED | V_SELF);
	test_equal("another cluster", taken(V_SELF), 0);
	apic_send(0xff, ICR_LOGICAL | ICR_FIXED | V_SELF);
	test_equal("all clusters", taken(V_SELF), 1);
	apic_write(APIC_LDR, 0);
	apic_write(APIC_DFR, 0xffffffff);
}

static void test_disabled(void)
{
	apic_write(APIC_LVT_ERROR, V_ERROR);
	apic_write(APIC_SVR, APIC_SPURIOUS_VECTOR);
	test_equal("an LVT entry while the APIC is disabled", apic_read(APIC_LVT_ERROR),
		   APIC_LVT_MASKED | V_ERROR);
	apic_write(APIC_LVT_ERROR, V_ERROR);
	test_equal("it can't be unmasked", apic_read(APIC_LVT_ERROR), APIC_LVT_MASKED | V_ERROR);
	apic_broadcast(ICR_SELF | ICR_FIXED | V_SELF);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_SPURIOUS_VECTOR);
	test_equal("an interrupt to a disabled APIC", taken(V_SELF), 0);
	test_equal("LVT entries stay masked", apic_read(APIC_LVT_ERROR), APIC_LVT_MASKED | V_ERROR);
}

static void test_registers(void)
{
	volatile uint8_t *tpr = (volatile uint8_t *)((uint64_t)MMIO_LAPIC + APIC_TPR);

	apic_write(APIC_TPR, 0x3a);
	*tpr = 0x50;
	*(volatile uint32_t *)(tpr + 4) = 0x50;
	test_equal("TPR after writes of a byte and beside it", apic_read(APIC_TPR), 0x3a);
	test_equal("PPR, with nothing in service", apic_read(APIC_PPR), 0x3a);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_LINT0, 0xffffffff);
	test_equal("bits of LVT LINT0 that can be written", apic_read(APIC_LVT_LINT0), 0x1a7ff);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	apic_write(APIC_ID, 0x55000000);
	test_equal("the ID register can't be written", apic_read(APIC_ID), this_cpu()->index << 24);
	CHECK((apic_read(APIC_VERSION) & 0xff) >= 0x10, "the version is that of an external APIC");
}

void test_apic(void)
{
	taken(V_SELF);
	test_errors();
	test_clusters();
	test_disabled();
	test_registers();
}

static void halt_for_timer(void)
{
	uint32_t before = trap_count(V_TIMER);

	while (trap_count(V_TIMER) == before) {
		irq_enable_and_halt();
		irq_disable();
	}
}

void test_apic_timer(void)
{
	uint32_t count;
	uint64_t start;

	apic_write(APIC_LVT_TIMER, V_TIMER);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	start = rdtsc();
	apic_write(APIC_TIMER_INITIAL, 1000);
	halt_for_timer();
	CHECK(rdtsc() - start >= 16000, "1000 by 16 took %lu", rdtsc() - start);

	/* Another divider in the middle: the count goes on from where it is. */
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | V_TIMER);
	apic_write(APIC_TIMER_INITIAL, 1000000);
	count = apic_read(APIC_TIMER_CURRENT);
	CHECK(count > 990000 && count <= 1000000, "the count is %u", count);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_2);
	CHECK(apic_read(APIC_TIMER_CURRENT) <= count, "the count went up from %u", count);
	/* Unmasked while it counts, it still comes. */
	apic_write(APIC_TIMER_INITIAL, 5000);
	apic_write(APIC_LVT_TIMER, V_TIMER);
	halt_for_timer();

	taken(V_TIMER);
	/* Periods that nobody could take one by one are one interrupt; the count goes on in its period. */
	apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | V_TIMER);
	apic_write(APIC_TIMER_INITIAL, 20);
	for (int i = 0; i < 20; i++)
		count = apic_read(APIC_TIMER_CURRENT);
	CHECK(count >= 1 && count <= 20, "a periodic count of 20 is %u", count);
	/* Stopped before they are let in: they would leave no time for anything else. */
	apic_timer_stop();
	test_equal("interrupts of many periods", taken(V_TIMER), 1);
	test_equal("interrupts of a stopped timer", taken(V_TIMER), 0);
}
