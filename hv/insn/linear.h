/*
 * linear.h: guest memory as an instruction reaches it: segment, linear address, pages, then RAM or a device.
 */
#ifndef VEXIT_INSN_LINEAR_H
#define VEXIT_INSN_LINEAR_H

#include "exit/arch.h"
#include "insn/walk.h"

/* A page that was translated in this step: as in a TLB, it spares further walks. */
struct translation {
	uint64_t linear, gpa;	/* of the page, or any address in it */
	uint32_t access;	/* what it is known to permit */
};

#define TRANSLATIONS 4

/* Whose accesses these are, and what came of them. */
struct access {
	struct vcpu *v;
	struct vm *vm;
	struct world *w;
	struct fault fault;	/* when a function gave false */
	unsigned known_count;	/* of them the last TRANSLATIONS are kept */
	struct translation known[TRANSLATIONS];
};

/* Nothing is translated yet: what `known` holds doesn't count, and needs no clearing. */
static inline void access_begin(struct access *a, struct vcpu *v, struct vm *vm, struct world *w)
{
	a->v = v;
	a->vm = vm;
	a->w = w;
	a->fault = (struct fault){ 0 };
	a->known_count = 0;
}

/* `linear` translates to `gpa` for `access`: an EPT violation says so, or a walk. */
void linear_know(struct access *a, uint64_t linear, uint64_t gpa, uint32_t access);

/*
 * seg:offset → linear, with the checks of the segment (SDM, "Protection" and "Canonical Addressing"): #GP,
 * or #SS for the stack segment. `len` is the operand's bytes, `access` of walk.h.
 */
bool linear_address(struct access *a, enum segment seg, uint64_t offset, uint32_t len, uint32_t access,
		    uint64_t *linear);

/*
 * Up to 4096 bytes. All pages are translated before the first byte moves, so that a fault leaves nothing
 * half done.
 */
bool linear_read(struct access *a, uint64_t linear, void *to, uint32_t len, uint32_t access);
bool linear_write(struct access *a, uint64_t linear, const void *from, uint32_t len, uint32_t access);

/*
 * As linear_read(), but from RAM alone: for a buffer that a guest names by its linear address, with no
 * segment.
 */
bool linear_read_ram(struct access *a, uint64_t linear, void *to, uint32_t len, uint32_t access);

/* Only the translation and its checks. */
bool linear_probe(struct access *a, uint64_t linear, uint32_t len, uint32_t access);

/*
 * The instruction at CS:RIP, up to 15 bytes. Gives how many could be read before a page that can't be; 0 with
 * a->fault if none could.
 */
unsigned linear_fetch(struct access *a, uint8_t bytes[15]);

#endif
