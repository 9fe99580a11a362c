/* elf.h: an ELF executable's segments, checked. */
#ifndef VEXIT_LOAD_ELF_H
#define VEXIT_LOAD_ELF_H

#include "load/plan.h"

struct elf {
	struct load_bytes file;
	uint64_t entry;			/* a virtual address */
	uint64_t table;			/* offset of the program headers, all of which lie in the file */
	unsigned segments, entry_size;
	bool is64;
};

struct elf_segment {
	bool load;			/* of type PT_LOAD */
	uint64_t at;			/* offset of its program header */
	uint64_t offset, file_size;	/* within the file, where `load` */
	uint64_t virtual, physical, memory_size;
};

/* false: no executable for the x86 (ELF-32 for EM_386, ELF-64 for EM_X86_64); *e says why. */
bool elf_open(struct elf *elf, const struct load_bytes *file, struct load_error *e);

/* Program header `index` < elf->segments. false: what it says of the file can't be. */
bool elf_segment(const struct elf *elf, unsigned index, struct elf_segment *s, struct load_error *e);

#endif
