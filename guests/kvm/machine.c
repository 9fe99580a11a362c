/*
 * machine.c: KVM's side of the machine: memory, interrupt controllers and timer in the kernel, one vCPU.
 *
 * Called by main.c and load.c. What KVM offers by default is what is measured: its own CPUID table, its
 * paravirtual leaves, its APICs and PIT; nothing is tuned.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vmm.h"

#define TSS_ADDRESS       0xfffbd000	/* three pages that KVM uses itself, where no RAM is */
#define IDENTITY_ADDRESS  0xfffbc000
#define HUGE_PAGE         ((uintptr_t)2 << 20)
#define CPUID_ENTRIES     256
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID_1_ECX_HYPERVISOR   (1u << 31)
#define CPUID_7_EBX_ERMS         (1u << 9)
#define MSR_MISC_ENABLE   0x1a0
#define FAST_STRINGS      1
#define CR0_PE            0x1
#define CR0_ET            0x10
#define CR0_PG            0x80000000
#define CR4_PAE           0x20
#define EFER_LME_LMA      0x500
#define MULTIBOOT_LOADED  0x2badb002
#define PIC_PINS          8
#define IOAPIC_PINS       24
#define IOAPIC_PIN_PIT    2		/* of IRQ 0, as the ACPI tables say */

static void create_memory(struct machine *m)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };

	void *mapping = mmap(NULL, MEMORY_SIZE + HUGE_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mapping == MAP_FAILED)
		fail("no memory for the guest");
	/* KVM maps a large page where address in the guest and in this process are aligned alike. */
	m->memory = (uint8_t *)(((uintptr_t)mapping + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	must(madvise(m->memory, MEMORY_SIZE, MADV_HUGEPAGE), "MADV_HUGEPAGE");
	/* Populated before the first entry: that the host finds and clears pages is no exit's cost. */
	must(madvise(m->memory, MEMORY_SIZE, MADV_POPULATE_WRITE), "MADV_POPULATE_WRITE");
	region.userspace_addr = (uintptr_t)m->memory;
	must(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static void route(struct kvm_irq_routing *table, uint32_t irq, uint32_t chip, uint32_t pin)
{
	table->entries[table->nr++] = (struct kvm_irq_routing_entry){
		.gsi = irq, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = { chip, pin },
	};
}

/* An ISA IRQ reaches the 8259s and the I/O APIC alike, as KVM has it by default; but IRQ 0 is at another pin there. */
static void set_irq_routing(struct machine *m)
{
	struct kvm_irq_routing *table = calloc(1, sizeof(*table) + 64 * sizeof(table->entries[0]));

	for (uint32_t irq = 0; irq < IOAPIC_PINS; irq++) {
		if (irq < 2 * PIC_PINS)
			route(table, irq, irq < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
			      irq % PIC_PINS);
		if (irq != IOAPIC_PIN_PIT)
			route(table, irq, KVM_IRQCHIP_IOAPIC, irq ? irq : IOAPIC_PIN_PIT);
	}
	must(ioctl(m->vm, KVM_SET_GSI_ROUTING, table), "KVM_SET_GSI_ROUTING");
	free(table);
}

static uint32_t processor_leaf_7_ebx(void)
{
	unsigned a, b = 0, c, d;

	__get_cpuid_count(7, 0, &a, &b, &c, &d);
	return b;
}

/*
 * What KVM supports here, with the ids of a machine of one processor. Two bits KVM leaves to the monitor, and every
 * monitor sets them: that there is a hypervisor, without which Linux doesn't look for KVM's paravirtual
 * leaves, and the APIC timer's TSC-deadline mode (Linux, "KVM API", KVM_GET_SUPPORTED_CPUID).
 * And fast byte strings, if the processor has them: Bochs has no IA32_MISC_ENABLE, so that L1 believes them off and
 * KVM keeps quiet of them. The guest would clear and copy memory by eight bytes an iteration, where Bochs, which
 * counts iterations, has vexit's guest clear it byte by byte: 49 million instructions of a boot.
 */
static void set_cpuid(struct machine *m)
{
	struct kvm_cpuid2 *table = calloc(1, sizeof(*table) + CPUID_ENTRIES * sizeof(table->entries[0]));
	bool deadline = ioctl(m->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;

	table->nent = CPUID_ENTRIES;
	must(ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, table), "KVM_GET_SUPPORTED_CPUID");
	for (unsigned i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];

		if (entry->function == 1) {
			entry->ebx = (entry->ebx & 0xff00) | 1 << 16;
			entry->ecx |= CPUID_1_ECX_HYPERVISOR | (deadline ? CPUID_1_ECX_TSC_DEADLINE : 0);
		} else if (entry->function == 7 && entry->index == 0) {
			entry->ebx |= processor_leaf_7_ebx() & CPUID_7_EBX_ERMS;
		} else if (entry->function == 0xb || entry->function == 0x1f) {
			entry->edx = 0;
		}
	}
	must(ioctl(m->vcpu, KVM_SET_CPUID2, table), "KVM_SET_CPUID2");
	free(table);
}

/* As a BIOS leaves it, and as vexit's guests find it: Linux takes other string routines without. */
static void set_fast_strings(struct machine *m)
{
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(msrs->entries[0]));

	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_MISC_ENABLE;
	if (ioctl(m->vcpu, KVM_GET_MSRS, msrs) != 1)
		fail("KVM_GET_MSRS of IA32_MISC_ENABLE");
	msrs->entries[0].data |= FAST_STRINGS;
	if (ioctl(m->vcpu, KVM_SET_MSRS, msrs) != 1)
		fail("KVM_SET_MSRS of IA32_MISC_ENABLE");
	free(msrs);
}

void machine_create(struct machine *m)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity = IDENTITY_ADDRESS;
	int size;

	m->kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	m->vm = must(ioctl(m->kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	must(ioctl(m->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity), "KVM_SET_IDENTITY_MAP_ADDR");
	must(ioctl(m->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS), "KVM_SET_TSS_ADDR");
	must(ioctl(m->vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	set_irq_routing(m);
	must(ioctl(m->vm, KVM_CREATE_PIT2, &pit), "KVM_CREATE_PIT2");
	create_memory(m);
	m->vcpu = must(ioctl(m->vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	size = must(ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	m->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	if (m->run == MAP_FAILED)
		fail("the vCPU's shared page can't be mapped");
	set_cpuid(m);
	set_fast_strings(m);
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool long_mode)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type, .present = 1,
		.s = 1, .g = 1, .db = !long_mode, .l = long_mode,
	};
}

/* As vcpu_reset() of hv/exit/vcpu.c: flat segments, interrupts off; the rest as KVM resets it. */
void machine_start(struct machine *m, const struct vcpu_start *start)
{
	bool long_mode = start->kind == START_LINUX;
	struct kvm_regs regs = { .rip = start->entry, .rflags = 2 };
	struct kvm_sregs sregs;

	must(ioctl(m->vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs = segment(START_LINUX_CS, 0xb, long_mode);
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = segment(START_LINUX_DS, 0x3, false);
	sregs.cr0 = CR0_PE | CR0_ET;
	if (long_mode) {
		regs.rsi = start->info;
		sregs.gdt = (struct kvm_dtable){ .base = start->gdt, .limit = START_LINUX_DS + 7 };
		sregs.cr0 |= CR0_PG;
		sregs.cr3 = start->cr3;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LME_LMA;
	} else {
		regs.rax = MULTIBOOT_LOADED;
		regs.rbx = start->info;
	}
	must(ioctl(m->vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	must(ioctl(m->vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}
