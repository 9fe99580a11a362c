/*
 * Whatever a trace or a guest puts into struct vcpu and struct vm: a handler stays within them, within the
 * guest's memory and within the bounds of a step's crossings. Under the sanitizers this is the core's
 * robustness test.
 */
#include "support/fake.h"
#include "support/random.h"

#define ROUNDS 60000

static uint64_t random_value(void)
{
	switch (random_u64() % 5) {
	case 0: return random_u64() % 16;
	case 1: return UINT64_C(1) << random_u64() % 64;
	case 2: return random_u64() % FAKE_MEMORY;
	case 3: return UINT64_MAX - random_u64() % 4096;
	default: return random_u64();
	}
}

static uint64_t random_field(enum vmcs_slot slot)
{
	switch (vmcs_encoding_width(vmcs_fields[slot].encoding)) {
	case VMCS_WIDTH_16: return (uint16_t)random_value();
	case VMCS_WIDTH_32: return (uint32_t)random_value();
	default: return random_value();
	}
}

/* All of struct vm but what the world itself relies on. */
static void corrupt_vm(struct fake *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct vm_field *field = &vm_fields[random_u64() % vm_field_count];
		unsigned copy = field->device == VM_DEVICE_CPU0 ? random_u64() % VM_MAX_CPUS : 0;
		uint64_t value = random_value();

		if (strcmp(field->name, "config.memory_size") == 0)
			continue;
		memcpy((uint8_t *)&f->vm + field->offset + copy * sizeof(struct vm_cpu) +
		       random_u64() % field->count * field->size, &value, field->size);
	}
}

static void corrupt_vcpu(struct vcpu *v, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		enum vmcs_slot slot = random_u64() % VMCS_SLOTS;

		fake_set(v, slot, random_field(slot));
	}
	for (unsigned i = 0; i < GPR_COUNT; i++) {
		if (i != GPR_RSP && random_u64() % 4 == 0)
			v->gpr[i] = random_value();
	}
}

static void corrupt_memory(struct fake *f)
{
	for (unsigned i = 0; i < 16; i++) {
		uint64_t value = random_value(), table = FAKE_TABLES + random_u64() % 0x6000 / 8 * 8;
		uint64_t at = random_u64() % 2 ? table : random_u64() % (FAKE_MEMORY / 8) * 8;

		memcpy(f->memory + at, &value, 8);
	}
	for (unsigned i = 0; i < 32; i++)
		f->memory[FAKE_CODE + i] = (uint8_t)random_u64();
}

static struct fake *renew(struct fake *f)
{
	if (f)
		fake_free(f);
	f = fake_new(1 + random_u64() % 4);
	for (unsigned i = 0; i < f->vm.config.cpu_count; i++) {
		if (random_u64() & 1)
			fake_long_mode(f, &f->cpu[i]);
	}
	return f;
}

static void step(struct fake *f, unsigned cpus)
{
	struct vcpu *v = &f->cpu[random_u64() % cpus];
	static const uint8_t likely[] = {
		REASON_EPT_VIOLATION, REASON_IO_INSTRUCTION, REASON_CR_ACCESS, REASON_VMCALL, REASON_WRMSR,
		REASON_RDMSR, REASON_CPUID,
	};

	f->console_size = 0;
	f->now += random_u64() % 1000000;
	f->slice_end = random_value();
	f->memory_races = random_u64() % 16 == 0;
	f->input = random_u64() % 4 ? "" : "some text that is typed, more than fits";
	if (random_u64() % 3 == 0) {
		fake_enter(f, v);
	} else {
		unsigned reason = random_u64() & 1 ? likely[random_u64() % sizeof(likely)] : random_u64() % 84;
		uint64_t qualification = random_value();

		fake_exit(f, v, reason, qualification, random_u64() % 16);
	}
	if (f->vm.stop.kind != STOP_NONE)
		f->vm.stop.kind = STOP_NONE;
}

static void anything(void **state)
{
	struct fake *f = NULL;
	struct vcpu *v;
	unsigned cpus = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i % 200 == 0) {
			f = renew(f);
			cpus = f->vm.config.cpu_count;
		}
		corrupt_vm(f, random_u64() % 4);
		v = &f->cpu[random_u64() % cpus];
		corrupt_vcpu(v, random_u64() % 8);
		if (random_u64() % 8 == 0)
			corrupt_memory(f);
		step(f, cpus);
	}
	fake_free(f);
}

/* Device accesses by real instructions, so that the emulator gets beyond its first check. */
static void any_instruction_on_a_device(void **state)
{
	struct fake *f = renew(NULL);

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct vcpu *v = &f->cpu[0];
		uint64_t gpa = random_u64() & 1 ? MMIO_LAPIC : MMIO_CONSOLE;

		gpa += random_u64() % 4096;
		if (i % 100 == 0) {
			f = renew(f);
			v = &f->cpu[0];
		}
		corrupt_memory(f);
		corrupt_vcpu(v, 0);
		v->gpr[random_u64() % 2 ? GPR_RDI : GPR_RSI] = gpa;
		if (random_u64() & 1)
			f->memory[FAKE_CODE + 1] = 7;	/* (%rdi) */
		f->console_size = 0;
		fake_set(v, VMCS_GUEST_RIP, FAKE_CODE);
		fake_set(v, VMCS_GUEST_LINEAR_ADDR, gpa);
		fake_set(v, VMCS_GUEST_PHYSICAL_ADDR, gpa);
		fake_exit(f, v, REASON_EPT_VIOLATION, random_u64() & 1 ? 0x181 : 0x182, 0);
		f->vm.stop.kind = STOP_NONE;
	}
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything),
		cmocka_unit_test(any_instruction_on_a_device),
	};

	random_seed(0x853c49e6748fea9b);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
