/*
 * linux.c: a Linux bzImage, by the 64-bit boot protocol (Documentation/x86/boot.rst of the kernel).
 *
 * Called by load.c. The setup header is hostile: each number is checked before it is used, and sums are made
 * of what was checked.
 */
#include <string.h>

#include "load/plan.h"

/* The setup header, by its offset in the file, which is that in the zero page, too. */
enum {
	HDR_SETUP_SECTS = 0x1f1, HDR_SYSSIZE = 0x1f4, HDR_BOOT_FLAG = 0x1fe, HDR_JUMP_OFFSET = 0x201,
	HDR_MAGIC = 0x202, HDR_VERSION = 0x206, HDR_TYPE_OF_LOADER = 0x210, HDR_LOADFLAGS = 0x211,
	HDR_CODE32_START = 0x214, HDR_RAMDISK_IMAGE = 0x218, HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMD_LINE_PTR = 0x228, HDR_INITRD_ADDR_MAX = 0x22c, HDR_KERNEL_ALIGNMENT = 0x230,
	HDR_XLOADFLAGS = 0x236, HDR_CMDLINE_SIZE = 0x238, HDR_PAYLOAD_OFFSET = 0x248,
	HDR_PAYLOAD_LENGTH = 0x24c, HDR_PREF_ADDRESS = 0x258, HDR_INIT_SIZE = 0x260, HDR_END = 0x264,
};

/* Of the zero page, struct boot_params */
enum {
	ZP_ACPI_RSDP = 0x70, ZP_E820_ENTRIES = 0x1e8, ZP_HEADER = HDR_SETUP_SECTS, ZP_HEADER_MAX = 0x290,
	ZP_E820 = 0x2d0,
};

#define MAGIC_HDRS		0x53726448u
#define BOOT_FLAG		0xaa55u
#define VERSION_MIN		0x20cu		/* 2.12: xloadflags, and so the 64-bit entry */
#define LOADED_HIGH		1u
#define XLF_KERNEL_64		1u
#define SECTOR			512u
#define ENTRY_64		0x200u
#define LOADER_UNDEFINED	0xffu		/* a loader without a number of its own */

/* SDM "Segment Descriptors": flat, accessed */
#define GDT_CODE64		0x00af9b000000ffffull
#define GDT_DATA		0x00cf93000000ffffull
/* SDM "4-Level Paging": present, writable; a directory's entry that maps 2 MiB */
#define PTE_TABLE		0x3ull
#define PTE_LARGE		0x83ull
#define LARGE_PAGE		0x200000ull
#define TABLE_ENTRIES		512u
#define DIRECTORIES		4u		/* identity map of 4 GiB */

bool linux_is(const struct load_bytes *guest)
{
	return load_get(guest, HDR_MAGIC, 4) == MAGIC_HDRS;
}

/* ---- Planning ---- */

/* Bytes of the real-mode part, which the 64-bit protocol leaves aside. */
static uint64_t setup_size(const struct load_bytes *f)
{
	uint64_t sectors = load_get(f, HDR_SETUP_SECTS, 1);

	return ((sectors ? sectors : 4) + 1) * SECTOR;
}

static uint64_t kernel_size(const struct load_bytes *f)
{
	return load_get(f, HDR_SYSSIZE, 4) * 16;
}

/* Can it be started our way at all? */
static bool check_protocol(const struct load_bytes *f, struct load_error *e)
{
	uint64_t flag = load_get(f, HDR_BOOT_FLAG, 2), version = load_get(f, HDR_VERSION, 2);
	uint64_t load = load_get(f, HDR_LOADFLAGS, 1), xload = load_get(f, HDR_XLOADFLAGS, 2);

	if (flag != BOOT_FLAG)
		return load_fail(e, LOAD_GUEST, HDR_BOOT_FLAG, "boot flag, expected %#x, got %#lx", BOOT_FLAG,
				 flag);
	if (version < VERSION_MIN)
		return load_fail(e, LOAD_GUEST, HDR_VERSION,
				 "version of the boot protocol, expected at least %#x (2.12), got %#lx",
				 VERSION_MIN, version);
	if (f->size < HDR_END)
		return load_fail(e, LOAD_GUEST, f->size,
				 "end of the file, expected a setup header up to %#x, got %#lx",
				 HDR_END, f->size);
	if (!(load & LOADED_HIGH))
		return load_fail(e, LOAD_GUEST, HDR_LOADFLAGS,
				 "loadflags, expected bit 0 (LOADED_HIGH: a bzImage), got %#lx", load);
	if (!(xload & XLF_KERNEL_64))
		return load_fail(e, LOAD_GUEST, HDR_XLOADFLAGS,
				 "xloadflags, expected bit 0 (XLF_KERNEL_64: a 64-bit entry point), got "
				 "%#lx", xload);
	return true;
}

