/*
 * multiboot2.c: reads the loader's information structure (Multiboot2 Specification, "Boot information
 * format").
 *
 * Called once by boot_main(). Sizes, offsets and strings in there are checked before use; what is wrong ends
 * the run as a host error.
 */
#include <stddef.h>

#include "boot/log.h"
#include "boot/multiboot2.h"
#include "boot/paging.h"
#include "lib/string.h"

#define MB2_BOOTLOADER_MAGIC	0x36d76289
#define MB2_INFO_MAX		(1u << 20)

enum { TAG_END = 0, TAG_COMMAND_LINE = 1, TAG_MODULE = 3, TAG_MEMORY_MAP = 6 };

struct info_header {
	uint32_t total_size, reserved;
};

struct tag {
	uint32_t type, size;
};

struct tag_string {
	struct tag tag;
	char text[];
};

struct tag_module {
	struct tag tag;
	uint32_t start, end;
	char text[];
};

struct tag_memory_map {
	struct tag tag;
	uint32_t entry_size, entry_version;
	uint8_t entries[];
};

struct memory_map_entry {
	uint64_t base, length;
	uint32_t type, reserved;
};

#define MEMORY_AVAILABLE 1

/* A string that runs from `text` to the tag's end, where its terminator must be. */
static const char *tag_text(const struct tag *t, const char *text)
{
	size_t room = (const char *)t + t->size - text;

	if (string_length(text, room) == room)
		log_host_error("multiboot2 tag %u: string without an end", t->type);
	return text;
}

static void need(const struct tag *t, size_t size)
{
	if (t->size < size)
		log_host_error("multiboot2 tag %u: %u bytes, expected at least %zu", t->type, t->size, size);
}

/*
 * GRUB puts a backslash before each quote and backslash of a word; they go here, so that a guest's command
 * line is what the user wrote. A copy: the loader's structure may lie in pages that are read-only for us.
 */
static const char *unescape(const char *text, char to[MULTIBOOT2_LINE])
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == '\\' && (text[1] == '\\' || text[1] == '\'' || text[1] == '"'))
			text++;
		if (n == MULTIBOOT2_LINE - 1)
			log_host_error("a module's command line has more than %u bytes", MULTIBOOT2_LINE - 1);
		to[n++] = *text;
	}
	to[n] = '\0';
	return to;
}

static void parse_module(const struct tag *t, struct multiboot2 *mb)
{
	static char line[MULTIBOOT2_MODULES][MULTIBOOT2_LINE];
	const struct tag_module *m = (const struct tag_module *)t;

	need(t, sizeof(*m) + 1);
	if (m->end < m->start)
		log_host_error("multiboot2 module at %#x ends at %#x", m->start, m->end);
	if (mb->modules == MULTIBOOT2_MODULES)
		log_host_error("more than %d modules: the guest and its initrd are all there can be",
			       MULTIBOOT2_MODULES);
	mb->module[mb->modules] = (struct multiboot2_module){
		.at = { m->start, m->end },
		.command_line = unescape(tag_text(t, m->text), line[mb->modules]),
	};
	mb->modules++;
}

static void parse_memory_map(const struct tag *t, struct multiboot2 *mb)
{
	const struct tag_memory_map *map = (const struct tag_memory_map *)t;
	const uint8_t *end = (const uint8_t *)t + t->size;

	need(t, sizeof(*map));
	if (map->entry_size < sizeof(struct memory_map_entry) || map->entry_size % 8)
		log_host_error("multiboot2 memory map: entries of %u bytes", map->entry_size);
	for (const uint8_t *p = map->entries; (size_t)(end - p) >= map->entry_size; p += map->entry_size) {
		const struct memory_map_entry *e = (const struct memory_map_entry *)p;

		/* What wraps, or lies above our identity map, is of no use to us. */
		if (e->type != MEMORY_AVAILABLE || e->base + e->length <= e->base || e->base >= PAGING_LIMIT)
			continue;
		if (mb->regions < MULTIBOOT2_REGIONS)
			mb->region[mb->regions++] = (struct multiboot2_range){
				e->base, e->base + e->length < PAGING_LIMIT ? e->base + e->length : PAGING_LIMIT,
			};
	}
}

static void parse_tag(const struct tag *t, struct multiboot2 *mb)
{
	switch (t->type) {
	case TAG_COMMAND_LINE:
		need(t, sizeof(struct tag_string) + 1);
		mb->command_line = tag_text(t, ((const struct tag_string *)t)->text);
		break;
	case TAG_MODULE:
		parse_module(t, mb);
		break;
	case TAG_MEMORY_MAP:
		parse_memory_map(t, mb);
		break;
	}
}

void multiboot2_parse(uint32_t magic, uint32_t address, struct multiboot2 *mb)
{
	const struct info_header *info = (const struct info_header *)(uintptr_t)address;
	const struct tag *t;
	uint32_t size, offset = sizeof(*info);

	*mb = (struct multiboot2){ .command_line = "" };
	if (magic != MB2_BOOTLOADER_MAGIC)
		log_host_error("not started by a multiboot2 loader (EAX = %#x)", magic);
	if (!address || address & 7)
		log_host_error("multiboot2 information at %#x, which can't be", address);
	size = info->total_size;
	if (size < sizeof(*info) + sizeof(*t) || size > MB2_INFO_MAX || address + (uint64_t)size > PAGING_LIMIT)
		log_host_error("multiboot2 information of %u bytes at %#x", size, address);
	mb->info = (struct multiboot2_range){ address, (uint64_t)address + size };

	for (;;) {
		if (size - offset < sizeof(*t))
			log_host_error("multiboot2 information has no end tag");
		t = (const struct tag *)((uintptr_t)address + offset);
		if (t->type == TAG_END)
			break;
		if (t->size < sizeof(*t) || t->size > size - offset)
			log_host_error("multiboot2 tag %u at offset %u has %u bytes", t->type, offset, t->size);
		parse_tag(t, mb);
		offset += (t->size + 7) & ~7u;
		if (offset > size)
			log_host_error("multiboot2 information has no end tag");
	}
	if (!mb->regions)
		log_host_error("the loader gave no memory map");
}
