/*
 * load.h: from a guest's file to what lies in its memory before its first instruction.
 *
 * Two steps. load_plan() reads the files, which are hostile, and decides where everything goes, or says what
 * is wrong: the recorder asks it before a machine starts, the hypervisor again before it loads. load_place()
 * then writes the memory, and can't fail. Pure: compiled for the hypervisor, the host tool and the tests from
 * the same sources.
 */
#ifndef VEXIT_LOAD_H
#define VEXIT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "vcpu.h"

#define LOAD_PIECES	32
#define LOAD_TEXT	200

struct load_bytes {
	const uint8_t *at;
	uint64_t size;
};

struct load_input {
	struct load_bytes guest;	/* a multiboot-1 ELF or a Linux bzImage */
	struct load_bytes initrd;	/* at = NULL: there is none */
	struct load_bytes command_line;	/* its file name, then what was appended; without terminator */
	struct load_bytes initrd_line;	/* the initrd's name, which multiboot passes on */
	uint64_t memory;		/* bytes of guest memory, at least 2 MiB, below PLATFORM_RAM_END */
	uint32_t cpus;
};

/* What an offset counts in. */
enum load_file { LOAD_GUEST, LOAD_INITRD, LOAD_COMMAND_LINE };

struct load_error {
	enum load_file file;
	uint64_t offset;
	char text[LOAD_TEXT];		/* "what, expected X, got Y" */
};

struct load_piece {			/* a stretch of guest memory and what it starts with */
	uint64_t gpa, memory_size;	/* from `size` on it is zero */
	const uint8_t *from;		/* in one of the files */
	uint64_t size;
};

struct load_plan {
	enum vcpu_start_kind kind;
	uint64_t entry;			/* GPA of the first instruction */
	unsigned pieces;
	struct load_piece piece[LOAD_PIECES];	/* no two overlap, nor do they meet what load_place() adds */
	uint64_t initrd;		/* GPA, where there is one */
};

/* false: the guest can't be loaded, and *e says why. */
bool load_plan(const struct load_input *in, struct load_plan *p, struct load_error *e);

/*
 * Writes files and tables to `memory`, which is in->memory bytes of zeros, by the plan that load_plan() made
 * for the same input. *start is what vcpu_reset() takes.
 */
void load_place(const struct load_input *in, const struct load_plan *p, uint8_t *memory,
		struct vcpu_start *start);

#endif
