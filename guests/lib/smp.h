/*
 * smp.h: a guest's vCPUs: who am I, start the others, wait for each other.
 */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "layout.h"
#include "trap.h"

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM: 64-Bit TSS Format");

struct descriptor_table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* Lies at the bottom of its vCPU's stack. */
struct cpu {
	uint32_t index;   /* = initial APIC id */
	uint32_t online;  /* has reached C since it was last started */
	uint32_t done;    /* its AP function has returned */
	struct trap trap; /* of TRY() */
	uint32_t interrupts[256];
	uint64_t user_rsp; /* of user_run(): where to go on when ring 3 ends */
	uint64_t gdt[GDT_BYTES / 8];
	struct tss tss;
};

/* By the stack pointer, so it costs no exit and needs no register. */
static inline struct cpu *this_cpu(void)
{
	uint64_t rsp;

	asm volatile("movq %%rsp, %0" : "=r"(rsp));
	return (struct cpu *)(rsp & ~(uint64_t)(CPU_AREA_SIZE - 1));
}

struct cpu *cpu_by_index(uint32_t index);

/* vCPUs of the VM: CPUID.1:EBX[23:16], at least 1, at most MAX_CPUS. */
uint32_t cpu_count(void);

typedef void ap_function(struct cpu *cpu);

/* Starts every other vCPU by INIT and SIPI; each runs ap_main and then halts. May be called again. */
void smp_start(ap_function *ap_main);

/* Waits until all of them have returned from it. */
void smp_wait(void);

/* All of it: function runs on every vCPU, this one included, and has ended everywhere on return. */
void smp_run(ap_function *function);

/* This vCPU's own GDT and TSS. Called before main() and before ap_main. */
void cpu_init(struct cpu *cpu, uint32_t index);

struct barrier {
	uint32_t arrived, round;
};

/* Spins (with PAUSE) until `members` vCPUs are here. */
void barrier_wait(struct barrier *barrier, uint32_t members);

static inline void spin_lock(uint32_t *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static inline void spin_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
