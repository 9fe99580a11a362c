/*
 * ipi.c: interrupts and NMIs between vCPUs.
 * (SDM, "Issuing Interprocessor Interrupts", "Nonmaskable Interrupt (NMI)", "Handling Multiple NMIs")
 */
#include "cpu.h"

#define V_IPI         0x45
#define V_END         0x46
#define ICR_LOGICAL   0x800
#define ICR_LOWEST    0x100
#define NMI_ROUNDS    3

static uint32_t received[MAX_CPUS]; /* V_IPI, by vCPU */
static uint32_t ready, ending;
static uint32_t nmis[MAX_CPUS];

static void on_ipi(struct trap_frame *frame)
{
	(void)frame;
	atomic_add(&received[this_cpu()->index], 1);
	apic_eoi();
}

static void on_end(struct trap_frame *frame)
{
	(void)frame;
	atomic_store(&ending, 1);
	apic_eoi();
}

static void set_logical_id(const struct cpu *cpu)
{
	apic_write(APIC_DFR, 0xffffffff); /* flat model */
	apic_write(APIC_LDR, 1u << (24 + cpu->index % 8));
}

static void halt_for_ipis(struct cpu *cpu)
{
	set_logical_id(cpu);
	atomic_add(&ready, 1);
	while (!atomic_load(&ending)) {
		irq_enable_and_halt();
		irq_disable();
	}
}

/* Waits until the vCPUs in the mask have received `count` in all, then compares each. */
static void expect_received(const char *what, uint32_t mask)
{
	for (uint32_t i = 0; i < cpu_count(); i++) {
		while (mask >> i & 1 && !atomic_load(&received[i]))
			cpu_relax();
	}
	for (uint32_t i = 0; i < cpu_count(); i++) {
		CHECK(atomic_load(&received[i]) == (mask >> i & 1), "%s: vCPU %u received %u", what, i,
		      received[i]);
		atomic_store(&received[i], 0);
	}
}

static void test_lowest_priority(void)
{
	uint32_t all = (1u << cpu_count()) - 1, sum = 0;

	irq_enable();
	apic_send(all, ICR_LOGICAL | ICR_LOWEST | V_IPI);
	while (!sum) {
		for (uint32_t i = 0; i < cpu_count(); i++)
			sum += atomic_load(&received[i]);
	}
	irq_disable();
	test_equal("lowest priority goes to one vCPU", sum, 1);
	for (uint32_t i = 0; i < cpu_count(); i++)
		atomic_store(&received[i], 0);
}

void test_ipis(void)
{
	uint32_t last = cpu_count() - 1, all = (1u << cpu_count()) - 1;

	if (last == 0 || last > 7) {
		printf("cpu: ipi skipped: needs 2 to 8 vCPUs\n");
		return;
	}
	trap_set_handler(V_IPI, on_ipi);
	trap_set_handler(V_END, on_end);
	atomic_store(&ready, 0);
	atomic_store(&ending, 0);
	smp_start(halt_for_ipis);
	set_logical_id(this_cpu());
	while (atomic_load(&ready) != last)
		cpu_relax();

	apic_send(last, ICR_FIXED | V_IPI);
	expect_received("physical destination", 1u << last);
	apic_broadcast(ICR_OTHERS | ICR_FIXED | V_IPI);
	expect_received("all excluding self", all & ~1u);
	irq_enable();
	apic_broadcast(ICR_ALL | ICR_FIXED | V_IPI);
	asm volatile("nop" : : : "memory");
	expect_received("all including self", all);
	irq_disable();
	apic_send(1u << last | 1u << 1, ICR_LOGICAL | ICR_FIXED | V_IPI);
	expect_received("logical destination", 1u << last | 1u << 1);
	apic_send(0xff, ICR_FIXED | V_IPI);
	irq_enable();
	asm volatile("nop" : : : "memory");
	expect_received("physical broadcast", all);
	irq_disable();
	test_lowest_priority();

	apic_broadcast(ICR_OTHERS | ICR_FIXED | V_END);
	smp_wait();
}

/* ---- NMI ---- */

static void on_nmi(struct trap_frame *frame)
{
	uint32_t *mine = &nmis[this_cpu()->index];

	(void)frame;
	if (atomic_add(mine, 1) != 1)
		return;
	/* NMIs are blocked until IRET: this one waits, even over exits. */
	apic_send(this_cpu()->index, ICR_NMI);
	cpuid(0, 0);
	for (int i = 0; i < 100; i++)
		cpu_relax();
	test_equal("NMIs within the handler of the first", atomic_load(mine), 1);
}

/* With IF = 0 only an NMI ends HLT. */
static void halt_for_nmis(struct cpu *cpu)
{
	atomic_add(&ready, 1);
	while (atomic_load(&nmis[cpu->index]) < 2)
		asm volatile("cli; hlt" : : : "memory");
}

void test_nmi(void)
{
	trap_set_handler(VECTOR_NMI, on_nmi);
	memset(nmis, 0, sizeof(nmis));
	apic_send(this_cpu()->index, ICR_NMI);
	for (int i = 0; i < NMI_ROUNDS; i++)
		cpuid(0, 0);
	test_equal("NMIs, the second after IRET of the first", atomic_load(&nmis[this_cpu()->index]), 2);

	atomic_store(&ready, 0);
	smp_start(halt_for_nmis);
	while (atomic_load(&ready) != cpu_count() - 1)
		cpu_relax();
	for (uint32_t i = 1; i < cpu_count(); i++)
		apic_send(i, ICR_NMI);
	smp_wait();
	for (uint32_t i = 1; i < cpu_count(); i++)
		test_equal("NMIs of a halted vCPU", atomic_load(&nmis[i]), 2);
	trap_set_handler(VECTOR_NMI, NULL);
}