/* Is all of it there? */
static bool check_size(const struct load_bytes *f, struct load_error *e)
{
	uint64_t setup = setup_size(f), kernel = kernel_size(f);
	uint64_t payload = load_get(f, HDR_PAYLOAD_OFFSET, 4), length = load_get(f, HDR_PAYLOAD_LENGTH, 4);

	if (setup > f->size)
		return load_fail(e, LOAD_GUEST, HDR_SETUP_SECTS,
				 "setup sectors, expected at most the file's %lu bytes, got %lu",
				 f->size, setup);
	if (kernel <= ENTRY_64)
		return load_fail(e, LOAD_GUEST, HDR_SYSSIZE,
				 "size of the kernel, expected more than %u bytes, got %lu", ENTRY_64,
				 kernel);
	if (kernel > f->size - setup)
		return load_fail(e, LOAD_GUEST, f->size,
				 "end of the file, expected %lu bytes of kernel after %#lx, got %lu",
				 kernel, setup, f->size - setup);
	if (payload + length > kernel)
		return load_fail(e, LOAD_GUEST, HDR_PAYLOAD_OFFSET,
				 "payload of %lu bytes, expected within the kernel's %lu, got "
				 "offset %#lx", length, kernel, payload);
	return true;
}

/*
 * Where the kernel goes: at its preferred address. A kernel that isn't relocatable moves itself there, and
 * one that is won't run below it: nothing is gained by another address.
 */
static bool add_kernel(const struct load_input *in, struct load_plan *p, struct load_error *e)
{
	const struct load_bytes *f = &in->guest;
	uint64_t alignment = load_get(f, HDR_KERNEL_ALIGNMENT, 4), address = load_get(f, HDR_PREF_ADDRESS, 8);
	uint64_t init = load_get(f, HDR_INIT_SIZE, 4), kernel = kernel_size(f);
	struct load_piece piece = { .gpa = address, .from = f->at + setup_size(f), .size = kernel };

	if (!alignment || alignment & (alignment - 1))
		return load_fail(e, LOAD_GUEST, HDR_KERNEL_ALIGNMENT,
				 "kernel_alignment, expected a power of two, got %#lx", alignment);
	if (address & (alignment - 1) || address < LAYOUT_HIGH_RAM)
		return load_fail(e, LOAD_GUEST, HDR_PREF_ADDRESS,
				 "pref_address, expected a multiple of kernel_alignment %#lx from %#x on, "
				 "got %#lx", alignment,
				 LAYOUT_HIGH_RAM, address);
	/* What it unpacks itself to, and works in. */
	if (init < kernel)
		return load_fail(e, LOAD_GUEST, HDR_INIT_SIZE,
				 "init_size, expected at least the kernel's %lu bytes, got %lu", kernel,
				 init);
	if (init > in->memory || address > in->memory - init)
		return load_fail(e, LOAD_GUEST, HDR_INIT_SIZE,
				 "init_size, expected at most %lu bytes from pref_address %#lx to the "
				 "memory's end (--mem), got %lu",
				 address < in->memory ? in->memory - address : 0, address, init);
	piece.memory_size = init;
	p->entry = address + ENTRY_64;
	return load_add(in, p, &piece, HDR_PREF_ADDRESS, e);
}

/* The command line after the file name, which is the loader's. */
static struct load_bytes kernel_command_line(const struct load_input *in)
{
	struct load_bytes line = in->command_line;

	while (line.size && *line.at != ' ') {
		line.at++;
		line.size--;
	}
	while (line.size && *line.at == ' ') {
		line.at++;
		line.size--;
	}
	return line;
}

