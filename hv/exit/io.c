/*
 * io.c: IN, OUT, INS, OUTS (SDM, "Exit Qualification for I/O Instructions").
 *
 * IOPL and the TSS's bitmap were checked by the processor before the exit; the memory operand of INS and
 * OUTS was not. A REP form does a bounded part at each exit and lets the instruction run again for the
 * rest, so that interrupts are taken between, as on a processor.
 */
#include "exit/exit.h"
#include "dev/ports.h"
#include "insn/linear.h"

#define CHUNK_BYTES 1024	/* of a REP INS or OUTS, at most, in one exit */

struct io {			/* the qualification, decoded */
	unsigned size;		/* 1, 2, 4 */
	bool in, string, rep;
	uint16_t port;
};

struct string_io {		/* what INS and OUTS add to it */
	enum segment segment;
	enum gpr index;		/* RSI or RDI */
	uint64_t mask;		/* of the address size: what of RCX, RSI, RDI is used */
	bool down;		/* RFLAGS.DF */
	uint32_t count;		/* elements to do in this exit */
	uint32_t access;
};

static struct io decode(uint64_t qualification)
{
	return (struct io){
		.size = (qualification & 7) + 1,
		.in = qualification & (1 << 3),
		.string = qualification & (1 << 4),
		.rep = qualification & (1 << 5),
		.port = (uint16_t)(qualification >> 16),
	};
}

/* SDM, "Format of the VM-Exit Instruction-Information Field as Used for INS and OUTS" */
static struct string_io decode_string(struct vcpu *v, const struct io *io)
{
	uint64_t info = vmcs_read(v, VMCS_EXIT_INSTRUCTION_INFO);
	unsigned address_size = info >> 7 & 7;

	return (struct string_io){
		/* INS always stores through ES; the field is undefined for it. */
		.segment = io->in ? SEG_ES : info >> 15 & 7,
		.index = io->in ? GPR_RDI : GPR_RSI,
		.mask = address_size == 0 ? 0xffff : address_size == 1 ? UINT32_MAX : UINT64_MAX,
		.down = vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_DF,
		.access = (io->in ? ACCESS_WRITE : ACCESS_READ) | walk_privilege(v),
	};
}

static struct port_access port_of(struct vcpu *v, struct vm *vm, struct world *w, const struct io *io)
{
	return (struct port_access){ vm, w, v->index, vm_time(vm, v->tsc), io->port, io->size };
}

/* A register of the address size: 16-bit writes keep the rest, 32-bit writes clear it. */
static void index_write(struct vcpu *v, enum gpr reg, uint64_t mask, uint64_t value)
{
	uint64_t kept = mask == 0xffff ? gpr_read(v, reg) & ~mask : 0;

	gpr_write(v, reg, kept | (value & mask));
}

/*
 * How many elements this exit does: until the next page (with DF set, one by one: such strings are rare),
 * the chunk's bound, or the address size's wrap. With the trap flag each iteration traps.
 */
static uint32_t chunk(struct vcpu *v, const struct io *io, const struct string_io *s, uint64_t offset,
		      uint64_t linear)
{
	uint64_t left = gpr_read(v, GPR_RCX) & s->mask, fits = (4096 - (linear & 4095)) / io->size;
	uint64_t bound = CHUNK_BYTES / io->size, beyond_this = (s->mask - offset) / io->size;

	if (s->down || fits == 0 || (vmcs_read(v, VMCS_GUEST_RFLAGS) & RFLAGS_TF))
		return 1;
	bound = left < bound ? left : bound;
	bound = beyond_this < bound ? beyond_this + 1 : bound;
	return (uint32_t)(fits < bound ? fits : bound);
}

/* The elements from port to memory. The access was probed before: a port that is read has changed. */
static bool string_in(struct access *a, const struct io *io, struct string_io *s, uint64_t linear)
{
	struct port_access port = port_of(a->v, a->vm, a->w, io);
	uint8_t bytes[CHUNK_BYTES];

	if (!linear_probe(a, linear, s->count * io->size, s->access))
		return false;
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t value = port_read(&port);

		for (unsigned j = 0; j < io->size; j++)
			bytes[i * io->size + j] = (uint8_t)(value >> 8 * j);
	}
	return linear_write(a, linear, bytes, s->count * io->size, s->access);
}

static bool string_out(struct access *a, const struct io *io, struct string_io *s, uint64_t linear)
{
	struct port_access port = port_of(a->v, a->vm, a->w, io);
	uint8_t bytes[CHUNK_BYTES];

	if (!linear_read(a, linear, bytes, s->count * io->size, s->access))
		return false;
	s->count = port_write(&port, bytes, s->count);
	return true;
}

static enum exit_action exit_string(struct vcpu *v, struct vm *vm, struct world *w, const struct io *io)
{
	struct access a;
	struct string_io s = decode_string(v, io);
	uint64_t offset = gpr_read(v, s.index) & s.mask, left = 0, linear;

	if (io->rep) {
		left = gpr_read(v, GPR_RCX) & s.mask;
		if (left == 0)
			return ACTION_RETIRE;
	}
	access_begin(&a, v, vm, w);
	s.count = 1;
	if (!linear_address(&a, s.segment, offset, io->size, s.access, &linear))
		return vcpu_inject_fault(v, vm, &a.fault);
	if (io->rep)
		s.count = chunk(v, io, &s, offset, linear);
	/* All elements but the first are inside the limit, too, or they are left for the exit that faults. */
	while (s.count > 1 && !linear_address(&a, s.segment, offset, s.count * io->size, s.access, &linear))
		s.count /= 2;
	if (!(io->in ? string_in(&a, io, &s, linear) : string_out(&a, io, &s, linear)))
		return vcpu_inject_fault(v, vm, &a.fault);
	index_write(v, s.index, s.mask, s.down ? offset - s.count * io->size : offset + s.count * io->size);
	if (io->rep)
		index_write(v, GPR_RCX, s.mask, left - s.count);
	if (vm->stop.kind != STOP_NONE)
		return ACTION_STOP;
	if (!io->rep || left == s.count)
		return ACTION_RETIRE;
	vcpu_pend_single_step(v);
	return ACTION_RESUME;
}

static enum exit_action exit_in(struct vcpu *v, struct vm *vm, struct world *w, const struct io *io)
{
	struct port_access port = port_of(v, vm, w, io);
	uint64_t value = port_read(&port), rax = gpr_read(v, GPR_RAX);
	uint64_t mask = UINT64_MAX >> (64 - 8 * io->size);

	/* As with any register: 32 bits clear the upper half, 8 and 16 leave the rest. */
	gpr_write(v, GPR_RAX, io->size == 4 ? value : (rax & ~mask) | value);
	return ACTION_RETIRE;
}

enum exit_action exit_io(struct vcpu *v, struct vm *vm, struct world *w)
{
	struct io io = decode(vmcs_read(v, VMCS_EXIT_QUALIFICATION));
	struct port_access port = port_of(v, vm, w, &io);
	uint32_t value;

	if (io.size != 1 && io.size != 2 && io.size != 4)
		return exit_impossible(v, vm, w);
	if (io.string)
		return exit_string(v, vm, w, &io);
	if (io.in)
		return exit_in(v, vm, w, &io);
	value = (uint32_t)gpr_read(v, GPR_RAX);
	port_write(&port, (const uint8_t *)&value, 1);
	return vm->stop.kind != STOP_NONE ? ACTION_STOP : ACTION_RETIRE;
}
