/* plan.h: what the loaders share, within this folder. */
#ifndef VEXIT_LOAD_PLAN_H
#define VEXIT_LOAD_PLAN_H

#include "load/layout.h"
#include "load/load.h"

/* Fills *e; gives false, so that a check is one statement. The offset is one in `file`. */
bool load_fail(struct load_error *e, enum load_file file, uint64_t offset, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A little-endian value of `size` bytes; what lies behind the file's end reads as zero. */
uint64_t load_get(const struct load_bytes *b, uint64_t offset, unsigned size);

/* Whether [offset, offset + size) lies in the file. No sum overflows. */
static inline bool load_has(const struct load_bytes *b, uint64_t offset, uint64_t size)
{
	return size <= b->size && offset <= b->size - size;
}

static inline bool load_meets(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/*
 * Adds a piece, whose bytes the caller has found in the file. It is checked against the guest's memory, the
 * loader's own tables and the pieces before; `offset` is where the file says so.
 */
bool load_add(const struct load_input *in, struct load_plan *p, const struct load_piece *piece,
	      uint64_t offset, struct load_error *e);

/*
 * Puts the initrd as high as it goes, out of the kernel's way, in whole pages that end at or below `end`.
 * Called after everything else was added.
 */
bool load_add_initrd(const struct load_input *in, struct load_plan *p, uint64_t end, struct load_error *e);

/* ---- The two kinds of guests ---- */
bool multiboot_plan(const struct load_input *in, struct load_plan *p, struct load_error *e);
void multiboot_place(const struct load_input *in, const struct load_plan *p, uint8_t *memory,
		     struct vcpu_start *start);

bool linux_is(const struct load_bytes *guest);
bool linux_plan(const struct load_input *in, struct load_plan *p, struct load_error *e);
void linux_place(const struct load_input *in, const struct load_plan *p, uint8_t *memory,
		 struct vcpu_start *start);

#endif
