/*
 * world.h: the seam, second half. The one door out of the core.
 *
 * A handler sees its vCPU, the VM's plain data and this. Each call is a *crossing*: it is recorded,
 * in order, whether it changed something or not. What comes in [IN] is served again in replay; what
 * goes out [OUT] is compared. No call can fail: what may fail is decided before, from struct vm
 * (e.g. vm_has_memory()). Bounds: at most CROSSING_MAX bytes a call, STEP_CROSSINGS_MAX bytes and
 * STEP_CROSSINGS crossings a step; a handler with more to do (REP OUTS, a long string) does a part and
 * lets the instruction run again, or keeps within the bounds by its interface (HYPERCALL_PRINT_MAX).
 */
#ifndef VEXIT_WORLD_H
#define VEXIT_WORLD_H

#include <stdbool.h>
#include <stdint.h>

/* Kinds of crossing. The trace's numbers and, lower case, SQL's names. */
#define CROSSING_KINDS(X)                                                     \
	X(0, MEM_READ)        /* addr = GPA, size, bytes read              [IN]  */ \
	X(1, MEM_WRITE)       /* addr = GPA, size, bytes written           [OUT] */ \
	X(2, MEM_CMPXCHG)     /* addr = GPA, size, value = new             [OUT] */ \
	X(3, CONSOLE_OUT)     /* size, bytes                               [OUT] */ \
	X(4, CONSOLE_IN)      /* value = byte, or all ones: none waits     [IN]  */ \
	X(5, MSR_READ)        /* addr = MSR, value                         [IN]  */ \
	X(6, MSR_WRITE)       /* addr = MSR, value                         [OUT] */ \
	X(7, XCR_WRITE)       /* addr = XCR number, value                  [OUT] */ \
	X(8, DR_READ)         /* addr = debug register, value              [IN]  */ \
	X(9, DR_WRITE)        /* addr = debug register, value              [OUT] */ \
	X(10, INVVPID)        /* addr = linear address, value = type       [OUT] */ \
	X(11, KICK)           /* addr = vCPU                               [OUT] */ \
	X(12, SLICE_END)      /* value = host TSC, or all ones: none       [IN]  */ \
	X(13, TRACER_CYCLES)  /* value = cycles the tracer spent on this VM so far [IN] */ \
	X(14, MEM_FOUND)      /* addr = GPA, size, value: what a MEM_CMPXCHG found [IN] */

enum crossing_kind {
#define X(number, name) CROSSING_##name = number,
	CROSSING_KINDS(X)
#undef X
	CROSSING_KIND_COUNT
};

#define CROSSING_MAX		4096	/* bytes in one crossing */
#define STEP_CROSSINGS		512	/* crossings in one step */
#define STEP_CROSSINGS_MAX	12288	/* bytes of crossings in one step */

/* INVVPID types (SDM, "INVVPID") */
enum invvpid_type { INVVPID_ADDRESS, INVVPID_CONTEXT, INVVPID_ALL, INVVPID_CONTEXT_NOT_GLOBAL };

struct world;

struct world_ops {
	/*
	 * [IN] `len` bytes of guest memory at `gpa`. Pre: vm_has_memory(vm, gpa, len). Each byte is
	 * recorded at its first read in the step.
	 */
	void (*mem_read)(struct world *w, uint64_t gpa, void *to, uint32_t len);
	/* [OUT] Pre: as mem_read. */
	void (*mem_write)(struct world *w, uint64_t gpa, const void *from, uint32_t len);
	/*
	 * [IN/OUT] 4 or 8 bytes at an aligned `gpa` become `desired` if they are `expected`; gives what was
	 * found.
	 */
	uint64_t (*mem_cmpxchg)(struct world *w, uint64_t gpa, uint32_t size, uint64_t expected, uint64_t desired);
	/* [OUT] Bytes for the guest's console. */
	void (*console_out)(struct world *w, const void *from, uint32_t len);
	/* [IN] The next byte typed for the guest, or -1. Entry steps alone call it. */
	int (*console_in)(struct world *w);
	/* [IN], [OUT] An MSR of this vCPU that metal keeps (msrs.def: METAL). */
	uint64_t (*msr_read)(struct world *w, uint32_t msr);
	void (*msr_write)(struct world *w, uint32_t msr, uint64_t value);
	/* [OUT] XCR0 of this vCPU. Pre: the value is valid (SDM, "XSETBV"). */
	void (*xcr_write)(struct world *w, uint32_t xcr, uint64_t value);
	/* [IN], [OUT] DR0–DR3, DR6 of this vCPU. */
	uint64_t (*dr_read)(struct world *w, uint32_t dr);
	void (*dr_write)(struct world *w, uint32_t dr, uint64_t value);
	/* [OUT] Invalidate this vCPU's translations. */
	void (*invvpid)(struct world *w, enum invvpid_type type, uint64_t linear);
	/* [OUT] vCPU `cpu` has an event posted in struct vm: make it take an entry step soon. */
	void (*kick)(struct world *w, uint32_t cpu);
	/*
	 * [IN] Host TSC at which this vCPU's time slice ends; TIME_NONE when no other can run. Entry steps
	 * alone.
	 */
	uint64_t (*slice_end)(struct world *w);
	/*
	 * [IN] TSC cycles the tracer has spent on this VM's steps so far. Entry steps alone, with
	 * config.hide_tracing_time.
	 */
	uint64_t (*tracer_cycles)(struct world *w);
};

struct world {
	const struct world_ops *ops;
	void *context;
};

#endif
