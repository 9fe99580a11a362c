/*
 * fake_world.c: the world of a fake VM: it serves memory from an array, and keeps a log of all crossings.
 */
#include "fake.h"

static struct fake *fake_of(struct world *w)
{
	return w->context;
}

static void log_crossing(struct fake *f, enum crossing_kind kind, uint64_t addr, uint32_t size,
			 uint64_t value, const void *bytes)
{
	struct fake_crossing *c = &f->log[f->log_count++];

	assert_true(f->log_count < FAKE_LOG);
	*c = (struct fake_crossing){ .kind = kind, .addr = addr, .size = size, .value = value };
	if (bytes)
		memcpy(c->bytes, bytes, size < sizeof(c->bytes) ? size : sizeof(c->bytes));
}

static void mem_read(struct world *w, uint64_t gpa, void *to, uint32_t len)
{
	struct fake *f = fake_of(w);

	assert_true(vm_has_memory(&f->vm, gpa, len));
	assert_in_range(len, 1, CROSSING_MAX);
	memcpy(to, f->memory + gpa, len);
	log_crossing(f, CROSSING_MEM_READ, gpa, len, 0, to);
}

static void mem_write(struct world *w, uint64_t gpa, const void *from, uint32_t len)
{
	struct fake *f = fake_of(w);

	assert_true(vm_has_memory(&f->vm, gpa, len));
	assert_in_range(len, 1, CROSSING_MAX);
	memcpy(f->memory + gpa, from, len);
	log_crossing(f, CROSSING_MEM_WRITE, gpa, len, 0, from);
}

static uint64_t mem_cmpxchg(struct world *w, uint64_t gpa, uint32_t size, uint64_t expected, uint64_t desired)
{
	struct fake *f = fake_of(w);
	uint64_t found = 0;

	assert_true(vm_has_memory(&f->vm, gpa, size));
	assert_int_equal(gpa % size, 0);
	memcpy(&found, f->memory + gpa, size);
	if (f->memory_races)
		found ^= 0x200;
	if (found == expected)
		memcpy(f->memory + gpa, &desired, size);
	log_crossing(f, CROSSING_MEM_CMPXCHG, gpa, size, desired, NULL);
	return found;
}

static void console_out(struct world *w, const void *from, uint32_t len)
{
	struct fake *f = fake_of(w);

	assert_in_range(len, 1, CROSSING_MAX);
	log_crossing(f, CROSSING_CONSOLE_OUT, 0, len, 0, from);
	assert_true(f->console_size + len < sizeof(f->console));
	memcpy(f->console + f->console_size, from, len);
	f->console_size += len;
	f->console[f->console_size] = 0;
}

static int console_in(struct world *w)
{
	struct fake *f = fake_of(w);
	int byte = f->input && *f->input ? (uint8_t)*f->input++ : -1;

	log_crossing(f, CROSSING_CONSOLE_IN, 0, 0, (uint64_t)byte, NULL);
	return byte;
}

static uint64_t msr_read(struct world *w, uint32_t msr)
{
	log_crossing(fake_of(w), CROSSING_MSR_READ, msr, 8, 0, NULL);
	return 0;
}

static void msr_write(struct world *w, uint32_t msr, uint64_t value)
{
	log_crossing(fake_of(w), CROSSING_MSR_WRITE, msr, 8, value, NULL);
}

static void xcr_write(struct world *w, uint32_t xcr, uint64_t value)
{
	log_crossing(fake_of(w), CROSSING_XCR_WRITE, xcr, 8, value, NULL);
}

static uint64_t dr_read(struct world *w, uint32_t dr)
{
	log_crossing(fake_of(w), CROSSING_DR_READ, dr, 8, fake_of(w)->dr[dr], NULL);
	return fake_of(w)->dr[dr];
}

static void dr_write(struct world *w, uint32_t dr, uint64_t value)
{
	fake_of(w)->dr[dr] = value;
	log_crossing(fake_of(w), CROSSING_DR_WRITE, dr, 8, value, NULL);
}

static void invvpid(struct world *w, enum invvpid_type type, uint64_t linear)
{
	log_crossing(fake_of(w), CROSSING_INVVPID, linear, 0, type, NULL);
}

static void kick(struct world *w, uint32_t cpu)
{
	log_crossing(fake_of(w), CROSSING_KICK, cpu, 0, 0, NULL);
}

static uint64_t slice_end(struct world *w)
{
	log_crossing(fake_of(w), CROSSING_SLICE_END, 0, 8, fake_of(w)->slice_end, NULL);
	return fake_of(w)->slice_end;
}

static uint64_t tracer_cycles(struct world *w)
{
	log_crossing(fake_of(w), CROSSING_TRACER_CYCLES, 0, 8, fake_of(w)->tracer_cycles, NULL);
	return fake_of(w)->tracer_cycles;
}

const struct world_ops fake_world_ops = {
	.mem_read = mem_read, .mem_write = mem_write, .mem_cmpxchg = mem_cmpxchg, .console_out = console_out,
	.console_in = console_in, .msr_read = msr_read, .msr_write = msr_write, .xcr_write = xcr_write,
	.dr_read = dr_read, .dr_write = dr_write, .invvpid = invvpid, .kick = kick, .slice_end = slice_end,
	.tracer_cycles = tracer_cycles,
};

unsigned fake_count(const struct fake *f, enum crossing_kind kind)
{
	unsigned count = 0;

	for (unsigned i = 0; i < f->log_count; i++)
		count += f->log[i].kind == kind;
	return count;
}

const struct fake_crossing *fake_find(const struct fake *f, enum crossing_kind kind, unsigned n)
{
	for (unsigned i = 0; i < f->log_count; i++) {
		if (f->log[i].kind == kind && n-- == 0)
			return &f->log[i];
	}
	fail_msg("no such crossing");
	return NULL;
}
