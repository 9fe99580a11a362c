/*
 * fake.c: the machine of fake.h: its making, the modes of its vCPUs, its devices' registers. The world
 * that it stands in is fake_world.c's, its steps are fake_step.c's.
 */
#include <stdlib.h>

#include "fake.h"

#define PTE_TABLE 7
#define PTE_LARGE 0x87

/* What a processor of the Skylake server kind says, and some bits that no guest of ours may see. */
static const struct host_cpuid host[] = {
	{ 0x0, CPUID_ANY_SUBLEAF, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69 },
	{ 0x1, CPUID_ANY_SUBLEAF, 0x00050654, 0x07100800, 0xffffffff, 0xffffffff },
	{ 0x2, CPUID_ANY_SUBLEAF, 0x76036301, 0x00f0b5ff, 0, 0x00c30000 },
	{ 0x4, 0, 0x1c004121, 0x01c0003f, 0x3f, 0 },
	{ 0x4, 1, 0x1c004122, 0x01c0003f, 0x3f, 0 },
	{ 0x4, 2, 0x1c004143, 0x03c0003f, 0x3ff, 0 },
	{ 0x4, 3, 0x1c03c163, 0x0280003f, 0x2fff, 4 },
	{ 0x7, 0, 0, 0xffffffff, 0xffffffff, 0xffffffff },
	{ 0xd, 0, 0x2ff, 0xa80, 0xa80, 0 },
	{ 0xd, 1, 0xf, 0xa80, 0x100, 0 },
	{ 0xd, 2, 0x100, 0x240, 0, 0 },
	{ 0xd, 5, 0x40, 0x440, 0, 0 },
	{ 0xd, 6, 0x200, 0x480, 0, 0 },
	{ 0xd, 7, 0x400, 0x680, 0, 0 },
	{ 0xd, 9, 0x8, 0xa80, 0, 0 },
	{ 0x80000001, CPUID_ANY_SUBLEAF, 0, 0, 0xffffffff, 0xffffffff },
	{ 0x80000008, CPUID_ANY_SUBLEAF, 0x302e, 0x200, 0, 0 },
};

static void set_config(struct vm_config *c, unsigned cpus)
{
	*c = (struct vm_config){
		.memory_size = FAKE_MEMORY, .tsc_khz = FAKE_KHZ, .cpu_count = cpus,
		.xcr0_allowed = 0x2e7, .xss_allowed = 0,
		.cr0_fixed0 = 0x80000021, .cr0_fixed1 = 0xffffffff,
		.cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3727ff,
	};
	cpuid_build_policy(c, host, sizeof(host) / sizeof(host[0]), UINT64_MAX);
}

struct fake *fake_new(unsigned cpus)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->world = (struct world){ .ops = &fake_world_ops, .context = f };
	f->slice_end = TIME_NONE;
	f->now = 1000000;
	set_config(&f->vm.config, cpus);
	vm_reset(&f->vm);
	for (unsigned i = 0; i < cpus; i++) {
		struct vcpu *v = &f->cpu[i];

		v->index = i;
		memset(v->loaded, 0xff, sizeof(v->loaded));
		fake_set(v, VMCS_PIN_CONTROLS,
			 PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER);
		vcpu_reset(v, &f->vm, &(struct vcpu_start){ .kind = START_MULTIBOOT, .entry = FAKE_CODE, .info = 0x9000 });
		fake_set(v, VMCS_GUEST_RSP, FAKE_STACK);
	}
	return f;
}

void fake_free(struct fake *f)
{
	free(f);
}

int fake_setup(void **state)
{
	*state = fake_new(1);
	return 0;
}

int fake_setup_smp(void **state)
{
	*state = fake_new(4);
	return 0;
}

int fake_teardown(void **state)
{
	fake_free(*state);
	return 0;
}

/* ---- Its state ---- */

void fake_set(struct vcpu *v, enum vmcs_slot slot, uint64_t value)
{
	v->vmcs[slot] = value;
}

void fake_put64(struct fake *f, uint64_t gpa, uint64_t value)
{
	memcpy(f->memory + gpa, &value, 8);
}

uint64_t fake_get64(const struct fake *f, uint64_t gpa)
{
	uint64_t value;

	memcpy(&value, f->memory + gpa, 8);
	return value;
}

