/*
 * firmware: what a guest finds when it starts, as the firmware of a PC and a boot loader would have left it:
 * the map of memory, memory that is zero, its module, ACPI and SMBIOS tables, which it finds by scanning. It
 * ends by them: the power is switched off through the port and with the value that the tables name.
 *
 * Exits: I/O instruction (console; PM1 control), CPUID, RDMSR. Options: only=map|zero|module|acpi|smbios;
 * module=BYTES says that there is a module (--initrd) of that size, byte i of which is i * 7 modulo 256.
 * Verdicts: power-off; 1 if something isn't as it should be; 2 for an unknown part.
 */
#include "firmware.h"

#define REGION_AVAILABLE 1
#define BIOS_START       0xe0000
#define BIOS_END         0x100000
#define STEP             1024 /* bytes between the words that are looked at */

extern const uint8_t image_end[]; /* link.ld */

uint64_t get(const uint8_t *from, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)from[i] << 8 * i;
	return value;
}

uint8_t sum(const uint8_t *from, size_t size)
{
	uint8_t s = 0;

	while (size--)
		s += *from++;
	return s;
}

static const struct multiboot_region *next(const struct multiboot_region *r)
{
	return (const void *)((const uint8_t *)r + 4 + r->size);
}

static bool at_end(const struct multiboot_region *r)
{
	const struct multiboot_info *info = guest_boot();

	return (uint64_t)r >= (uint64_t)info->map + info->map_length;
}

static const struct multiboot_region *first(void)
{
	return (const void *)(uint64_t)guest_boot()->map;
}

/* Multiboot Specification 0.6.96, "Boot information format" */
static void test_map(void)
{
	const struct multiboot_info *info = guest_boot();
	uint64_t end = 0, reserved = 0;

	test_equal("flags of memory and map", info->flags & (MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_MAP),
		   MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_MAP);
	for (const struct multiboot_region *r = first(); !at_end(r); r = next(r)) {
		CHECK(r->size >= 20 && r->length, "a region of %u bytes for %#lx", r->size, r->length);
		CHECK(r->base >= end, "a region at %#lx, in or before the one that ends at %#lx", r->base,
		      end);
		end = r->base + r->length;
		if (r->type != REGION_AVAILABLE)
			reserved += r->base <= BIOS_START && end >= BIOS_END;
		else if (r->base == 0x100000)
			test_equal("memory above 1 MiB", (uint64_t)info->mem_upper << 10, r->length);
		else
			test_equal("memory below 1 MiB", (uint64_t)info->mem_lower << 10, r->length &
				   ~1023ull);
	}
	test_equal("regions over the BIOS", reserved, 1);
}

/* The first module; NULL: there is none. */
static const struct multiboot_module *first_module(void)
{
	const struct multiboot_info *info = guest_boot();

	if (!(info->flags & MULTIBOOT_INFO_MODULES) || !info->module_count)
		return NULL;
	return (const void *)(uint64_t)info->modules;
}

static bool is_ours(uint64_t address)
{
	const struct multiboot_module *module = first_module();
	uint64_t page = address & ~4095ull;

	return (address >= 0x100000 &&
		address < (uint64_t)image_end) || page == ((uint64_t)guest_boot() & ~4095ull) ||
	       page == TRAMPOLINE || (module && address >= module->start && address < module->end);
}

/* Nothing of what ran before this guest, so that equal recordings are equal. */
static void test_zero(void)
{
	for (const struct multiboot_region *r = first(); !at_end(r); r = next(r)) {
		if (r->type != REGION_AVAILABLE)
			continue;
		/* Address 0 is no pointer for C. */
		for (uint64_t a = r->base ? r->base : 8; a + 8 <= r->base + r->length; a += STEP)
			if (*(volatile const uint64_t *)a && !is_ours(a)) {
				test_fail("%#lx has %#lx", a, *(volatile const uint64_t *)a);
				return;
			}
	}
}

static void test_module(void)
{
	const struct multiboot_module *module = first_module();
	const char *expected = option_string("module"), *name;
	uint64_t bad = 0, size;

	test_equal("modules", guest_boot()->module_count, expected ? 1 : 0);
	if (!module || !expected)
		return;
	size = module->end - module->start;
	test_equal("bytes of the module", size, option_number("module", 0));
	test_equal("alignment of the module", module->start & 4095, 0);
	while (bad < size && *(const uint8_t *)(module->start + bad) == (uint8_t)(bad * 7))
		bad++;
	test_equal("bytes of the module that are right", bad, size);
	name = (const char *)(uint64_t)module->string;
	CHECK(!strcmp(name, "initrd"), "the module is called '%s'", name);
}

int main(void)
{
	static const struct test_part parts[] = {
		{ "map", test_map, false, true },
		{ "zero", test_zero, false, true },
		{ "module", test_module, false, true },
		{ "acpi", test_acpi, false, true },
		{ "smbios", test_smbios, false, true },
	};
	int result = test_parts("firmware", parts, sizeof(parts) / sizeof(*parts));

	if (result == VERDICT_SUCCESS && under_vexit) {
		acpi_power_off();
		printf("firmware: the tables' power-off does nothing\n");
		return VERDICT_FAILURE;
	}
	return result;
}
