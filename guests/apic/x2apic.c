/*
 * x2apic.c: the local APIC by MSRs (SDM, "Extended XAPIC (x2APIC)"), and IA32_TSC_DEADLINE (SDM, "TSC-Deadline
 * Mode").
 */
#include "apic_parts.h"

#define X2(reg)          (0x800 + (reg) / 16)
#define X2_SELF_IPI      0x83f
#define MSR_TSC_DEADLINE 0x6e0
#define BASE_ENABLE      0x800ull
#define BASE_EXTD        0x400ull
#define TIMER_DEADLINE   0x40000
#define ICR_LOGICAL      0x800

#define V_SELF  0x45
#define V_IPI   0x46
#define V_TIMER 0x47
#define V_ERROR 0x48

static volatile uint32_t taken[MAX_CPUS];
static struct barrier barrier;

static void on_interrupt(struct trap_frame *frame)
{
	(void)frame;
	taken[this_cpu()->index]++;
	wrmsr(X2(APIC_EOI), 0);
}

static void refuses(const char *what, uint32_t msr, uint64_t value)
{
	test_trap(what, try_wrmsr(msr, value), VECTOR_GP, 0);
}

static void enter_x2apic(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);

	refuses("IA32_APIC_BASE: EXTD without EN", MSR_IA32_APIC_BASE, (base & ~BASE_ENABLE) | BASE_EXTD);
	wrmsr(MSR_IA32_APIC_BASE, base | BASE_EXTD);
	refuses("IA32_APIC_BASE: x2APIC to xAPIC", MSR_IA32_APIC_BASE, base);
	test_equal("IA32_APIC_BASE", rdmsr(MSR_IA32_APIC_BASE), base | BASE_EXTD);
}

static void leave_x2apic(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);

	wrmsr(MSR_IA32_APIC_BASE, base & ~(BASE_ENABLE | BASE_EXTD));
	refuses("IA32_APIC_BASE: disabled to x2APIC", MSR_IA32_APIC_BASE, base);
	apic_restart();
}

static void test_registers(uint32_t index)
{
	uint64_t value;

	test_equal("x2APIC ID", rdmsr(X2(APIC_ID)), index);
	test_equal("logical x2APIC ID", rdmsr(X2(APIC_LDR)), 1u << index);
	test_equal("SVR, as it was", rdmsr(X2(APIC_SVR)), APIC_SVR_ENABLE | APIC_SPURIOUS_VECTOR);
	test_trap("RDMSR of DFR", try_rdmsr(X2(APIC_DFR), &value), VECTOR_GP, 0);
	test_trap("RDMSR of EOI", try_rdmsr(X2(APIC_EOI), &value), VECTOR_GP, 0);
	test_trap("RDMSR of the ICR's high half", try_rdmsr(X2(APIC_ICR_HIGH), &value), VECTOR_GP, 0);
	test_trap("RDMSR of SELF IPI", try_rdmsr(X2_SELF_IPI, &value), VECTOR_GP, 0);
	refuses("the ID", X2(APIC_ID), 0);
	refuses("EOI, 1", X2(APIC_EOI), 1);
	refuses("ESR, 1", X2(APIC_ESR), 1);
	refuses("TPR, bit 8", X2(APIC_TPR), 0x100);
	refuses("TPR, bit 32", X2(APIC_TPR), 1ull << 32);
	refuses("LVT timer, bit 20", X2(APIC_LVT_TIMER), 1 << 20);
	refuses("ICR, bit 20", X2(APIC_ICR_LOW), 1 << 20);
	wrmsr(X2(APIC_TPR), 0x35);
	test_equal("CR8 is TPR's high half", read_cr8(), 3);
	wrmsr(X2(APIC_TPR), 0);
}

static void test_self(uint32_t index)
{
	taken[index] = 0;
	wrmsr(X2_SELF_IPI, V_SELF);
	test_equal("IRR", rdmsr(X2(APIC_IRR) + V_SELF / 32) >> V_SELF % 32 & 1, 1);
	open_window();
	test_equal("SELF IPI", taken[index], 1);
	wrmsr(X2(APIC_ICR_LOW), ICR_SELF | V_SELF);
	open_window();
	test_equal("ICR, self", taken[index], 2);
	wrmsr(X2(APIC_ICR_LOW), (uint64_t)index << 32 | V_SELF);
	open_window();
	test_equal("ICR, its ID", taken[index], 3);
	wrmsr(X2(APIC_ICR_LOW), 1ull << (32 + index) | ICR_LOGICAL | V_SELF);
	open_window();
	test_equal("ICR, its logical ID", taken[index], 4);
	wrmsr(X2(APIC_ICR_LOW), 0x00010001ull << 32 | ICR_LOGICAL | V_SELF);
	open_window();
	test_equal("ICR, another cluster", taken[index], 4);
}

