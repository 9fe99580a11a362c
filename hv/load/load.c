/*
 * load.c: what kind of guest it is, and what both kinds need: pieces that don't collide, the initrd, the map
 * of memory.
 *
 * Called by the recorder (load_plan) and by hv/vmx/guest.c. It must not write outside of `memory`, whatever
 * the files say.
 */
#include <string.h>

#include "lib/print.h"
#include "load/acpi.h"
#include "load/plan.h"
#include "load/smbios.h"

#define ELF_MAGIC 0x464c457fu

bool load_fail(struct load_error *e, enum load_file file, uint64_t offset, const char *format, ...)
{
	va_list args;

	e->file = file;
	e->offset = offset;
	va_start(args, format);
	print_vformat(e->text, sizeof(e->text), format, args);
	va_end(args);
	return false;
}

uint64_t load_get(const struct load_bytes *b, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size && load_has(b, offset, i + 1); i++)
		value |= (uint64_t)b->at[offset + i] << 8 * i;
	return value;
}

void layout_map(uint64_t memory, struct layout_region *region)
{
	region[0] = (struct layout_region){ 0, LAYOUT_LOW_RAM_END, LAYOUT_TYPE_RAM };
	region[1] = (struct layout_region){ LAYOUT_BIOS, LAYOUT_HIGH_RAM - LAYOUT_BIOS,
					   LAYOUT_TYPE_RESERVED };
	region[2] = (struct layout_region){ LAYOUT_HIGH_RAM, memory - LAYOUT_HIGH_RAM, LAYOUT_TYPE_RAM };
}

bool load_add(const struct load_input *in, struct load_plan *p, const struct load_piece *piece,
	      uint64_t offset, struct load_error *e)
{
	if (piece->memory_size > in->memory || piece->gpa > in->memory - piece->memory_size)
		return load_fail(e, LOAD_GUEST, offset,
				 "address of %#lx bytes, expected all of them below the memory's end %#lx "
				 "(--mem), got %#lx",
				 piece->memory_size, in->memory, piece->gpa);
	if (load_meets(piece->gpa, piece->memory_size, LAYOUT_LOW, LAYOUT_LOW_END - LAYOUT_LOW) ||
	    load_meets(piece->gpa, piece->memory_size, LAYOUT_BIOS, LAYOUT_HIGH_RAM - LAYOUT_BIOS))
		return load_fail(e, LOAD_GUEST, offset,
				 "address of %#lx bytes, expected nothing at the loader's tables (%#x..%#x, "
				 "%#x..%#x), got %#lx",
				 piece->memory_size, LAYOUT_LOW, LAYOUT_LOW_END, LAYOUT_BIOS,
				 LAYOUT_HIGH_RAM, piece->gpa);
	for (unsigned i = 0; i < p->pieces; i++)
		if (load_meets(piece->gpa, piece->memory_size, p->piece[i].gpa, p->piece[i].memory_size))
			return load_fail(e, LOAD_GUEST, offset,
					 "address of %#lx bytes, expected none that is taken (%#lx..%#lx), "
					 "got %#lx",
					 piece->memory_size, p->piece[i].gpa,
					 p->piece[i].gpa + p->piece[i].memory_size, piece->gpa);
	if (p->pieces == LOAD_PIECES)
		return load_fail(e, LOAD_GUEST, offset, "pieces to load, expected at most %u, got more",
				 LOAD_PIECES);
	p->piece[p->pieces++] = *piece;
	return true;
}

bool load_add_initrd(const struct load_input *in, struct load_plan *p, uint64_t end, struct load_error *e)
{
	struct load_piece piece = { .from = in->initrd.at, .size = in->initrd.size,
				   .memory_size = in->initrd.size };
	uint64_t low = LAYOUT_HIGH_RAM;

	if (!in->initrd.at)
		return true;
	for (unsigned i = 0; i < p->pieces; i++)
		if (p->piece[i].gpa + p->piece[i].memory_size > low)
			low = p->piece[i].gpa + p->piece[i].memory_size;
	low = (low + LAYOUT_PAGE - 1) & ~(uint64_t)(LAYOUT_PAGE - 1);
	if (end > in->memory)
		end = in->memory;
	if (!piece.size)
		return load_fail(e, LOAD_INITRD, 0, "size, expected at least 1 byte, got 0");
	if (low > end || piece.size > end - low)
		return load_fail(e, LOAD_INITRD, 0,
				 "size, expected at most %lu bytes between the guest's end %#lx and %#lx "
				 "(--mem), got %lu",
				 low > end ? 0 : end - low, low, end, piece.size);
	piece.gpa = (end - piece.size) & ~(uint64_t)(LAYOUT_PAGE - 1);
	p->initrd = piece.gpa;
	return load_add(in, p, &piece, 0, e);
}

bool load_plan(const struct load_input *in, struct load_plan *p, struct load_error *e)
{
	uint64_t magic = load_get(&in->guest, 0, 4);

	*p = (struct load_plan){ .pieces = 0 };
	if (!in->guest.size)
		return load_fail(e, LOAD_GUEST, 0,
				 "size, expected a multiboot ELF or a Linux bzImage, got an empty file");
	if (magic == ELF_MAGIC)
		return multiboot_plan(in, p, e);
	if (linux_is(&in->guest))
		return linux_plan(in, p, e);
	return load_fail(e, LOAD_GUEST, 0,
			 "magic, expected a multiboot ELF's %#x, or \"HdrS\" of a Linux bzImage at 0x202, "
			 "got %#lx and %#lx",
			 ELF_MAGIC, magic, load_get(&in->guest, 0x202, 4));
}

void load_place(const struct load_input *in, const struct load_plan *p, uint8_t *memory,
		struct vcpu_start *start)
{
	for (unsigned i = 0; i < p->pieces; i++)
		memcpy(memory + p->piece[i].gpa, p->piece[i].from, p->piece[i].size);
	*start = (struct vcpu_start){ .kind = p->kind, .entry = p->entry };
	acpi_build(memory + LAYOUT_BIOS, LAYOUT_BIOS, in->cpus);
	smbios_build(memory + LAYOUT_SMBIOS, LAYOUT_SMBIOS);
	if (p->kind == START_LINUX)
		linux_place(in, p, memory, start);
	else
		multiboot_place(in, p, memory, start);
}
