/*
 * ioapic.c: the I/O APIC (Intel, "82093AA I/O Advanced Programmable Interrupt Controller"): the UART's line as edge
 * and as level, other delivery modes, the 8254 at pin 2.
 */
#include "apic_parts.h"

#define V_EDGE  0x51
#define V_LEVEL 0x52
#define V_PIT   0x53
#define PIN_PIT 2

static volatile uint32_t taken;
static uint32_t lower_at; /* the handler ends the request when it has been taken so often */

static void on_interrupt(struct trap_frame *frame)
{
	taken++;
	if (frame->vector == V_LEVEL) {
		test_equal("TMR in service", apic_read(APIC_TMR + V_LEVEL / 32 * 16) >> V_LEVEL % 32 & 1, 1);
		CHECK(ioapic_read(IOAPIC_ENTRY + 2 * PIN_UART) & IOAPIC_REMOTE_IRR, "remote IRR in service");
	}
	if (taken == lower_at)
		uart_lower();
	apic_eoi();
}

static void on_nmi(struct trap_frame *frame)
{
	(void)frame;
	taken++;
}

static void test_registers(void)
{
	test_equal("version", ioapic_read(IOAPIC_VERSION) & 0xff00ff, 23 << 16 | 0x20);
	ioapic_route(23, 0xa5, 0xffffffff);
	test_equal("an entry, low", ioapic_read(IOAPIC_ENTRY + 46), 0x1afff);
	test_equal("an entry, high", ioapic_read(IOAPIC_ENTRY + 47), 0xa5000000);
	ioapic_route(23, 0, IOAPIC_MASKED);
}

static void test_edge(void)
{
	taken = 0;
	lower_at = 0;
	ioapic_route(PIN_UART, 0, V_EDGE);
	uart_raise();
	open_window();
	test_equal("an edge", taken, 1);
	open_window();
	test_equal("a line that stays high", taken, 1);
	uart_lower();
	ioapic_route(PIN_UART, 0, IOAPIC_MASKED | V_EDGE);
	uart_raise();
	ioapic_route(PIN_UART, 0, V_EDGE);
	open_window();
	test_equal("an edge while masked", taken, 1);
	uart_lower();
}

static void test_level(void)
{
	taken = 0;
	lower_at = 3;
	ioapic_route(PIN_UART, 0, IOAPIC_LEVEL | IOAPIC_MASKED | V_LEVEL);
	uart_raise();
	open_window();
	test_equal("a level while masked", taken, 0);
	ioapic_route(PIN_UART, 0, IOAPIC_LEVEL | V_LEVEL);
	for (int i = 0; i < 5; i++)
		open_window();
	test_equal("a level, until it is lowered", taken, 3);
	CHECK(!(ioapic_read(IOAPIC_ENTRY + 2 * PIN_UART) & IOAPIC_REMOTE_IRR), "remote IRR after the last EOI");
}

static void test_nmi_pin(void)
{
	trap_set_handler(VECTOR_NMI, on_nmi);
	taken = 0;
	ioapic_route(PIN_UART, 0, IOAPIC_NMI);
	uart_raise();
	cpuid(0, 0);
	test_equal("NMI by a pin", taken, 1);
	uart_lower();
	trap_set_handler(VECTOR_NMI, NULL);
	ioapic_route(PIN_UART, 0, IOAPIC_MASKED);
}

static void test_timer_pin(void)
{
	taken = 0;
	lower_at = 0;
	ioapic_route(PIN_PIT, 0, V_PIT);
	pit_start(300);
	halt_until(&taken, 3);
	pit_start(0);
	ioapic_route(PIN_PIT, 0, IOAPIC_MASKED);
	open_window();
	CHECK(taken <= 4, "the stopped 8254 went on: %u", taken);
}

void test_ioapic(void)
{
	trap_set_handler(V_EDGE, on_interrupt);
	trap_set_handler(V_LEVEL, on_interrupt);
	trap_set_handler(V_PIT, on_interrupt);
	test_registers();
	test_edge();
	test_level();
	test_nmi_pin();
	test_timer_pin();
}
