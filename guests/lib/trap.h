/*
 * trap.h: exceptions and interrupts of a guest, and TRY(): one instruction whose exception is an answer.
 */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include "asm.h"

/* The stack as vectors.S leaves it. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

enum {
	VECTOR_DE = 0, VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_BP = 3, VECTOR_OF = 4, VECTOR_BR = 5,
	VECTOR_UD = 6, VECTOR_NM = 7, VECTOR_DF = 8, VECTOR_TS = 10, VECTOR_NP = 11, VECTOR_SS = 12,
	VECTOR_GP = 13, VECTOR_PF = 14, VECTOR_MF = 16, VECTOR_AC = 17, VECTOR_MC = 18,
	VECTOR_XM = 19, VECTOR_CP = 21,
	VECTOR_USER_EXIT = 0x80, /* INT 0x80 in ring 3 ends user_run() */
	NO_TRAP = -1,
};

/* What TRY() gives: the exception that its instruction raised, or vector NO_TRAP. */
struct trap {
	int32_t vector;
	uint32_t error;
	uint64_t cr2; /* for #PF */
};

typedef void trap_handler(struct trap_frame *frame);

/* For all vCPUs. A handler of a device interrupt sends its own EOI; NULL restores the default:
 * exceptions outside TRY() end the guest with a report, interrupts are counted and EOI'd. */
void trap_set_handler(unsigned vector, trap_handler *handler);

/* Interrupts of this vector that this vCPU took by the default handler. */
uint32_t trap_count(unsigned vector);

/* Once per vCPU: loads the IDT (the same for all). */
void trap_init(void);

/*
 * TRY("insn", OUT("=a"(x)), IN("c"(y)), "clobber"…): runs one instruction and gives its struct trap.
 * An exception at the instruction, or a trap-class one (#DB, #BP, #OF) right after it, is caught and the
 * vCPU goes on behind it; interrupts are served as ever. More than one instruction may stand in the string as
 * long as only the first can fault.
 */
#define TRY(insn, outputs, inputs, ...) \
	({ \
		struct trap *try_trap_ = trap_arm(); \
		asm volatile(TRY_TEXT(insn) : outputs : inputs : "memory", "cc", ##__VA_ARGS__); \
		*try_trap_; \
	})
/* The assembly alone: for ring 3, where the caller of user_run() has to trap_arm() and look. */
#define TRY_TEXT(insn) \
	"771: " insn "\n" \
	"772:\n\t" \
	".pushsection .fixups, \"a\"\n\t" \
	".quad 771b, 772b\n\t" \
	".popsection"
#define OUT(...) __VA_ARGS__
#define IN(...)  __VA_ARGS__

/* Clears this vCPU's caught exception and gives its place. */
struct trap *trap_arm(void);

/* "#GP", "#UD", …, "none", "vector" */
const char *trap_name(int32_t vector);

static inline struct trap try_rdmsr(uint32_t msr, uint64_t *value)
{
	uint32_t lo = 0, hi = 0;
	struct trap t = TRY("rdmsr", OUT("+a"(lo), "+d"(hi)), IN("c"(msr)));

	*value = (uint64_t)hi << 32 | lo;
	return t;
}

static inline struct trap try_wrmsr(uint32_t msr, uint64_t value)
{
	return TRY("wrmsr", OUT(), IN("c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))));
}

static inline struct trap try_xsetbv(uint32_t xcr, uint64_t value)
{
	return TRY("xsetbv", OUT(), IN("c"(xcr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))));
}

static inline struct trap try_read(const volatile void *address, uint64_t *value)
{
	return TRY("movq (%1), %0", OUT("=&r"(*value)), IN("r"(address)));
}

static inline struct trap try_write(volatile void *address, uint64_t value)
{
	return TRY("movq %0, (%1)", OUT(), IN("r"(value), "r"(address)));
}

#endif
