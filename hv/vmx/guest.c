/*
 * guest.c: loads a multiboot ELF (Multiboot Specification 0.6.96; ELF-32 for EM_386 or ELF-64 for EM_X86_64)
 * into guest memory, and writes the information structure that EBX points at.
 *
 * Called once by vmx_main(), before the first entry. The image is hostile input: each offset is checked
 * against the module, each address against the guest's memory.
 */
#include <stddef.h>

#include "boot/boot.h"
#include "boot/log.h"
#include "lib/string.h"
#include "vmx/elf.h"
#include "vmx/guest.h"

#define MB1_MAGIC		0x1badb002u
#define MB1_SEARCH		8192u		/* the header lies in the image's first bytes */
#define MB1_ADDRESSES		(1u << 16)	/* a.out kludge: addresses in the header instead of ELF's */
#define MB1_REQUIREMENTS	0xffffu
#define MB1_UNDERSTOOD		0x7u		/* page-aligned modules, memory information, video mode (ignored) */

/* Information structure: everything in one page of low memory, below the BIOS's data of a real machine. */
#define INFO_PAGE		0x9000u
#define INFO_SIZE		0x1000u
#define INFO_HAS		(1u << 0 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9)
#define LOW_MEMORY_END		0x9fc00u
#define HIGH_MEMORY		0x100000u
#define COMMAND_LINE_MAX	1024u
#define PAGE			4096u

struct mb1_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, command_line, module_count, modules, symbols[4];
	uint32_t map_length, map, drives_length, drives, config_table, boot_loader_name, apm_table;
};

struct mb1_module {
	uint32_t start, end, string, reserved;
};

struct mb1_region {
	uint32_t size;			/* of what follows */
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

struct info_page {
	struct mb1_info info;
	struct mb1_module module;
	struct mb1_region map[2];
	char loader_name[8];
	char command_line[COMMAND_LINE_MAX];
	char initrd_line[COMMAND_LINE_MAX];
};
_Static_assert(sizeof(struct info_page) <= INFO_SIZE, "one page");

/* ---- Multiboot header ---- */

static uint32_t word_at(const uint8_t *image, uint64_t offset)
{
	uint32_t word;

	memcpy(&word, image + offset, 4);
	return word;
}

static void check_header(const uint8_t *image, uint64_t size)
{
	uint64_t end = size < MB1_SEARCH ? size : MB1_SEARCH;

	for (uint64_t at = 0; at + 12 <= end; at += 4) {
		uint32_t flags = word_at(image, at + 4);

		if (word_at(image, at) != MB1_MAGIC || MB1_MAGIC + flags + word_at(image, at + 8) != 0)
			continue;
		if (flags & MB1_REQUIREMENTS & ~MB1_UNDERSTOOD)
			log_host_error("guest: multiboot header at %#lx asks for what we don't have (flags %#x)",
				       at, flags);
		if (flags & MB1_ADDRESSES)
			log_host_error("guest: multiboot header at %#lx has load addresses of its own; only ELF is loaded",
				       at);
		return;
	}
	log_host_error("guest: no multiboot header in the first %u bytes", MB1_SEARCH);
}

/* ---- Segments ---- */

static void load_segment(const struct elf *e, const struct elf_segment *s, uint8_t *memory, uint64_t size)
{
	if (s->memory_size > size || s->physical > size - s->memory_size)
		log_host_error("guest: a segment of %#lx bytes at %#lx lies outside its %lu MiB of memory (option mem=)",
			       s->memory_size, s->physical,
			       size >> 20);
	if (s->physical < INFO_PAGE + INFO_SIZE && s->physical + s->memory_size > INFO_PAGE)
		log_host_error("guest: a segment at %#lx covers %#x, where the multiboot information goes",
			       s->physical, INFO_PAGE);
	memcpy(memory + s->physical, e->image + s->offset, s->file_size);
	memset(memory + s->physical + s->file_size, 0, s->memory_size - s->file_size);
}

/* The entry point is a virtual address, and the guest starts without paging: translate it by its segment. */
static uint64_t entry_address(const struct elf *e)
{
	for (unsigned i = 0; i < e->segments; i++) {
		struct elf_segment s;

		if (elf_segment(e, i, &s) && e->entry - s.virtual < s.memory_size)
			return e->entry - s.virtual + s.physical;
	}
	log_host_error("guest: the entry point %#lx lies in no segment", e->entry);
}

/* Loads all segments; gives the first address behind them. */
static uint64_t load_segments(const struct elf *e, uint8_t *memory, uint64_t size)
{
	uint64_t end = HIGH_MEMORY;

	for (unsigned i = 0; i < e->segments; i++) {
		struct elf_segment s;

		if (!elf_segment(e, i, &s) || !s.memory_size)
			continue;
		load_segment(e, &s, memory, size);
		if (s.physical + s.memory_size > end)
			end = s.physical + s.memory_size;
	}
	return end;
}

/* ---- Information ---- */

static void load_initrd(const struct multiboot2_module *m, uint64_t image_end, uint8_t *memory, uint64_t size,
			struct info_page *page)
{
	uint64_t bytes = m->at.end - m->at.start, start;

