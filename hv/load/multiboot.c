/*
 * multiboot.c: a multiboot ELF (Multiboot Specification 0.6.96): header, segments, and the information
 * structure that EBX points at.
 *
 * Called by load.c.
 */
#include <stddef.h>
#include <string.h>

#include "load/elf.h"

#define MB1_MAGIC		0x1badb002u
#define MB1_SEARCH		8192u		/* the header lies in the image's first bytes */
#define MB1_ADDRESSES		(1u << 16)	/* a.out kludge: addresses in the header instead of ELF's */
#define MB1_REQUIREMENTS	0xffffu
#define MB1_UNDERSTOOD		0x7u		/* aligned modules, memory map, video mode (ignored) */

#define INFO_HAS		(1u << 0 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9)
#define COMMAND_LINE_MAX	1023u		/* without the terminator */

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
	struct mb1_region map[LAYOUT_REGIONS];
	char loader_name[8];
	char command_line[COMMAND_LINE_MAX + 1];
	char initrd_line[COMMAND_LINE_MAX + 1];
};
_Static_assert(sizeof(struct info_page) <= LAYOUT_LOW_END - LAYOUT_INFO, "it fits");

/* ---- Planning ---- */

static bool check_header(const struct load_bytes *f, struct load_error *e)
{
	uint64_t end = f->size < MB1_SEARCH ? f->size : MB1_SEARCH;

	for (uint64_t at = 0; at + 12 <= end; at += 4) {
		uint32_t flags = (uint32_t)load_get(f, at + 4, 4);

		if (load_get(f, at, 4) != MB1_MAGIC || MB1_MAGIC + flags + (uint32_t)load_get(f, at + 8,
											      4) != 0)
			continue;
		if (flags & MB1_REQUIREMENTS & ~MB1_UNDERSTOOD)
			return load_fail(e, LOAD_GUEST, at + 4,
					 "flags of the multiboot header, expected at most %#x of its "
					 "requirements, got %#x", MB1_UNDERSTOOD, flags);
		if (flags & MB1_ADDRESSES)
			return load_fail(e, LOAD_GUEST, at + 4,
					 "flags of the multiboot header, expected the ELF's addresses "
					 "to be used, got %#x (addresses of its own)", flags);
		return true;
	}
	return load_fail(e, LOAD_GUEST, 0,
			 "multiboot header, expected %#x and its checksum in the first %u bytes, got none",
			 MB1_MAGIC, MB1_SEARCH);
}

static bool add_segment(const struct load_input *in, struct load_plan *p, const struct elf_segment *s,
			struct load_error *e)
{
	const struct load_piece piece = { s->physical, s->memory_size, in->guest.at + s->offset,
					 s->file_size };

	return load_add(in, p, &piece, s->at, e);
}

/* The entry point is a virtual address, and the guest starts without paging: its segment translates it. */
static bool add_segments(const struct load_input *in, const struct elf *elf, struct load_plan *p,
			 struct load_error *e)
{
	bool found = false;

	for (unsigned i = 0; i < elf->segments; i++) {
		struct elf_segment s;

		if (!elf_segment(elf, i, &s, e))
			return false;
		if (!s.load || !s.memory_size)
			continue;
		if (!add_segment(in, p, &s, e))
			return false;
		if (!found && elf->entry - s.virtual < s.memory_size) {
			p->entry = elf->entry - s.virtual + s.physical;
			found = true;
		}
	}
	return found || load_fail(e, LOAD_GUEST, 0x18,
				  "entry point, expected an address in a segment, got %#lx", elf->entry);
}

bool multiboot_plan(const struct load_input *in, struct load_plan *p, struct load_error *e)
{
	struct elf elf;

	p->kind = START_MULTIBOOT;
	if (!elf_open(&elf, &in->guest, e) || !check_header(&in->guest, e) || !add_segments(in, &elf, p, e))
		return false;
	if (in->command_line.size > COMMAND_LINE_MAX)
		return load_fail(e, LOAD_COMMAND_LINE, COMMAND_LINE_MAX,
				 "file name and --append, expected at most %u bytes, got "
				 "%lu", COMMAND_LINE_MAX,
				 in->command_line.size);
	return load_add_initrd(in, p, in->memory, e);
}

/* ---- Placing ---- */

static void place_text(char *to, const struct load_bytes *text)
{
	uint64_t size = text->size < COMMAND_LINE_MAX ? text->size : COMMAND_LINE_MAX;

	if (size)
		memcpy(to, text->at, size);
}

static uint32_t address_of(size_t offset)
{
	return LAYOUT_INFO + (uint32_t)offset;
}

void multiboot_place(const struct load_input *in, const struct load_plan *p, uint8_t *memory,
		     struct vcpu_start *start)
{
	struct info_page *page = (struct info_page *)(memory + LAYOUT_INFO);
	struct layout_region region[LAYOUT_REGIONS];

	page->info = (struct mb1_info){
		.flags = INFO_HAS,
		.mem_lower = LAYOUT_LOW_RAM_END >> 10,
		.mem_upper = (uint32_t)((in->memory - LAYOUT_HIGH_RAM) >> 10),
		.command_line = address_of(offsetof(struct info_page, command_line)),
		.modules = address_of(offsetof(struct info_page, module)),
		.map_length = sizeof(page->map),
		.map = address_of(offsetof(struct info_page, map)),
		.boot_loader_name = address_of(offsetof(struct info_page, loader_name)),
	};
	layout_map(in->memory, region);
	for (unsigned i = 0; i < LAYOUT_REGIONS; i++)
		page->map[i] = (struct mb1_region){ sizeof(page->map[i]) - 4, region[i].base, region[i].size,
						   region[i].type };
	memcpy(page->loader_name, "vexit", 6);
	place_text(page->command_line, &in->command_line);
	if (in->initrd.at) {
		page->info.module_count = 1;
		page->module = (struct mb1_module){
			.start = (uint32_t)p->initrd,
			.end = (uint32_t)(p->initrd + in->initrd.size),
			.string = address_of(offsetof(struct info_page, initrd_line)),
		};
		place_text(page->initrd_line, &in->initrd_line);
	}
	start->info = LAYOUT_INFO;
}
