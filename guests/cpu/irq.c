/*
 * irq.c: interrupts of one vCPU: priority, masking, shadows of STI and MOV SS, the local APIC's timer.
 * (SDM, "Interrupt, Task, and Processor Priority", "APIC Timer", "Masking Exceptions and Interrupts When
 * Switching Stacks")
 */
#include "cpu.h"

#define V_LOW    0x41
#define V_MIDDLE 0x51
#define V_HIGH   0x61
#define V_TIMER  0x71
#define TAKEN_MAX 16

/* What came, in order. Interrupts here go to the BSP alone. */
static struct {
	uint8_t vector[TAKEN_MAX];
	uint64_t rip[TAKEN_MAX];
	volatile uint32_t count;
} taken;

static void on_interrupt(struct trap_frame *frame)
{
	if (taken.count < TAKEN_MAX) {
		taken.vector[taken.count] = (uint8_t)frame->vector;
		taken.rip[taken.count] = frame->rip;
	}
	taken.count++;
	apic_eoi();
}

static void send_self(uint8_t vector)
{
	apic_broadcast(ICR_SELF | ICR_FIXED | vector);
}

static bool bit_of(uint32_t bank, uint8_t vector)
{
	return apic_read(bank + vector / 32 * 0x10) >> vector % 32 & 1;
}

