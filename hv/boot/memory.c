/*
 * memory.c: bump allocation of physical memory.
 *
 * Used at boot only, before the first VM entry: an allocation while a guest runs would make a run depend on
 * it.
 */
#include "boot/log.h"
#include "boot/memory.h"
#include "boot/zero.h"
#include "lib/string.h"

#define LOW_MEMORY	(1ull << 20)	/* left to the firmware */

extern const char image_end[];		/* link.ld */

static struct multiboot2_range free_range;

/*
 * Raises the start of `r` above `taken` where the two meet: the loader puts its things low, so little is
 * lost.
 */
static void avoid(struct multiboot2_range *r, struct multiboot2_range taken)
{
	if (taken.start < r->end && taken.end > r->start)
		r->start = taken.end;
}

static struct multiboot2_range usable_part(struct multiboot2_range r, const struct multiboot2 *mb)
{
	uint64_t before;

	do {	/* until nothing lies in it: the modules come in any order */
		before = r.start;
		avoid(&r, (struct multiboot2_range){ 0, LOW_MEMORY });
		avoid(&r, (struct multiboot2_range){ 0, (uint64_t)image_end });
		avoid(&r, mb->info);
		for (unsigned i = 0; i < mb->modules; i++)
			avoid(&r, mb->module[i].at);
	} while (r.start != before);
	return r;
}

void memory_init(const struct multiboot2 *mb)
{
	for (unsigned i = 0; i < mb->regions; i++) {
		struct multiboot2_range r = usable_part(mb->region[i], mb);

		if (r.end > r.start && r.end - r.start > free_range.end - free_range.start)
			free_range = r;
	}
	log_print("vexit: memory %#lx..%#lx (%lu MiB)\n", free_range.start,
		  free_range.end,
		  (free_range.end - free_range.start) >> 20);
}

void *memory_allocate(uint64_t size, uint64_t align, const char *what)
{
	uint64_t start = (free_range.start + align - 1) & ~(align - 1);

	if (start > free_range.end || size > free_range.end - start)
		log_host_error("no room for %s: %lu KiB wanted, %lu KiB free", what, size >> 10,
			       (free_range.end - free_range.start) >> 10);
	free_range.start = start + size;
	if (size % ZERO_UNIT || start % 64)
		memset((void *)start, 0, size);
	else
		zero_memory((void *)start, size);
	return (void *)start;
}
