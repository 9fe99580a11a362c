/*
 * smp.c: starting vCPUs and waiting for them.
 *
 * Nothing here keeps time: a vCPU that doesn't come up leaves the guest waiting, and the recorder's
 * --timeout ends it with the exits that led there.
 */
#include "entry.h"
#include "guest.h"

#define SIPI_PATIENCE 1000000 /* PAUSEs before the second SIPI; only real machines may need it */

extern const uint8_t trampoline[], trampoline_end[];

/* Shared with start.S, which computes a vCPU's stack from its index. */
union {
	struct cpu cpu;
	uint8_t bytes[CPU_AREA_SIZE];
} cpu_areas[MAX_CPUS] __attribute__((aligned(CPU_AREA_SIZE)));

static ap_function *ap_main;

struct cpu *cpu_by_index(uint32_t index)
{
	return &cpu_areas[index].cpu;
}

uint32_t cpu_count(void)
{
	static uint32_t count;

	if (!count) {
		uint32_t ids = cpuid(1, 0).ebx >> 16 & 0xff;

		count = ids == 0 ? 1 : ids > MAX_CPUS ? MAX_CPUS : ids;
	}
	return count;
}

void cpu_init(struct cpu *cpu, uint32_t index)
{
	uint64_t tss = (uint64_t)&cpu->tss;
	struct descriptor_table table = { sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt };

	cpu->index = index;
	cpu->tss = (struct tss){ .iomap = sizeof(struct tss) };
	cpu->gdt[SEL_CODE64 / 8] = 0x00af9b000000ffff;
	cpu->gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	cpu->gdt[SEL_CODE32 / 8] = 0x00cf9b000000ffff;
	cpu->gdt[SEL_USER_CODE32 / 8] = 0x00cffb000000ffff;
	cpu->gdt[SEL_USER_DATA / 8] = 0x00cff3000000ffff;
	cpu->gdt[SEL_USER_CODE64 / 8] = 0x00affb000000ffff;
	/* An available 64-bit TSS; LTR marks it busy, so it is built anew after each INIT. */
	cpu->gdt[SEL_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
				(tss >> 24 & 0xff) << 56;
	cpu->gdt[SEL_TSS / 8 + 1] = tss >> 32;
	asm volatile("lgdt %0" : : "m"(table));
	asm volatile("ltr %w0" : : "r"(SEL_TSS));
}

/* Called by start.S on an application processor. */
void ap_start(void)
{
	struct cpu *cpu = this_cpu();

	cpu_init(cpu, (uint32_t)((uint64_t)cpu - (uint64_t)cpu_areas) / CPU_AREA_SIZE);
	trap_init();
	apic_init();
	atomic_store(&cpu->online, 1);
	ap_main(cpu);
	atomic_store(&cpu->done, 1);
	for (;;)
		asm volatile("cli; hlt");
}

void smp_start(ap_function *function)
{
	uint32_t self = this_cpu()->index;

	memcpy((void *)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
	ap_main = function;
	for (uint32_t i = 0; i < cpu_count(); i++) {
		struct cpu *cpu = cpu_by_index(i);

		if (i == self)
			continue;
		atomic_store(&cpu->online, 0);
		atomic_store(&cpu->done, 0);
		apic_send(i, ICR_INIT);
		apic_send(i, ICR_STARTUP | TRAMPOLINE >> 12);
		for (int spins = 0; !atomic_load(&cpu->online) && spins < SIPI_PATIENCE; spins++)
			cpu_relax();
		if (!atomic_load(&cpu->online))
			apic_send(i, ICR_STARTUP | TRAMPOLINE >> 12);
	}
}

void smp_wait(void)
{
	for (uint32_t i = 0; i < cpu_count(); i++) {
		while (i != this_cpu()->index && !atomic_load(&cpu_by_index(i)->done))
			cpu_relax();
	}
}

void smp_run(ap_function *function)
{
	smp_start(function);
	function(this_cpu());
	smp_wait();
}

void barrier_wait(struct barrier *barrier, uint32_t members)
{
	uint32_t round = atomic_load(&barrier->round);

	if (atomic_add(&barrier->arrived, 1) == members) {
		atomic_store(&barrier->arrived, 0);
		atomic_add(&barrier->round, 1);
		return;
	}
	while (atomic_load(&barrier->round) == round)
		cpu_relax();
}