/* Lets in what is pending. */
static void open_window(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

static void check_taken(const char *what, uint32_t count, uint8_t first, uint8_t second)
{
	test_equal(what, taken.count, count);
	if (count > 0)
		test_equal(what, taken.vector[0], first);
	if (count > 1)
		test_equal(what, taken.vector[1], second);
	taken.count = 0;
}

static void test_priority(void)
{
	taken.count = 0;
	send_self(V_LOW);
	send_self(V_HIGH);
	CHECK(bit_of(APIC_IRR, V_LOW) && bit_of(APIC_IRR, V_HIGH), "IRR lacks what is pending");
	check_taken("with IF = 0", 0, 0, 0);
	open_window();
	check_taken("two pending, the higher first", 2, V_HIGH, V_LOW);
	CHECK(!bit_of(APIC_IRR, V_LOW) && !bit_of(APIC_ISR, V_LOW), "IRR or ISR keep what was served");

	send_self(V_LOW);
	send_self(V_LOW);
	open_window();
	check_taken("the same twice is one", 1, V_LOW, 0);

	apic_write(APIC_TPR, 0x50);
	send_self(V_MIDDLE);
	send_self(V_HIGH);
	open_window();
	check_taken("TPR holds back its own class", 1, V_HIGH, 0);
	irq_enable();
	write_cr8(4);
	asm volatile("nop; cli" : : : "memory");
	check_taken("after TPR was lowered by MOV to CR8", 1, V_MIDDLE, 0);
	apic_write(APIC_TPR, 0);
}

static void on_nested(struct trap_frame *frame)
{
	uint32_t before = taken.count;

	(void)frame;
	CHECK(bit_of(APIC_ISR, V_MIDDLE), "ISR lacks what is in service");
	test_equal("PPR in service", apic_read(APIC_PPR), V_MIDDLE & 0xf0);
	send_self(V_LOW);
	send_self(V_HIGH);
	open_window();
	test_equal("in service, only a higher class comes", taken.count, before + 1);
	test_equal("and it is the higher one", taken.vector[before], V_HIGH);
	apic_eoi();
}

static void test_nesting(void)
{
	taken.count = 0;
	trap_set_handler(V_MIDDLE, on_nested);
	send_self(V_MIDDLE);
	open_window();
	check_taken("after EOI the lower one comes", 2, V_HIGH, V_LOW);
	trap_set_handler(V_MIDDLE, on_interrupt);
}

/* An interrupt is pending, and must come after the last instruction of `text`, which stands in a shadow. */
#define SHADOW(name, text) \
	do { \
		uint64_t at_, a_, d_; \
		taken.count = 0; \
		send_self(V_LOW); \
		asm volatile("leaq 2f(%%rip), %0\n\t" text "\n2:\tnop; nop; cli" \
			     : "=&S"(at_), "=a"(a_), "=d"(d_) \
			     : "1"(0), "2"(PORT_UART + 7), "b"(MMIO_LAPIC), "c"(MSR_IA32_APIC_BASE) \
			     : "memory"); \
		test_equal(name ": interrupts", taken.count, 1); \
		test_equal(name ": where", taken.rip[0], at_); \
	} while (0)

static void test_shadows(void)
{
	SHADOW("STI, NOP", "sti; nop");
	SHADOW("STI, OUT", "sti; outb %%al, %%dx");
	SHADOW("STI, MMIO write", "sti; movl %%eax, 0x80(%%rbx)");
	SHADOW("STI, MOV to CR8", "sti; movq %%rax, %%cr8");
	SHADOW("STI, WBINVD", "sti; wbinvd");
	SHADOW("STI, RDMSR", "sti; rdmsr");
	/* The boundary after STI is closed by STI, that after MOV SS by MOV SS. */
	SHADOW("STI, MOV SS, RDMSR", "movl %%ss, %%eax; sti; movw %%ax, %%ss; rdmsr");
	SHADOW("STI, MOV SS, OUT", "movl %%ss, %%eax; sti; movw %%ax, %%ss; outb %%al, %%dx");
}

void test_interrupts(void)
{
	static const uint8_t vectors[] = { V_LOW, V_MIDDLE, V_HIGH };

	for (size_t i = 0; i < sizeof(vectors); i++)
		trap_set_handler(vectors[i], on_interrupt);
	test_priority();
	test_nesting();
	test_shadows();
	/* STI; HLT with the interrupt pending already: HLT is left at once. */
	taken.count = 0;
	send_self(V_LOW);
	irq_enable_and_halt();
	irq_disable();
	check_taken("pending before STI; HLT", 1, V_LOW, 0);
}

/* ---- timer ---- */

/* TSC ticks in `count` ticks of the APIC's timer, by the frequencies that vexit states; 0 elsewhere. */
static uint64_t timer_in_tsc(uint32_t count)
{
	struct cpuid khz = cpuid(CPUID_HYPERVISOR_TSC, 0);

	return under_vexit && khz.ebx ? (uint64_t)count * khz.eax / khz.ebx : 0;
}

static void halt_until(uint32_t count)
{
	while (taken.count < count) {
		irq_enable_and_halt();
		irq_disable();
	}
}

static void test_one_shot(uint32_t count)
{
	uint64_t start = rdtsc(), passed;

	taken.count = 0;
	apic_timer_start(V_TIMER, count, false);
	halt_until(1);
	passed = rdtsc() - start;
	CHECK(passed >= timer_in_tsc(count), "the timer came after %lu of %lu TSC ticks", passed,
	      timer_in_tsc(count));
	test_equal("the timer's count after it", apic_read(APIC_TIMER_CURRENT), 0);
	test_equal("its initial count is kept", apic_read(APIC_TIMER_INITIAL), count);
	open_window();
	test_equal("one shot is one", taken.count, 1);
}

static void test_periodic(uint32_t count, uint32_t ticks)
{
	uint64_t start = rdtsc(), passed;

	taken.count = 0;
	apic_timer_start(V_TIMER, count, true);
	halt_until(ticks);
	passed = rdtsc() - start;
	apic_timer_stop();
	CHECK(passed >= timer_in_tsc(count * ticks), "%u periods took %lu of %lu TSC ticks", ticks, passed,
	      timer_in_tsc(count * ticks));
	taken.count = 0;
	open_window();
	CHECK(taken.count <= 1, "the stopped timer went on ticking");
}

static void test_counting(void)
{
	uint32_t first, second;

	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | V_TIMER);
	apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, 0xffffffff);
	first = apic_read(APIC_TIMER_CURRENT);
	second = apic_read(APIC_TIMER_CURRENT);
	CHECK(second <= first && first != 0, "the timer's count went from %u to %u", first, second);
	apic_write(APIC_TIMER_INITIAL, 0);
	test_equal("the timer's count after writing 0", apic_read(APIC_TIMER_CURRENT), 0);
}

/* Nothing exits while it spins: the hypervisor's own timer has to bring the interrupt. */
static void test_while_spinning(uint32_t count)
{
	taken.count = 0;
	apic_timer_start(V_TIMER, count, false);
	irq_enable();
	while (!taken.count)
		;
	irq_disable();
	check_taken("timer while spinning", 1, V_TIMER, 0);
}

void test_timer(void)
{
	trap_set_handler(V_TIMER, on_interrupt);
	test_counting();
	test_one_shot(1);
	test_one_shot(100000);
	test_periodic(50000, 5);
	test_while_spinning(100000);
	apic_timer_stop();
}
