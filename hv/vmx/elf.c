/*
 * elf.c: reads ELF-32 (EM_386) and ELF-64 (EM_X86_64) executables (System V ABI, "Object Files").
 *
 * Called by guest.c. The image is hostile input, and may be unaligned: it is copied from, never cast.
 */
#include <elf.h>

#include "boot/log.h"
#include "lib/string.h"
#include "vmx/elf.h"

static void get(const struct elf *e, uint64_t offset, void *to, uint64_t size, const char *what)
{
	if (size > e->size || offset > e->size - size)
		log_host_error("guest: %s at offset %#lx lies outside the file's %#lx bytes", what,
			       offset, e->size);
	memcpy(to, e->image + offset, size);
}

static void open32(struct elf *e)
{
	Elf32_Ehdr h;

	get(e, 0, &h, sizeof(h), "the ELF header");
	if (h.e_type != ET_EXEC || h.e_machine != EM_386)
		log_host_error("guest: ELF-32 of type %u for machine %u; expected an executable (2) for EM_386 (3)",
			       h.e_type, h.e_machine);
	e->entry = h.e_entry;
	e->table = h.e_phoff;
	e->segments = h.e_phnum;
	e->entry_size = h.e_phentsize;
	if (e->entry_size < sizeof(Elf32_Phdr))
		log_host_error("guest: ELF program headers of %u bytes", e->entry_size);
}

static void open64(struct elf *e)
{
	Elf64_Ehdr h;

	get(e, 0, &h, sizeof(h), "the ELF header");
	if (h.e_type != ET_EXEC || h.e_machine != EM_X86_64)
		log_host_error("guest: ELF-64 of type %u for machine %u; expected an executable (2) for EM_X86_64 (62)",
			       h.e_type, h.e_machine);
	e->entry = h.e_entry;
	e->table = h.e_phoff;
	e->segments = h.e_phnum;
	e->entry_size = h.e_phentsize;
	if (e->entry_size < sizeof(Elf64_Phdr))
		log_host_error("guest: ELF program headers of %u bytes", e->entry_size);
}

void elf_open(struct elf *e, const uint8_t *image, uint64_t size)
{
	unsigned char ident[EI_NIDENT];

	*e = (struct elf){ .image = image, .size = size };
	get(e, 0, ident, sizeof(ident), "the ELF header");
	if (memcmp(ident, ELFMAG, SELFMAG) || ident[EI_DATA] != ELFDATA2LSB)
		log_host_error("guest: not a little-endian ELF file");
	e->is64 = ident[EI_CLASS] == ELFCLASS64;
	if (e->is64)
		open64(e);
	else
		open32(e);
}

bool elf_segment(const struct elf *e, unsigned index, struct elf_segment *s)
{
	uint64_t at = e->table + (uint64_t)index * e->entry_size;
	uint32_t type;

	if (e->is64) {
		Elf64_Phdr p;

		get(e, at, &p, sizeof(p), "a program header");
		type = p.p_type;
		*s = (struct elf_segment){ p.p_offset, p.p_filesz, p.p_vaddr, p.p_paddr, p.p_memsz };
	} else {
		Elf32_Phdr p;

		get(e, at, &p, sizeof(p), "a program header");
		type = p.p_type;
		*s = (struct elf_segment){ p.p_offset, p.p_filesz, p.p_vaddr, p.p_paddr, p.p_memsz };
	}
	if (type != PT_LOAD)
		return false;
	if (s->file_size > e->size || s->offset > e->size - s->file_size)
		log_host_error("guest: segment %u lies outside the file's %#lx bytes", index,
			       e->size);
	if (s->file_size > s->memory_size)
		log_host_error("guest: segment %u has more bytes in the file than in memory", index);
	return true;
}
