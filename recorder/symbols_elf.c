/*
 * symbols_elf.c: the functions of an ELF's symbol table (System V ABI, "Symbol Table"), of 32 or 64 bits,
 * little-endian. Called by symbols.c.
 *
 * Offsets, sizes and indexes are the file's word and checked before each use.
 */
#include <elf.h>
#include <string.h>

#include "recorder/symbols_table.h"

struct elf_file {
	const uint8_t *bytes;
	size_t size;
	bool is64;
	uint64_t sections;		/* offset of the section headers */
	uint64_t section_size;
	unsigned section_count;
};

struct section {
	uint64_t type, flags, offset, size, link, entry_size;
};

/* `size` bytes at `offset` are within the file. */
static bool within(const struct elf_file *f, uint64_t offset, uint64_t size)
{
	return offset <= f->size && size <= f->size - offset;
}

bool symbols_is_elf(const uint8_t *bytes, size_t size)
{
	return size >= SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG);
}

static const char *open_elf(struct elf_file *f)
{
	Elf64_Ehdr h64;
	Elf32_Ehdr h32;
	unsigned type;

	if (!within(f, 0, sizeof(h32)))
		return "an ELF cut off within its header";
	if (f->bytes[EI_DATA] != ELFDATA2LSB || (f->bytes[EI_CLASS] != ELFCLASS64 && f->bytes[EI_CLASS] != ELFCLASS32))
		return "an ELF of another architecture than the x86";
	f->is64 = f->bytes[EI_CLASS] == ELFCLASS64;
	if (f->is64 && !within(f, 0, sizeof(h64)))
		return "an ELF cut off within its header";
	if (f->is64) {
		memcpy(&h64, f->bytes, sizeof(h64));
		type = h64.e_type;
		f->sections = h64.e_shoff;
		f->section_size = h64.e_shentsize;
		f->section_count = h64.e_shnum;
	} else {
		memcpy(&h32, f->bytes, sizeof(h32));
		type = h32.e_type;
		f->sections = h32.e_shoff;
		f->section_size = h32.e_shentsize;
		f->section_count = h32.e_shnum;
	}
	if (type == ET_REL)
		return "an ELF that isn't linked: its symbols have no addresses yet";
	if (f->section_size < (f->is64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr)) ||
	    !within(f, f->sections, f->section_size * f->section_count))
		return "an ELF whose section headers lie outside of it";
	return NULL;
}

static bool get_section(const struct elf_file *f, uint64_t index, struct section *s)
{
	const uint8_t *at = f->bytes + f->sections + index * f->section_size;
	Elf64_Shdr h64;
	Elf32_Shdr h32;

	if (index >= f->section_count)
		return false;
	if (f->is64) {
		memcpy(&h64, at, sizeof(h64));
		*s = (struct section){ h64.sh_type, h64.sh_flags, h64.sh_offset,
				       h64.sh_size, h64.sh_link,  h64.sh_entsize };
	} else {
		memcpy(&h32, at, sizeof(h32));
		*s = (struct section){ h32.sh_type, h32.sh_flags, h32.sh_offset,
				       h32.sh_size, h32.sh_link,  h32.sh_entsize };
	}
	return true;
}

static Elf64_Sym get_symbol(const struct elf_file *f, const uint8_t *at)
{
	Elf64_Sym symbol;
	Elf32_Sym s32;

	if (f->is64) {
		memcpy(&symbol, at, sizeof(symbol));
		return symbol;
	}
	memcpy(&s32, at, sizeof(s32));
	return (Elf64_Sym){ s32.st_name, s32.st_info, s32.st_other, s32.st_shndx, s32.st_value, s32.st_size };
}

/* A label of assembly code has no type. */
static bool is_code(const struct elf_file *f, const Elf64_Sym *symbol)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);
	struct section s;

	return (type == STT_FUNC || type == STT_NOTYPE) && get_section(f, symbol->st_shndx, &s) &&
	       (s.flags & SHF_EXECINSTR);
}

static const char *read_table(struct symbols *to, const struct elf_file *f, const struct section *table)
{
	size_t size = f->is64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	struct section strings;

	if (!get_section(f, table->link, &strings) || !within(f, table->offset, table->size) ||
	    !within(f, strings.offset, strings.size))
		return "an ELF whose symbol table lies outside of it";
	for (uint64_t at = 0; table->size - at >= size; at += size) {
		Elf64_Sym symbol = get_symbol(f, f->bytes + table->offset + at);
		const char *name;

		if (symbol.st_name >= strings.size || !is_code(f, &symbol))
			continue;
		name = (const char *)f->bytes + strings.offset + symbol.st_name;
		symbols_add(to, symbol.st_value, symbol.st_size, ELF64_ST_BIND(symbol.st_info) != STB_LOCAL, name,
			    strnlen(name, strings.size - symbol.st_name));
	}
	return NULL;
}

const char *symbols_read_elf(struct symbols *to, const uint8_t *bytes, size_t size)
{
	static const unsigned types[] = { SHT_SYMTAB, SHT_DYNSYM };
	struct elf_file f = { .bytes = bytes, .size = size };
	const char *error = open_elf(&f);
	struct section s;

	for (unsigned t = 0; !error && t < 2; t++)
		for (unsigned i = 0; !error && i < f.section_count; i++)
			if (get_section(&f, i, &s) && s.type == types[t])
				return read_table(to, &f, &s);
	return error ? error : "an ELF without a symbol table: it was stripped";
}
