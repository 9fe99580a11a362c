/* elf.h: an ELF executable's segments, checked. */
#ifndef VMX_ELF_H
#define VMX_ELF_H

#include <stdbool.h>
#include <stdint.h>

struct elf {
	const uint8_t *image;
	uint64_t size;
	uint64_t entry;			/* a virtual address */
	uint64_t table;			/* offset of the program headers */
	unsigned segments, entry_size;
	bool is64;
};

struct elf_segment {
	uint64_t offset, file_size;	/* within the image */
	uint64_t virtual, physical, memory_size;
};

/* Ends the run with a host error if this is no executable for the x86. */
void elf_open(struct elf *e, const uint8_t *image, uint64_t size);

/* Program header `index`: false if it is not of type PT_LOAD. What it says of the image is checked. */
bool elf_segment(const struct elf *e, unsigned index, struct elf_segment *s);

#endif
