/*
 * What lies in guest memory before the first instruction, and how the BSP starts: against boot.rst and
 * zero-page.rst of Linux, the Multiboot Specification and the SDM's paging, read here without the loader's
 * own constants.
 */
#include <stdlib.h>

#include "exit/arch.h"
#include "load/load.h"
#include "support/fake.h"
#include "support/guest_image.h"

#define MEMORY	(4u << 20)

struct loaded {
	uint8_t *memory;
	uint8_t guest[IMAGE_MAX];
	uint8_t initrd[5000];
	struct load_plan plan;
	struct vcpu_start start;
};

static struct loaded *load(uint64_t (*make)(uint8_t *), const char *line, bool with_initrd)
{
	struct loaded *l = calloc(1, sizeof(*l));
	struct load_error e;
	struct load_input in = {
		.guest = { l->guest, make(l->guest) }, .memory = MEMORY, .cpus = 2,
		.command_line = { (const uint8_t *)line, strlen(line) },
		.initrd_line = { (const uint8_t *)"initrd and words", 16 },
	};

	for (unsigned i = 0; i < sizeof(l->initrd); i++)
		l->initrd[i] = (uint8_t)(i * 11 + 1);
	if (with_initrd)
		in.initrd = (struct load_bytes){ l->initrd, sizeof(l->initrd) };
	l->memory = calloc(1, MEMORY);
	assert_non_null(l->memory);
	if (!load_plan(&in, &l->plan, &e))
		fail_msg("%#lx: %s", e.offset, e.text);
	load_place(&in, &l->plan, l->memory, &l->start);
	return l;
}

static void unload(struct loaded *l)
{
	free(l->memory);
	free(l);
}

static bool is_zero(const uint8_t *from, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		if (from[i])
			return false;
	return true;
}

/* SDM, "4-Level Paging", as the processor does it. */
static uint64_t translate(const uint8_t *memory, uint64_t cr3, uint64_t address)
{
	uint64_t entry = cr3;

	for (int shift = 39; shift >= 21; shift -= 9) {
		entry = image_get(memory + (entry & ~0xfffull) + 8 * (address >> shift & 511), 8);
		assert_int_equal(entry & 3, 3);
		assert_true(shift == 21 || !(entry & 0x80));
	}
	assert_int_equal(entry & 0x80, 0x80);
	return (entry & ~0x1fffffull) | (address & 0x1fffff);
}

static void linux_gets_its_zero_page(void **state)
{
	struct loaded *l = load(image_linux, "vmlinuz  console=ttyS0  quiet", true);
	const uint8_t *zero = l->memory + l->start.info;
	uint64_t ramdisk = image_get(zero + 0x218, 4), line = image_get(zero + 0x228, 4);

	(void)state;
	assert_int_equal(l->start.kind, START_LINUX);
	assert_int_equal(l->start.entry, IMAGE_LINUX_AT + 0x200);
	assert_memory_equal(l->memory + IMAGE_LINUX_AT, l->guest + IMAGE_LINUX_SETUP, IMAGE_LINUX_KERNEL);
	assert_true(is_zero(l->memory + IMAGE_LINUX_AT + IMAGE_LINUX_KERNEL,
			    IMAGE_LINUX_INIT_SIZE - IMAGE_LINUX_KERNEL));

	/*
	 * The header, but for what the loader fills in; nothing before it or behind its end that isn't
	 * documented.
	 */
	assert_memory_equal(zero + 0x1f1, l->guest + 0x1f1, 0x210 - 0x1f1);
	assert_memory_equal(zero + 0x22c, l->guest + 0x22c, 0x26c - 0x22c);
	assert_int_equal(zero[0x210], 0xff);
	assert_int_equal(image_get(zero + 0x214, 4), IMAGE_LINUX_AT);
	assert_true(is_zero(zero, 0x70) && is_zero(zero + 0x78, 0x1e8 - 0x78) && is_zero(zero + 0x1e9, 8));
	assert_true(is_zero(zero + 0x26c, 0x2d0 - 0x26c));
	assert_int_equal(image_get(zero + 0x70, 8), 0xe0000);
	assert_memory_equal(l->memory + 0xe0000, "RSD PTR ", 8);

	assert_string_equal((const char *)l->memory + line, "console=ttyS0  quiet");
	assert_int_equal(image_get(zero + 0x21c, 4), sizeof(l->initrd));
	assert_int_equal(ramdisk, MEMORY - 0x2000);
	assert_memory_equal(l->memory + ramdisk, l->initrd, sizeof(l->initrd));
	unload(l);
}

/* e820: memory from end to end but the hole, the tables' place reserved, nothing of ours in it, in order. */
static void the_map_tells_of_all_memory(void **state)
{
	struct loaded *l = load(image_linux, "vmlinuz", false);
	const uint8_t *zero = l->memory + l->start.info, *row = zero + 0x2d0;

	(void)state;
	assert_int_equal(zero[0x1e8], 3);
	for (unsigned i = 0; i < 3; i++, row += 20) {
		static const uint64_t expected[3][3] = {
			{ 0, 0x9fc00, 1 }, { 0xe0000, 0x20000, 2 }, { 0x100000, MEMORY - 0x100000, 1 },
		};

		assert_int_equal(image_get(row, 8), expected[i][0]);
		assert_int_equal(image_get(row + 8, 8), expected[i][1]);
		assert_int_equal(image_get(row + 16, 4), expected[i][2]);
	}
	assert_int_equal(image_get(zero + 0x218, 8), 0);	/* no initrd */
	assert_int_equal(l->memory[image_get(zero + 0x228, 4)], 0);
	unload(l);
}

