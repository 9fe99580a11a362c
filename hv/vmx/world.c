/*
 * world.c: struct world on metal: each call does the thing, and tells the encoder.
 *
 * Called by the core, inside a step. What the calls may be asked is written in include/world.h; a question
 * outside of it is a bug of the core's and a panic.
 */
#include "boot/panic.h"
#include "boot/serial.h"
#include "lib/string.h"
#include "vmx/instructions.h"
#include "vmx/schedule.h"
#include "vmx/switch.h"
#include "vmx/vmx.h"
#include "vmx/world.h"

static inline struct vmx *vmx_of(struct world *w)
{
	return w->context;
}

static inline bool traced(const struct vmx *x)
{
	return x->tracer.level != TRACE_OFF;
}

/* A crossing that is one value. */
static inline void record(struct vmx *x, enum crossing_kind kind, uint64_t addr, uint64_t value)
{
	if (traced(x))
		encoder_crossing(&x->tracer.encoder, kind, addr, 8, value, 0);
}

static uint8_t *memory_at(struct vmx *x, uint64_t gpa, uint32_t len)
{
	if (!vm_has_memory(&x->vm, gpa, len))
		panic("the core asks for %u bytes at GPA %#lx, where the guest has no memory", len,
		      gpa);
	return x->guest_memory + gpa;
}

/* Most are entries of page tables, and worth no call. */
static inline void copy(void *to, const void *from, uint32_t len)
{
	if (len == 8)
		__builtin_memcpy(to, from, 8);
	else
		memcpy(to, from, len);
}

static void world_mem_read(struct world *w, uint64_t gpa, void *to, uint32_t len)
{
	struct vmx *x = vmx_of(w);

	copy(to, memory_at(x, gpa, len), len);
	if (traced(x))
		encoder_mem_read(&x->tracer.encoder, gpa, to, len);
}

static void world_mem_write(struct world *w, uint64_t gpa, const void *from, uint32_t len)
{
	struct vmx *x = vmx_of(w);

	memcpy(memory_at(x, gpa, len), from, len);
	if (traced(x))
		encoder_mem_write(&x->tracer.encoder, gpa, from, len);
}

static uint64_t world_mem_cmpxchg(struct world *w, uint64_t gpa, uint32_t size, uint64_t expected, uint64_t desired)
{
	struct vmx *x = vmx_of(w);
	void *at = memory_at(x, gpa, size);
	uint64_t found = expected;

	if (size == 8) {
		__atomic_compare_exchange_n((uint64_t *)at, &found, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	} else if (size == 4) {
		uint32_t found32 = (uint32_t)expected;

		__atomic_compare_exchange_n((uint32_t *)at, &found32, (uint32_t)desired, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
		found = found32;
	} else {
		panic("the core asks for a compare-and-exchange of %u bytes", size);
	}
	if (traced(x)) {
		encoder_crossing(&x->tracer.encoder, CROSSING_MEM_FOUND, gpa, size, found, 0);
		encoder_crossing(&x->tracer.encoder, CROSSING_MEM_CMPXCHG, gpa, size, desired, 0);
	}
	return found;
}

static void world_console_out(struct world *w, const void *from, uint32_t len)
{
	struct vmx *x = vmx_of(w);

	serial_write(&serial_console, from, len);
	if (traced(x))
		encoder_crossing(&x->tracer.encoder, CROSSING_CONSOLE_OUT, 0, len, 0, from);
}

static int world_console_in(struct world *w)
{
	struct vmx *x = vmx_of(w);
	uint8_t byte;
	int result = serial_receive(&serial_console, &byte) ? byte : -1;

	x->input_taken += result >= 0;
	record(x, CROSSING_CONSOLE_IN, 0, (uint64_t)(int64_t)result);
	return result;
}

static uint64_t world_msr_read(struct world *w, uint32_t msr)
{
	struct vmx *x = vmx_of(w);
	uint64_t value = switch_msr_read(x->running, msr);

	record(x, CROSSING_MSR_READ, msr, value);
	return value;
}

static void world_msr_write(struct world *w, uint32_t msr, uint64_t value)
{
	struct vmx *x = vmx_of(w);

	switch_msr_write(x->running, msr, value);
	record(x, CROSSING_MSR_WRITE, msr, value);
}

static void world_xcr_write(struct world *w, uint32_t xcr, uint64_t value)
{
	struct vmx *x = vmx_of(w);

	if (xcr)
		panic("the core writes XCR%u", xcr);
	switch_xcr0_write(x->running, value);
	record(x, CROSSING_XCR_WRITE, xcr, value);
}

static uint64_t world_dr_read(struct world *w, uint32_t dr)
{
	struct vmx *x = vmx_of(w);
	uint64_t value = switch_dr_read(x->running, dr);

	record(x, CROSSING_DR_READ, dr, value);
	return value;
}

static void world_dr_write(struct world *w, uint32_t dr, uint64_t value)
{
	struct vmx *x = vmx_of(w);

	switch_dr_write(x->running, dr, value);
	record(x, CROSSING_DR_WRITE, dr, value);
}

static void world_invvpid(struct world *w, enum invvpid_type type, uint64_t linear)
{
	struct vmx *x = vmx_of(w);

	if (!vmx_invvpid(type, (uint16_t)x->running->v->vmcs[VMCS_VPID], linear))
		panic("INVVPID of type %d at %#lx failed", type, linear);
	record(x, CROSSING_INVVPID, linear, type);
}

/* One processor: the other vCPU doesn't run now, and the scheduler finds its event in struct vm. */
static void world_kick(struct world *w, uint32_t cpu)
{
	record(vmx_of(w), CROSSING_KICK, cpu, 0);
}

static uint64_t world_slice_end(struct world *w)
{
	struct vmx *x = vmx_of(w);
	uint64_t end = schedule_slice_end(x, x->running);

	record(x, CROSSING_SLICE_END, 0, end);
	return end;
}

static uint64_t world_tracer_cycles(struct world *w)
{
	struct vmx *x = vmx_of(w);
	uint64_t cycles = 0;

	for (unsigned i = 0; i < x->vm.config.cpu_count; i++)
		cycles += x->cpu[i].tracer_cycles;
	record(x, CROSSING_TRACER_CYCLES, 0, cycles);
	return cycles;
}

static const struct world_ops ops = {
	.mem_read = world_mem_read,
	.mem_write = world_mem_write,
	.mem_cmpxchg = world_mem_cmpxchg,
	.console_out = world_console_out,
	.console_in = world_console_in,
	.msr_read = world_msr_read,
	.msr_write = world_msr_write,
	.xcr_write = world_xcr_write,
	.dr_read = world_dr_read,
	.dr_write = world_dr_write,
	.invvpid = world_invvpid,
	.kick = world_kick,
	.slice_end = world_slice_end,
	.tracer_cycles = world_tracer_cycles,
};

void world_init(struct vmx *x)
{
	x->world.ops = &ops;
	x->world.context = x;
}