static bool check_command_line(const struct load_input *in, struct load_error *e)
{
	uint64_t most = load_get(&in->guest, HDR_CMDLINE_SIZE, 4), size = kernel_command_line(in).size;

	if (most > LAYOUT_COMMAND_LINE_MAX)
		most = LAYOUT_COMMAND_LINE_MAX;
	return size <= most ||
	       load_fail(e, LOAD_COMMAND_LINE, most,
			 "--append, expected at most the kernel's %lu bytes, got %lu", most, size);
}

bool linux_plan(const struct load_input *in, struct load_plan *p, struct load_error *e)
{
	p->kind = START_LINUX;
	return check_protocol(&in->guest, e) && check_size(&in->guest, e) && add_kernel(in, p, e) &&
	       check_command_line(in, e) &&
	       load_add_initrd(in, p, load_get(&in->guest, HDR_INITRD_ADDR_MAX, 4) + 1, e);
}

/* ---- Placing ---- */

static void put(uint8_t *to, uint64_t value, unsigned size)
{
	memcpy(to, &value, size);
}

/* Documentation/x86/zero-page.rst */
static void place_zero_page(const struct load_input *in, const struct load_plan *p, uint8_t *zero)
{
	/* The header ends where its jump goes: what is of a newer version is taken over as it is. */
	uint64_t end = HDR_MAGIC + load_get(&in->guest, HDR_JUMP_OFFSET, 1);
	struct layout_region region[LAYOUT_REGIONS];

	if (end > ZP_HEADER_MAX)
		end = ZP_HEADER_MAX;
	if (end > in->guest.size)
		end = in->guest.size;
	memcpy(zero + ZP_HEADER, in->guest.at + HDR_SETUP_SECTS, end - HDR_SETUP_SECTS);
	put(zero + HDR_TYPE_OF_LOADER, LOADER_UNDEFINED, 1);
	put(zero + HDR_CODE32_START, p->piece[0].gpa, 4);
	put(zero + HDR_CMD_LINE_PTR, LAYOUT_COMMAND_LINE, 4);
	put(zero + HDR_RAMDISK_IMAGE, p->initrd, 4);
	put(zero + HDR_RAMDISK_SIZE, in->initrd.size, 4);
	put(zero + ZP_ACPI_RSDP, LAYOUT_BIOS, 8);
	put(zero + ZP_E820_ENTRIES, LAYOUT_REGIONS, 1);
	layout_map(in->memory, region);
	for (unsigned i = 0; i < LAYOUT_REGIONS; i++) {
		uint8_t *row = zero + ZP_E820 + 20 * i;

		put(row, region[i].base, 8);
		put(row + 8, region[i].size, 8);
		put(row + 16, region[i].type, 4);
	}
}

static void place_page_tables(uint8_t *tables)
{
	uint64_t pdpt = LAYOUT_PAGE_TABLES + LAYOUT_PAGE, directory = pdpt + LAYOUT_PAGE;

	put(tables, pdpt | PTE_TABLE, 8);
	for (unsigned i = 0; i < DIRECTORIES; i++)
		put(tables + LAYOUT_PAGE + 8 * i, (directory + LAYOUT_PAGE * i) | PTE_TABLE, 8);
	for (unsigned i = 0; i < DIRECTORIES * TABLE_ENTRIES; i++)
		put(tables + 2 * LAYOUT_PAGE + 8 * i, i * LARGE_PAGE | PTE_LARGE, 8);
}

void linux_place(const struct load_input *in, const struct load_plan *p, uint8_t *memory,
		 struct vcpu_start *start)
{
	struct load_bytes line = kernel_command_line(in);

	put(memory + LAYOUT_GDT + START_LINUX_CS, GDT_CODE64, 8);
	put(memory + LAYOUT_GDT + START_LINUX_DS, GDT_DATA, 8);
	place_zero_page(in, p, memory + LAYOUT_ZERO_PAGE);
	if (line.size)
		memcpy(memory + LAYOUT_COMMAND_LINE, line.at, line.size);
	place_page_tables(memory + LAYOUT_PAGE_TABLES);
	start->info = LAYOUT_ZERO_PAGE;
	start->cr3 = LAYOUT_PAGE_TABLES;
	start->gdt = LAYOUT_GDT;
}
