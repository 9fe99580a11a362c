/*
 * elf.c: reads ELF-32 (EM_386) and ELF-64 (EM_X86_64) executables (System V ABI, "Object Files").
 *
 * Called by multiboot.c. The file is hostile, and may be unaligned: values are fetched from it, never cast.
 * Both classes have the same members, at offsets of their own.
 */
#include "load/elf.h"

#define CLASS_32	1u
#define CLASS_64	2u
#define DATA_LITTLE	1u
#define TYPE_EXEC	2u
#define MACHINE_386	3u
#define MACHINE_X86_64	62u
#define SEGMENT_LOAD	1u

enum { IDENT_CLASS = 4, IDENT_DATA = 5, AT_TYPE = 16, AT_MACHINE = 18 };

/* Offsets in the file header, then in a program header. */
struct shape {
	unsigned header_size, word;	/* `word`: bytes of an address */
	unsigned entry, table, entry_size, count;
	unsigned segment_size, p_offset, p_virtual, p_physical, p_file_size, p_memory_size;
};

static const struct shape shape32 = { 52, 4, 24, 28, 42, 44, 32, 4, 8, 12, 16, 20 };
static const struct shape shape64 = { 64, 8, 24, 32, 54, 56, 56, 8, 16, 24, 32, 40 };

static const struct shape *shape_of(const struct elf *elf)
{
	return elf->is64 ? &shape64 : &shape32;
}

static bool check_ident(const struct load_bytes *f, struct load_error *e)
{
	uint64_t class = load_get(f, IDENT_CLASS, 1), data = load_get(f, IDENT_DATA, 1);
	uint64_t type = load_get(f, AT_TYPE, 2), machine = load_get(f, AT_MACHINE, 2);
	unsigned expected = class == CLASS_64 ? MACHINE_X86_64 : MACHINE_386;

	if (class != CLASS_32 && class != CLASS_64)
		return load_fail(e, LOAD_GUEST, IDENT_CLASS,
				 "ELF class, expected 1 (32-bit) or 2 (64-bit), got %lu", class);
	if (data != DATA_LITTLE)
		return load_fail(e, LOAD_GUEST, IDENT_DATA,
				 "ELF byte order, expected 1 (little-endian), got %lu", data);
	if (type != TYPE_EXEC)
		return load_fail(e, LOAD_GUEST, AT_TYPE, "ELF type, expected 2 (executable), got %lu", type);
	if (machine != expected)
		return load_fail(e, LOAD_GUEST, AT_MACHINE, "machine of an ELF-%s, expected %u (%s), got %lu",
				 class == CLASS_64 ? "64" : "32", expected,
				 class == CLASS_64 ? "x86-64" : "i386", machine);
	return true;
}

bool elf_open(struct elf *elf, const struct load_bytes *file, struct load_error *e)
{
	const struct shape *s;

	*elf = (struct elf){ .file = *file, .is64 = load_get(file, IDENT_CLASS, 1) == CLASS_64 };
	s = shape_of(elf);
	if (!load_has(file, 0, s->header_size))
		return load_fail(e, LOAD_GUEST, file->size,
				 "end of the file, expected an ELF header of %u bytes, got %lu",
				 s->header_size, file->size);
	if (!check_ident(file, e))
		return false;
	elf->entry = load_get(file, s->entry, s->word);
	elf->table = load_get(file, s->table, s->word);
	elf->entry_size = (unsigned)load_get(file, s->entry_size, 2);
	elf->segments = (unsigned)load_get(file, s->count, 2);
	if (elf->entry_size < s->segment_size)
		return load_fail(e, LOAD_GUEST, s->entry_size,
				 "size of a program header, expected at least %u, got %u",
				 s->segment_size, elf->entry_size);
	if (!load_has(file, elf->table, (uint64_t)elf->entry_size * elf->segments))
		return load_fail(e, LOAD_GUEST, s->table,
				 "%u program headers of %u bytes, expected within the file's %lu bytes, got "
				 "offset %#lx",
				 elf->segments, elf->entry_size, file->size, elf->table);
	return true;
}

bool elf_segment(const struct elf *elf, unsigned index, struct elf_segment *s, struct load_error *e)
{
	const struct load_bytes *f = &elf->file;
	const struct shape *h = shape_of(elf);
	uint64_t at = elf->table + (uint64_t)index * elf->entry_size;

	*s = (struct elf_segment){
		.load = load_get(f, at, 4) == SEGMENT_LOAD,
		.at = at,
		.offset = load_get(f, at + h->p_offset, h->word),
		.file_size = load_get(f, at + h->p_file_size, h->word),
		.virtual = load_get(f, at + h->p_virtual, h->word),
		.physical = load_get(f, at + h->p_physical, h->word),
		.memory_size = load_get(f, at + h->p_memory_size, h->word),
	};
	if (!s->load)
		return true;
	if (!load_has(f, s->offset, s->file_size))
		return load_fail(e, LOAD_GUEST, at + h->p_offset,
				 "segment of %#lx bytes at offset %#lx, expected within the file, got a file "
				 "of %#lx",
				 s->file_size, s->offset, f->size);
	if (s->file_size > s->memory_size)
		return load_fail(e, LOAD_GUEST, at + h->p_memory_size,
				 "segment's size in memory, expected at least the %#lx bytes of the file, "
				 "got %#lx",
				 s->file_size, s->memory_size);
	return true;
}