/* In a ring: each sends to the next and sleeps until the one before has sent; then all to all. */
static void test_ring(uint32_t index)
{
	uint32_t count = cpu_count();

	taken[index] = 0;
	barrier_wait(&barrier, count);
	wrmsr(X2(APIC_ICR_LOW), (uint64_t)((index + 1) % count) << 32 | V_IPI);
	halt_until(&taken[index], 1);
	barrier_wait(&barrier, count);
	test_equal("IPIs in the ring", taken[index], 1);
	barrier_wait(&barrier, count);
	wrmsr(X2(APIC_ICR_LOW), ICR_OTHERS | V_IPI);
	/* Several may be one: they are bits of IRR. */
	if (count > 1)
		halt_until(&taken[index], 2);
	barrier_wait(&barrier, count);
	open_window();
	wrmsr(X2(APIC_ICR_LOW), 0xffffffffull << 32 | V_IPI);
	barrier_wait(&barrier, count);
	open_window();
	CHECK(taken[index] >= (count > 1 ? 3 : 2), "broadcasts: vCPU %u took %u", index, taken[index]);
}

void test_x2apic(void)
{
	uint32_t index = this_cpu()->index;

	if (!(cpuid(1, 0).ecx >> 21 & 1)) {
		printf("apic: no x2APIC\n");
		return;
	}
	trap_set_handler(V_SELF, on_interrupt);
	trap_set_handler(V_IPI, on_interrupt);
	enter_x2apic();
	test_registers(index);
	test_self(index);
	test_ring(index);
	barrier_wait(&barrier, cpu_count());
	leave_x2apic();
}

/* ---- TSC deadline ---- */

static void arm(uint64_t deadline)
{
	wrmsr(MSR_TSC_DEADLINE, deadline);
}

static void test_deadlines(volatile uint32_t *count)
{
	uint64_t deadline = rdtsc() + 200000;

	arm(deadline);
	test_equal("IA32_TSC_DEADLINE, armed", rdmsr(MSR_TSC_DEADLINE), deadline);
	test_equal("current count", rdmsr(X2(APIC_TIMER_CURRENT)), 0);
	halt_until(count, 1);
	CHECK(rdtsc() >= deadline, "the deadline came %lu cycles early", deadline - rdtsc());
	test_equal("IA32_TSC_DEADLINE, after it", rdmsr(MSR_TSC_DEADLINE), 0);
	arm(1);
	open_window();
	test_equal("a deadline in the past", *count, 2);
	deadline = rdtsc() + 100000;
	arm(deadline);
	irq_enable();
	while (*count < 3)
		;
	irq_disable();
	CHECK(rdtsc() >= deadline, "spinning, the deadline came early");
	arm(rdtsc() + 50000);
	arm(0);
	for (uint64_t end = rdtsc() + 100000; rdtsc() < end;)
		cpu_relax();
	open_window();
	test_equal("a disarmed timer", *count, 3);
}

/* A deadline is a value of the TSC: when the TSC leaps over it, it has come. */
static void test_leap(volatile uint32_t *count)
{
	uint32_t before = *count;
	uint64_t now = rdtsc();

	arm(now + (1ull << 36));
	wrmsr(MSR_IA32_TSC, now + (1ull << 37));
	open_window();
	test_equal("the TSC leapt over the deadline", *count, before + 1);
	wrmsr(MSR_IA32_TSC, rdtsc() - (1ull << 37));
}

static void test_modes(volatile uint32_t *count)
{
	uint32_t before = *count;

	arm(rdtsc() + 50000);
	wrmsr(X2(APIC_LVT_TIMER), V_TIMER); /* one-shot: disarmed */
	test_equal("IA32_TSC_DEADLINE in another mode", rdmsr(MSR_TSC_DEADLINE), 0);
	arm(1);
	open_window();
	test_equal("IA32_TSC_DEADLINE, written in another mode", *count, before);
	wrmsr(X2(APIC_TIMER_DIVIDE), APIC_TIMER_DIVIDE_BY_1);
	wrmsr(X2(APIC_TIMER_INITIAL), 50000);
	halt_until(count, before + 1);
}

void test_tsc_deadline(void)
{
	volatile uint32_t *count = &taken[this_cpu()->index];

	if (!(cpuid(1, 0).ecx >> 24 & 1) || !(cpuid(1, 0).ecx >> 21 & 1)) {
		printf("apic: no TSC deadline\n");
		return;
	}
	trap_set_handler(V_TIMER, on_interrupt);
	*count = 0;
	enter_x2apic();
	wrmsr(X2(APIC_LVT_TIMER), TIMER_DEADLINE | V_TIMER);
	test_deadlines(count);
	if (under_vexit)
		test_leap(count);
	test_modes(count);
	leave_x2apic();
}
