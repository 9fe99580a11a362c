/*
 * board.c: what a kernel looks for on a PC's board at boot, and what may not keep it waiting: the 8042
 * without a keyboard, PCI's empty bus, ACPI's PM1 registers, the reset ports, CMOS memory.
 */
#include "edge.h"

#define KBC_DATA        (PORT_8042 - 4)
#define KBC_OUTPUT_FULL 0x01
#define KBC_INPUT_FULL  0x02
#define KBC_TIMEOUT     0x40
#define KBC_SELF_TEST   0xaa
#define PCI_DATA        (PORT_PCI + 4)
#define RTC_DATA        (PORT_RTC + 1)
#define CMOS_SCRATCH    0x40

static void test_keyboard(void)
{
	while (inb(PORT_8042) & KBC_INPUT_FULL)
		cpu_relax();
	outb(PORT_8042, KBC_SELF_TEST);
	while (!(inb(PORT_8042) & KBC_OUTPUT_FULL))
		cpu_relax();
	test_equal("8042: self-test", inb(KBC_DATA), 0x55);
	outb(KBC_DATA, 0xff);	/* reset, to the keyboard */
	while (!(inb(PORT_8042) & KBC_OUTPUT_FULL))
		cpu_relax();
	test_equal("8042: time-out", inb(PORT_8042) & KBC_TIMEOUT, KBC_TIMEOUT);
	test_equal("8042: no keyboard", inb(KBC_DATA), 0xfe);
	for (unsigned reads = 0; inb(PORT_8042) & KBC_OUTPUT_FULL; reads++) {
		CHECK(reads < 16, "8042: its output buffer is never empty");
		if (reads == 16)
			break;
		inb(KBC_DATA);
	}
}

static void test_pci(void)
{
	outl(PORT_PCI, 0xffffffff);
	test_equal("PCI address, all that can be written", inl(PORT_PCI), 0x80fffffc);
	for (uint32_t device = 0; device < 32; device++) {
		outl(PORT_PCI, 0x80000000 | device << 11);
		test_equal("PCI vendor and device", inl(PCI_DATA), 0xffffffff);
		test_equal("PCI vendor", inw(PCI_DATA), 0xffff);
	}
	outl(PORT_PCI, 0);
}

static void test_acpi(void)
{
	test_equal("PM1 control: SCI_EN", inw(PORT_POWER_OFF) & 1, 1);
	outw(PORT_PM1_EVENT, 0xffff);
	test_equal("PM1 status", inw(PORT_PM1_EVENT), 0);
	outw(PORT_PM1_EVENT + 2, 0x0400);
	test_equal("PM1 status and enable", inl(PORT_PM1_EVENT), 0x04000000);
	outw(PORT_PM1_EVENT + 2, 0);
}

static void test_wide(void)
{
	outb(PORT_RTC, 0x80 | CMOS_SCRATCH); /* bit 7 masks NMIs */
	outb(RTC_DATA, 0x11);
	outw(PORT_RTC, 0x5a00 | CMOS_SCRATCH);
	test_equal("CMOS memory after OUT of a word to index and data", inb(RTC_DATA), 0x5a);
	test_equal("IN of a word from index and data", inw(PORT_RTC), 0x5aff);
	test_equal("IN of a doubleword at the last port of the 8254", inl(PORT_PIT + 3), 0xffffffff);
}

void test_board(void)
{
	test_keyboard();
	test_pci();
	test_acpi();
	test_wide();
	outb(PORT_RESET, 0x0a);
	test_equal("reset control", inb(PORT_RESET), 0x0a);
	outb(PORT_RESET, 0);
	test_equal("system control port A: A20", inb(PORT_FAST_RESET) & 2, 2);
}