static void linux_starts_in_long_mode(void **state)
{
	struct loaded *l = load(image_linux, "vmlinuz", false);
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	const uint8_t *gdt = l->memory + l->start.gdt;

	v->vmcs[VMCS_ENTRY_CONTROLS] = 0;
	vcpu_reset(v, &f->vm, &l->start);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), IMAGE_LINUX_AT + 0x200);
	assert_int_equal(v->gpr[GPR_RSI], l->start.info);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RFLAGS), RFLAGS_FIXED);	/* IF is clear */
	assert_int_equal(vmcs_read(v, VMCS_GUEST_EFER), EFER_LME | EFER_LMA);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_CONTROLS), ENTRY_IA32E);
	assert_int_equal(vmcs_read(v, VMCS_CR0_READ_SHADOW), CR0_PE | CR0_PG | CR0_ET);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	assert_int_equal(vmcs_read(v, VMCS_CR4_READ_SHADOW), CR4_PAE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR4) & CR4_PAE, CR4_PAE);

	/*
	 * boot.rst: __BOOT_CS(0x10) and __BOOT_DS(0x18), in the registers and in the table that they came
	 * from
	 */
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_SELECTOR), 0x10);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_ACCESS_RIGHTS), 0xa09b);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_DS_SELECTOR), 0x18);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_ES_SELECTOR), 0x18);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_SS_SELECTOR), 0x18);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_SS_ACCESS_RIGHTS), 0xc093);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_GDTR_BASE), l->start.gdt);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_GDTR_LIMIT), 0x1f);
	assert_int_equal(image_get(gdt + 0x10, 8), 0x00af9b000000ffff);
	assert_int_equal(image_get(gdt + 0x18, 8), 0x00cf93000000ffff);

	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR3), l->start.cr3);
	for (uint64_t address = 0; address < 1ull << 32; address += 0x1ff123)
		assert_int_equal(translate(l->memory, l->start.cr3, address), address);
	unload(l);
}

/* What another vCPU is: the state of INIT, whatever the BSP does. */
static void others_wait_for_sipi(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[1];
	const struct vcpu_start start = { .kind = START_LINUX, .entry = 0x1000200, .cr3 = 0x9000 };

	vcpu_reset(v, &f->vm, &start);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), 0xfff0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_EFER), 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR3), 0);
	assert_int_equal(vmcs_read(v, VMCS_CR0_READ_SHADOW) & (CR0_PE | CR0_PG), 0);
}

static void check_elf(const struct loaded *l, unsigned code)
{
	assert_int_equal(l->start.kind, START_MULTIBOOT);
	assert_int_equal(l->start.entry, IMAGE_ELF_CODE_AT + IMAGE_ELF_ENTRY);	/* physical */
	assert_memory_equal(l->memory + IMAGE_ELF_CODE_AT, l->guest + code, 0x100);
	assert_memory_equal(l->memory + IMAGE_ELF_DATA_AT, l->guest + code + 0x100, 16);
	assert_true(is_zero(l->memory + IMAGE_ELF_DATA_AT + 16, 4080));
}

/* Multiboot Specification, "Boot information format" */
static void multiboot_gets_its_information(void **state)
{
	struct loaded *l = load(image_elf32, "guest.elf  a=1 b", true);
	const uint8_t *m = l->memory, *info = m + l->start.info, *module, *map, *end;
	uint64_t flags = image_get(info, 4), available = 0;

	(void)state;
	check_elf(l, 52 + 3 * 32);
	assert_int_equal(flags, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	assert_int_equal(image_get(info + 4, 4), 639);
	assert_int_equal(image_get(info + 8, 4), MEMORY / 1024 - 1024);
	assert_string_equal((const char *)m + image_get(info + 16, 4), "guest.elf  a=1 b");
	assert_int_equal(image_get(info + 20, 4), 1);
	module = m + image_get(info + 24, 4);
	assert_int_equal(image_get(module, 4), MEMORY - 0x2000);
	assert_int_equal(image_get(module + 4, 4) - image_get(module, 4), sizeof(l->initrd));
	assert_memory_equal(m + image_get(module, 4), l->initrd, sizeof(l->initrd));
	assert_string_equal((const char *)m + image_get(module + 8, 4), "initrd and words");
	map = m + image_get(info + 48, 4);
	for (end = map + image_get(info + 44, 4); map < end; map += 4 + image_get(map, 4)) {
		if (image_get(map + 20, 4) == 1)
			available += image_get(map + 12, 8);
	}
	assert_ptr_equal(map, end);
	assert_int_equal(available, 0x9fc00 + MEMORY - 0x100000);
	assert_string_equal((const char *)m + image_get(info + 64, 4), "vexit");
	unload(l);

	l = load(image_elf64, "guest.elf", false);
	check_elf(l, 64 + 2 * 56);
	assert_int_equal(image_get(l->memory + l->start.info + 20, 4), 0);	/* no module */
	unload(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_gets_its_zero_page),
		cmocka_unit_test(the_map_tells_of_all_memory),
		cmocka_unit_test_setup_teardown(linux_starts_in_long_mode, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(others_wait_for_sipi, fake_setup_smp, fake_teardown),
		cmocka_unit_test(multiboot_gets_its_information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
