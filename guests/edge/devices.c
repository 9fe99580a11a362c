/*
 * devices.c: ports and addresses where nothing is, and the ports that could end the run but don't.
 */
#include "edge.h"

void test_devices(void)
{
	volatile uint32_t *hole = (volatile uint32_t *)HOLE;

	test_equal("IN of a byte of nothing", inb(NO_PORT), 0xff);
	test_equal("IN of a word of nothing", inw(NO_PORT), 0xffff);
	test_equal("IN of a doubleword of nothing", inl(NO_PORT), 0xffffffff);
	outb(NO_PORT, 0);
	outb(UART_SCRATCH, 0x5c);
	test_equal("IN of a word at the UART's last port", inw(UART_SCRATCH), 0xff5c);
	outw(UART_SCRATCH, 0x1234);
	test_equal("the scratch register after OUT of a word", inb(UART_SCRATCH), 0x34);
	*hole = 0x12345678;
	test_equal("a hole", *hole, 0xffffffff);
	test_equal("the debug-exit port", inb(PORT_DEBUG_EXIT), 0);
	outb(PORT_RESET, 0x02);       /* bit 2 would reset */
	outw(PORT_POWER_OFF, 0x1000); /* another sleep type */
	outb(PORT_POWER_OFF, 0x00);
}