	if (bytes > size || ((size - bytes) & ~(uint64_t)(PAGE - 1)) < image_end)
		log_host_error("guest: no room for an initrd of %lu KiB in %lu MiB of memory (option mem=)",
			       bytes >> 10, size >> 20);
	start = (size - bytes) & ~(uint64_t)(PAGE - 1);		/* as high as it goes: out of the kernel's way */
	memcpy(memory + start, (const void *)m->at.start, bytes);
	page->module = (struct mb1_module){
		.start = start,
		.end = start + bytes,
		.string = INFO_PAGE + offsetof(struct info_page, initrd_line),
	};
	page->info.module_count = 1;
	string_copy(page->initrd_line, COMMAND_LINE_MAX, m->command_line);
}

static void write_info(const struct boot *boot, uint64_t image_end, uint8_t *memory, uint64_t size)
{
	struct info_page *page = (struct info_page *)(memory + INFO_PAGE);

	page->info = (struct mb1_info){
		.flags = INFO_HAS,
		.mem_lower = LOW_MEMORY_END >> 10,
		.mem_upper = (size - HIGH_MEMORY) >> 10,
		.command_line = INFO_PAGE + offsetof(struct info_page, command_line),
		.modules = INFO_PAGE + offsetof(struct info_page, module),
		.map_length = sizeof(page->map),
		.map = INFO_PAGE + offsetof(struct info_page, map),
		.boot_loader_name = INFO_PAGE + offsetof(struct info_page, loader_name),
	};
	page->map[0] = (struct mb1_region){ sizeof(page->map[0]) - 4, 0, LOW_MEMORY_END, 1 };
	page->map[1] = (struct mb1_region){ sizeof(page->map[1]) - 4, HIGH_MEMORY, size - HIGH_MEMORY, 1 };
	string_copy(page->loader_name, sizeof(page->loader_name), "vexit");
	if (!string_copy(page->command_line, COMMAND_LINE_MAX, boot->loader.module[0].command_line))
		log_host_error("guest: its command line is longer than %u bytes", COMMAND_LINE_MAX - 1);
	if (boot->loader.modules > 1)
		load_initrd(&boot->loader.module[1], image_end, memory, size, page);
}

struct guest guest_load(const struct boot *boot, uint8_t *memory, uint64_t size)
{
	const struct multiboot2_range at = boot->loader.module[0].at;
	struct guest g = { .info = INFO_PAGE };
	struct elf e;

	check_header((const uint8_t *)at.start, at.end - at.start);
	elf_open(&e, (const uint8_t *)at.start, at.end - at.start);
	write_info(boot, load_segments(&e, memory, size), memory, size);
	g.entry = entry_address(&e);
	if (g.entry > UINT32_MAX)
		log_host_error("guest: the entry point %#lx is above 4 GiB", g.entry);
	log_print("vexit: guest '%s': entry %#lx, %lu MiB\n", boot->loader.module[0].command_line,
		  g.entry, size >> 20);
	return g;
}