void fake_long_mode(struct fake *f, struct vcpu *v)
{
	uint64_t pml4 = FAKE_TABLES, pdpt = pml4 + 0x1000, pd = pdpt + 0x1000;

	fake_put64(f, pml4, pdpt | PTE_TABLE);
	for (unsigned i = 0; i < 4; i++)
		fake_put64(f, pdpt + 8 * i, (pd + 0x1000 * i) | PTE_TABLE);
	for (uint64_t i = 0; i < 2048; i++)
		fake_put64(f, pd + 8 * i, i << 21 | PTE_LARGE);
	fake_set(v, VMCS_GUEST_CR3, pml4);
	fake_set(v, VMCS_GUEST_CR4, CR4_PAE | CR4_VMXE);
	fake_set(v, VMCS_GUEST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE);
	fake_set(v, VMCS_CR0_READ_SHADOW, CR0_PG | CR0_WP | CR0_ET | CR0_PE);
	fake_set(v, VMCS_GUEST_EFER, EFER_LMA | EFER_LME | EFER_NXE | EFER_SCE);
	fake_set(v, VMCS_ENTRY_CONTROLS, ENTRY_IA32E);
	fake_set(v, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
}

void fake_real_mode(struct vcpu *v)
{
	fake_set(v, VMCS_GUEST_CR0, vmcs_read(v, VMCS_GUEST_CR0) & ~CR0_PE);
	fake_set(v, VMCS_CR0_READ_SHADOW, vmcs_read(v, VMCS_CR0_READ_SHADOW) & ~CR0_PE);
	for (unsigned seg = SEG_ES; seg < SEG_COUNT; seg++) {
		fake_set(v, VMCS_GUEST_ES_SELECTOR + seg, FAKE_CODE >> 8);
		fake_set(v, VMCS_GUEST_ES_BASE + seg, seg == SEG_CS ? FAKE_CODE : FAKE_DATA);
		fake_set(v, VMCS_GUEST_ES_LIMIT + seg, 0xffff);
		fake_set(v, VMCS_GUEST_ES_ACCESS_RIGHTS + seg, seg == SEG_CS ? 0x9b : 0x93);
	}
	fake_set(v, VMCS_GUEST_RIP, 0);
}

void fake_set_cpl(struct vcpu *v, unsigned cpl)
{
	uint64_t rights = vmcs_read(v, VMCS_GUEST_SS_ACCESS_RIGHTS) & ~(uint64_t)AR_DPL;

	fake_set(v, VMCS_GUEST_SS_ACCESS_RIGHTS, rights | cpl << 5);
}

void fake_code(struct fake *f, struct vcpu *v, const void *bytes, unsigned count)
{
	uint64_t at = vmcs_read(v, VMCS_GUEST_RIP);

	if (!vcpu_is_64bit(v))
		at += vmcs_read(v, VMCS_GUEST_CS_BASE);
	memcpy(f->memory + at, bytes, count);
}

/* ---- Its devices ---- */

uint32_t fake_apic_read(struct fake *f, unsigned cpu, uint32_t offset)
{
	return (uint32_t)lapic_read(&f->vm, cpu, offset, 4, f->now);
}

void fake_apic_write(struct fake *f, unsigned cpu, uint32_t offset, uint32_t value)
{
	lapic_write(&f->vm, &f->world, cpu, offset, 4, value, f->now);
}

static struct port_access access_to(struct fake *f, uint16_t port, unsigned size)
{
	return (struct port_access){ &f->vm, &f->world, 0, vm_time(&f->vm, f->now), port, size };
}

uint32_t fake_in(struct fake *f, uint16_t port, unsigned size)
{
	struct port_access a = access_to(f, port, size);

	return port_read(&a);
}

void fake_out(struct fake *f, uint16_t port, unsigned size, uint32_t value)
{
	struct port_access a = access_to(f, port, size);

	port_write(&a, (const uint8_t *)&value, 1);
}

uint8_t fake_inb(struct fake *f, uint16_t port)
{
	return (uint8_t)fake_in(f, port, 1);
}

void fake_outb(struct fake *f, uint16_t port, uint8_t value)
{
	fake_out(f, port, 1, value);
}
