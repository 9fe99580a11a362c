/*
 * EPT violations (SDM, "Exit Qualification for EPT Violations"): devices, absent memory, and the faults of
 * the instruction that is emulated.
 */
#include "support/fake.h"

#define READ	0x181
#define WRITE	0x182
#define FETCH	0x184

static struct fake *set_up(void **state)
{
	struct fake *f = *state;

	fake_long_mode(f, &f->cpu[0]);
	return f;
}

/* The instruction `code` accesses `gpa`, mapped to itself. */
static enum exit_action violate(struct fake *f, const char *code, unsigned size, uint64_t gpa,
				uint64_t qualification)
{
	struct vcpu *v = &f->cpu[0];

	fake_code(f, v, code, size);
	fake_set(v, VMCS_GUEST_LINEAR_ADDR, gpa);
	fake_set(v, VMCS_GUEST_PHYSICAL_ADDR, gpa);
	/* The length is undefined for this exit. */
	return fake_exit(f, v, REASON_EPT_VIOLATION, qualification, 77);
}

static void write_lapic(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	v->gpr[GPR_RDI] = MMIO_LAPIC + 0x80;
	v->gpr[GPR_RAX] = 0x35;
	assert_int_equal(violate(f, "\x89\x07", 2, MMIO_LAPIC + 0x80, WRITE), ACTION_RETIRE);
	assert_int_equal(f->vm.cpu[0].lapic.tpr, 0x35);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE + 2);
	assert_int_equal(f->vm.touched, 1 << VM_DEVICE_CPU0);
	/* The operand's translation came with the exit: the only walk is the instruction's. */
	assert_int_equal(fake_count(f, CROSSING_MEM_READ), 3 + 1);
}

static void read_lapic(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	v->gpr[GPR_RBX] = MMIO_LAPIC;
	v->gpr[GPR_RCX] = UINT64_MAX;
	assert_int_equal(violate(f, "\x8b\x4b\x30", 3, MMIO_LAPIC + 0x30, READ), ACTION_RETIRE);
	assert_int_equal(v->gpr[GPR_RCX], 0x00050014);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE + 3);
	assert_int_equal(f->vm.touched, 0);
}

static void print_on_console(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	v->gpr[GPR_RDI] = MMIO_CONSOLE;
	v->gpr[GPR_RAX] = 'k';
	assert_int_equal(violate(f, "\x88\x07", 2, MMIO_CONSOLE, WRITE), ACTION_RETIRE);
	assert_string_equal(f->console, "k");
	assert_int_equal(violate(f, "\x88\x47\x01", 3, MMIO_CONSOLE + 1, WRITE), ACTION_RETIRE);
	assert_string_equal(f->console, "k");	/* offset 0 alone prints */
	v->gpr[GPR_RAX] = UINT64_MAX;
	assert_int_equal(violate(f, "\x8b\x07", 2, MMIO_CONSOLE, READ), ACTION_RETIRE);
	assert_int_equal(v->gpr[GPR_RAX], 0);
}

/* From RAM to a device, both by page walks. */
static void rep_movs_to_device(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	memcpy(f->memory + FAKE_DATA, "m", 1);
	v->gpr[GPR_RSI] = FAKE_DATA;
	v->gpr[GPR_RDI] = MMIO_CONSOLE;
	v->gpr[GPR_RCX] = 3;
	assert_int_equal(violate(f, "\xf3\xa4", 2, MMIO_CONSOLE, WRITE), ACTION_RETIRE);
	assert_string_equal(f->console, "m");
	assert_int_equal(v->gpr[GPR_RCX], 0);
	assert_int_equal(v->gpr[GPR_RDI], MMIO_CONSOLE + 3);
}

/* A bounded number of iterations an exit, and the instruction runs again. */
static void rep_stos_takes_several_exits(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];
	unsigned exits = 0;

	v->gpr[GPR_RDI] = MMIO_CONSOLE;
	v->gpr[GPR_RCX] = 500;
	while (violate(f, "\xf3\xaa", 2, v->gpr[GPR_RDI], WRITE) == ACTION_RESUME)
		exits++;
	assert_int_equal(exits, 500 / 64);
	assert_int_equal(v->gpr[GPR_RCX], 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE + 2);
}

static void absent_memory(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	v->gpr[GPR_RDI] = 0xc0000000;
	v->gpr[GPR_RAX] = 0;
	assert_int_equal(violate(f, "\x48\x8b\x07", 3, 0xc0000000, READ), ACTION_RETIRE);
	assert_int_equal(v->gpr[GPR_RAX], UINT64_MAX);
	assert_int_equal(violate(f, "\x48\x89\x07", 3, 0xc0000000, WRITE), ACTION_RETIRE);
	assert_int_equal(f->vm.absent_io, 2);
}

/* What is fetched from nowhere is FF FF: no instruction. */
static void fetch_from_nowhere(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_GUEST_RIP, 0xc0000000);
	fake_set(v, VMCS_GUEST_LINEAR_ADDR, 0xc0000000);
	fake_set(v, VMCS_GUEST_PHYSICAL_ADDR, 0xc0000000);
	assert_int_equal(fake_exit(f, v, REASON_EPT_VIOLATION, FETCH, 0), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_UD, -1);
}

/* The second operand faults: the instruction has done nothing. */
static void fault_in_other_operand(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	memset(f->memory + FAKE_TABLES + 0x2000 + 8 * 3, 0, 8);
	v->gpr[GPR_RSI] = MMIO_LAPIC + 0x30;
	v->gpr[GPR_RDI] = 0x600000;
	assert_int_equal(violate(f, "\xa5", 1, MMIO_LAPIC + 0x30, READ), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_PF, PF_WRITE);
	assert_int_equal(v->gpr[GPR_CR2], 0x600000);
	assert_int_equal(v->gpr[GPR_RSI], MMIO_LAPIC + 0x30);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE);
}

