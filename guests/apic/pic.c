/*
 * pic.c: the 8259 pair (Intel, "8259A Programmable Interrupt Controller") and its ways to a processor: LINT0 as
 * ExtINT ("virtual wire") and fixed, pin 0 of the I/O APIC, and the INTR pin of a processor without its APIC.
 */
#include "apic_parts.h"

#define BASE      0x60 /* vectors of IRQ 0 to 15 */
#define V_LINT0   0x71
#define IRQ_PIT   0
#define IRQ_UART  4
#define IRQ_RTC   8
#define EOI       0x20
#define READ_IRR  0x0a
#define READ_ISR  0x0b
#define LVT_EXTINT 0x700
#define APIC_BASE_ENABLE 0x800ull

static volatile uint32_t taken[16];
static volatile uint32_t spurious;

static uint8_t clock_register(uint8_t index)
{
	outb(PORT_RTC, index);
	return inb(PORT_RTC + 1);
}

static void on_irq(struct trap_frame *frame)
{
	unsigned irq = (unsigned)frame->vector - BASE;

	outb(PORT_PIC_MASTER, READ_ISR);
	if (irq == 7 && !(inb(PORT_PIC_MASTER) & 0x80)) {
		spurious++;
		return;
	}
	taken[irq]++;
	if (irq == IRQ_UART)
		uart_lower();
	if (irq == IRQ_RTC)
		clock_register(0x0c);	/* reading it ends the request */
	if (irq >= 8)
		outb(PORT_PIC_SLAVE, EOI);
	outb(PORT_PIC_MASTER, EOI);
}

static void initialize(uint16_t port, uint8_t base, uint8_t icw3)
{
	outb(port, 0x11);
	outb(port + 1, base);
	outb(port + 1, icw3);
	outb(port + 1, 0x01);
	outb(port + 1, 0xff);
}

static void unmask(uint16_t irqs)
{
	outb(PORT_PIC_MASTER + 1, (uint8_t)~(irqs | (irqs >> 8 ? 1 << 2 : 0)));
	outb(PORT_PIC_SLAVE + 1, (uint8_t)~(irqs >> 8));
}

static void expect_uart(const char *what)
{
	uint32_t before = taken[IRQ_UART];

	uart_raise();
	open_window();
	test_equal(what, taken[IRQ_UART] - before, 1);
	open_window();
	test_equal(what, taken[IRQ_UART] - before, 1);
}

static void test_masks(void)
{
	uint32_t before = taken[IRQ_UART];

	unmask(0);
	uart_raise();
	open_window();
	test_equal("masked", taken[IRQ_UART], before);
	outb(PORT_PIC_MASTER, READ_IRR);
	test_equal("IRR", inb(PORT_PIC_MASTER), 1 << IRQ_UART);
	unmask(1 << IRQ_UART);
	open_window();
	test_equal("unmasked", taken[IRQ_UART], before + 1);
}

/* The request goes before it is taken: there is nothing to take any more, as LINT0 is a level. */
static void test_withdrawn(void)
{
	uint32_t before = taken[IRQ_UART];

	uart_raise();
	uart_lower();
	open_window();
	test_equal("a request that was withdrawn", taken[IRQ_UART], before);
	test_equal("spurious interrupts", spurious, 0);
}

/* HLT is ended by an interrupt of the pair, too. */
static void test_timers(void)
{
	unmask(1 << IRQ_PIT);
	taken[IRQ_PIT] = 0;
	pit_start(300);
	halt_until(&taken[IRQ_PIT], 3);
	pit_start(0);
	unmask(1 << IRQ_RTC);
	taken[IRQ_RTC] = 0;
	clock_register(0x0a);
	outb(PORT_RTC + 1, 0x23);	/* 8192 Hz */
	clock_register(0x0c);
	clock_register(0x0b);
	outb(PORT_RTC + 1, 0x42);	/* periodic interrupt, 24 hours */
	halt_until(&taken[IRQ_RTC], 3);
	clock_register(0x0b);
	outb(PORT_RTC + 1, 0x02);
	unmask(1 << IRQ_UART);
}

static void on_lint0(struct trap_frame *frame)
{
	(void)frame;
	taken[0]++;
	uart_lower();
	apic_eoi();
}

static void test_fixed(void)
{
	trap_set_handler(V_LINT0, on_lint0);
	taken[0] = 0;
	apic_write(APIC_LVT_LINT0, V_LINT0);
	uart_raise();
	open_window();
	test_equal("LINT0 as fixed", taken[0], 1);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
}

void test_pic(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);

	for (unsigned irq = 0; irq < 16; irq++)
		trap_set_handler(BASE + irq, on_irq);
	initialize(PORT_PIC_MASTER, BASE, 1 << 2);
	initialize(PORT_PIC_SLAVE, BASE + 8, 2);
	unmask(1 << IRQ_UART);

	apic_write(APIC_LVT_LINT0, LVT_EXTINT);
	expect_uart("LINT0 as ExtINT");
	test_masks();
	test_withdrawn();
	test_timers();
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	ioapic_route(0, 0, IOAPIC_EXTINT);
	expect_uart("pin 0 of the I/O APIC");
	ioapic_route(0, 0, IOAPIC_MASKED);
	test_fixed();
	wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_ENABLE);
	expect_uart("INTR, without the APIC");
	wrmsr(MSR_IA32_APIC_BASE, base);
	apic_init();
	unmask(0);
}