/* A page table that isn't in RAM reads as all ones: a reserved-bit fault for whoever walks it. */
static void paging_structure_in_nowhere(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];
	uint64_t entry = 0x30000007;

	memcpy(f->memory + FAKE_TABLES + 0x2000 + 8 * 4, &entry, 8);	/* the table of 0x800000 */
	v->gpr[GPR_RDI] = 0x800000;
	fake_code(f, v, "\x8b\x07", 2);
	fake_set(v, VMCS_GUEST_LINEAR_ADDR, 0x800000);
	fake_set(v, VMCS_GUEST_PHYSICAL_ADDR, 0x30000000);
	assert_int_equal(fake_exit(f, v, REASON_EPT_VIOLATION, 0x81, 0), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_PF, PF_PRESENT | PF_RESERVED);
	assert_int_equal(v->gpr[GPR_CR2], 0x800000);
}

static void instruction_across_pages(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_GUEST_RIP, 0x3ffffe);
	memset(f->memory + FAKE_TABLES + 0x2000 + 8 * 2, 0, 8);
	v->gpr[GPR_RDI] = MMIO_CONSOLE;
	v->gpr[GPR_RAX] = '!';
	/* It ends with the page. */
	assert_int_equal(violate(f, "\x88\x07", 2, MMIO_CONSOLE, WRITE), ACTION_RETIRE);
	assert_string_equal(f->console, "!");
	/* It doesn't, and the rest isn't there. */
	fake_set(v, VMCS_GUEST_RIP, 0x3ffffe);
	assert_int_equal(violate(f, "\x88\x47", 2, MMIO_CONSOLE, WRITE), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_PF, PF_FETCH);
	assert_int_equal(v->gpr[GPR_CR2], 0x400000);
}

static void vector_instruction_stops(void **state)
{
	struct fake *f = set_up(state);

	f->cpu[0].gpr[GPR_RDI] = MMIO_CONSOLE;
	assert_int_equal(violate(f, "\x0f\x11\x07", 3, MMIO_CONSOLE, WRITE), ACTION_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_UNHANDLED);
	assert_int_equal(f->vm.stop.value, REASON_EPT_VIOLATION);
}

/* RAM is mapped: a violation there is a bug of the set-up. */
static void violation_in_ram_stops(void **state)
{
	struct fake *f = set_up(state);

	assert_int_equal(violate(f, "\x8b\x07", 2, 0x1000, READ), ACTION_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_UNHANDLED);
}

static void stack_in_a_device_stops(void **state)
{
	struct fake *f = set_up(state);

	fake_set(&f->cpu[0], VMCS_IDT_VECTORING_INFO, INTR_INFO_VALID | INTR_TYPE_HARDWARE | VECTOR_UD);
	assert_int_equal(violate(f, "\x0f\x0b", 2, 0xc0000000, WRITE), ACTION_STOP);
}

/* SDM: bit 12 of the qualification: IRET had ended NMI blocking. */
static void nmi_blocking_is_restored(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	v->gpr[GPR_RDI] = MMIO_CONSOLE;
	assert_int_equal(violate(f, "\x88\x07", 2, MMIO_CONSOLE, WRITE | 1 << 12), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_INTERRUPTIBILITY), BLOCKING_NMI);
}

/* A moved or disabled APIC leaves its page empty. */
static void apic_follows_its_base(void **state)
{
	struct fake *f = set_up(state);
	struct vcpu *v = &f->cpu[0];

	f->vm.cpu[0].apic_base = 0xfed00900;
	v->gpr[GPR_RDI] = MMIO_LAPIC + 0x30;
	violate(f, "\x8b\x07", 2, MMIO_LAPIC + 0x30, READ);
	assert_int_equal(v->gpr[GPR_RAX], UINT32_MAX);
	v->gpr[GPR_RDI] = 0xfed00030;
	violate(f, "\x8b\x07", 2, 0xfed00030, READ);
	assert_int_equal(v->gpr[GPR_RAX], 0x00050014);
	f->vm.cpu[0].apic_base = 0xfed00100;
	violate(f, "\x8b\x07", 2, 0xfed00030, READ);
	assert_int_equal(v->gpr[GPR_RAX], UINT32_MAX);
}

/* 16-bit code with a 32-bit address, as boot loaders write */
static void real_mode_with_prefixes(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_real_mode(v);
	fake_set(v, VMCS_GUEST_DS_BASE, 0);
	fake_set(v, VMCS_GUEST_DS_LIMIT, UINT32_MAX);	/* "unreal" */
	v->gpr[GPR_RBX] = MMIO_LAPIC + 0x80;
	v->gpr[GPR_RAX] = 0x10;
	assert_int_equal(violate(f, "\x66\x67\x89\x03", 4, MMIO_LAPIC + 0x80, WRITE), ACTION_RETIRE);
	assert_int_equal(f->vm.cpu[0].lapic.tpr, 0x10);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(write_lapic),
		TEST(read_lapic),
		TEST(print_on_console),
		TEST(rep_movs_to_device),
		TEST(rep_stos_takes_several_exits),
		TEST(absent_memory),
		TEST(fetch_from_nowhere),
		TEST(fault_in_other_operand),
		TEST(paging_structure_in_nowhere),
		TEST(instruction_across_pages),
		TEST(vector_instruction_stops),
		TEST(violation_in_ram_stops),
		TEST(stack_in_a_device_stops),
		TEST(nmi_blocking_is_restored),
		TEST(apic_follows_its_base),
		TEST(real_mode_with_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
