/*
 * recording.c: see recording.h.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "support/recording.h"

#define RAW_CAP (FRAME_RAW_BOUND + KEYFRAME_MAX + STEP_RAW_MAX)
#define OUT_CAP (16u << 20)

struct recording {
	struct encoder encoder;
	struct session session;
	struct closing closing;
	struct vm vm;
	struct vcpu cpu[VM_MAX_CPUS];
	const struct recording_core *core;
	struct world world;
	struct { unsigned code; uint64_t value; } load[64];
	unsigned loads;
	uint8_t insn[STEP_INSN_MAX], insn_len;
	uint64_t console_in, msr;
	uint8_t memory[RECORDING_MEMORY];
	uint8_t raw[RAW_CAP];
	uint8_t *out;
	size_t size;
};

/* ---- The world ---- */

static void world_mem_read(struct world *w, uint64_t gpa, void *to, uint32_t len)
{
	struct recording *r = w->context;

	memcpy(to, r->memory + gpa, len);
	encoder_mem_read(&r->encoder, gpa, to, len);
}

static void world_mem_write(struct world *w, uint64_t gpa, const void *from, uint32_t len)
{
	struct recording *r = w->context;

	memcpy(r->memory + gpa, from, len);
	encoder_mem_write(&r->encoder, gpa, from, len);
}

static uint64_t world_mem_cmpxchg(struct world *w, uint64_t gpa, uint32_t size, uint64_t expected,
				  uint64_t desired)
{
	struct recording *r = w->context;
	uint64_t found = 0;

	memcpy(&found, r->memory + gpa, size);
	if (found == expected)
		memcpy(r->memory + gpa, &desired, size);
	encoder_crossing(&r->encoder, CROSSING_MEM_FOUND, gpa, size, found, NULL);
	encoder_crossing(&r->encoder, CROSSING_MEM_CMPXCHG, gpa, size, desired, NULL);
	return found;
}

static void world_console_out(struct world *w, const void *from, uint32_t len)
{
	encoder_crossing(&((struct recording *)w->context)->encoder, CROSSING_CONSOLE_OUT, 0, len, 0, from);
}

static void value(struct world *w, enum crossing_kind kind, uint64_t addr, uint64_t v)
{
	encoder_crossing(&((struct recording *)w->context)->encoder, kind, addr, 8, v, NULL);
}

/* Every fourth question finds a byte. */
static int world_console_in(struct world *w)
{
	struct recording *r = w->context;
	int byte = ++r->console_in % 4 ? -1 : (int)(r->console_in & 0x7f);

	value(w, CROSSING_CONSOLE_IN, 0, (uint64_t)(int64_t)byte);
	return byte;
}

static uint64_t world_msr_read(struct world *w, uint32_t msr)
{
	struct recording *r = w->context;

	r->msr = r->msr * 3 + msr;
	value(w, CROSSING_MSR_READ, msr, r->msr);
	return r->msr;
}

static void world_msr_write(struct world *w, uint32_t msr, uint64_t v)
{
	value(w, CROSSING_MSR_WRITE, msr, v);
}

static void world_xcr_write(struct world *w, uint32_t xcr, uint64_t v)
{
	value(w, CROSSING_XCR_WRITE, xcr, v);
}

static uint64_t world_dr_read(struct world *w, uint32_t dr)
{
	value(w, CROSSING_DR_READ, dr, 0x1000 + dr);
	return 0x1000 + dr;
}

static void world_dr_write(struct world *w, uint32_t dr, uint64_t v)
{
	value(w, CROSSING_DR_WRITE, dr, v);
}

static void world_invvpid(struct world *w, enum invvpid_type type, uint64_t linear)
{
	value(w, CROSSING_INVVPID, linear, type);
}

static void world_kick(struct world *w, uint32_t cpu)
{
	value(w, CROSSING_KICK, cpu, 0);
}

static uint64_t world_slice_end(struct world *w)
{
	value(w, CROSSING_SLICE_END, 0, TIME_NONE);
	return TIME_NONE;
}

static uint64_t world_tracer_cycles(struct world *w)
{
	value(w, CROSSING_TRACER_CYCLES, 0, 20);
	return 20;
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

/* ---- Steps ---- */

struct recording *recording_new(unsigned cpus, const struct recording_core *core, enum trace_level level)
{
	struct recording *r = calloc(1, sizeof(*r));
	uint64_t supported[VMCS_WORDS];

	if (!r || !(r->out = malloc(OUT_CAP)))
		abort();
	memset(supported, 0xff, sizeof(supported));
	r->core = core;
	r->world = (struct world){ &ops, r };
	r->vm.config.cpu_count = cpus;
	r->vm.config.memory_size = RECORDING_MEMORY;
	r->vm.config.tsc_khz = 400000;
	vm_reset(&r->vm);
	r->vm.touched = 0;
	for (unsigned i = 0; i < cpus; i++) {
		r->cpu[i].index = i;
		r->cpu[i].wake_at = r->cpu[i].deadline = TIME_NONE;
		memcpy(r->cpu[i].loaded, supported, sizeof(supported));
	}
	memcpy(r->encoder.supported, supported, sizeof(supported));
	session_describe_build(&r->session, supported);
	r->session.id = 1234567890;
	r->session.cpu_count = cpus;
	r->session.level = (uint8_t)level;
	r->session.config = r->vm.config;
	strcpy(r->session.machine, "test");
	strcpy(r->session.build, "test");
	strcpy(r->session.guest, "recording");
	r->size = session_encode(&r->session, r->out, SESSION_MAX);
	return r;
}

struct vm *recording_vm(struct recording *r)
{
	return &r->vm;
}

struct vcpu *recording_cpu(struct recording *r, unsigned cpu)
{
	return &r->cpu[cpu];
}

uint8_t *recording_memory(struct recording *r)
{
	return r->memory;
}

void recording_load(struct recording *r, unsigned code, uint64_t v)
{
	r->load[r->loads].code = code;
	r->load[r->loads++].value = v;
}

void recording_instruction(struct recording *r, const void *bytes, unsigned len)
{
	memcpy(r->insn, bytes, len);
	r->insn_len = (uint8_t)len;
}

static struct vcpu *begin(struct recording *r, unsigned cpu, uint64_t tsc, enum step_kind kind)
{
	struct vcpu *v = &r->cpu[cpu];

	if (!r->encoder.open)
		encoder_open(&r->encoder, r->raw, RAW_CAP, r->cpu, &r->vm);
	vcpu_begin_step(v, tsc);
	r->vm.touched = 0;
	encoder_begin(&r->encoder, v, kind);
	return v;
}

static void load(struct recording *r, struct vcpu *v)
{
	bool touched = r->session.level == TRACE_TOUCHED;

	for (unsigned slot = 0; slot < VMCS_SLOTS && touched; slot++)
		if (vmcs_fields[slot].change == VMCS_CHANGE_GUEST ||
		    vmcs_fields[slot].change == VMCS_CHANGE_INFO)
			v->loaded[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	for (unsigned i = 0; i < r->loads; i++) {
		unsigned code = r->load[i].code;
		uint64_t *at = code < ITEM_GPR ? &v->vmcs[code] : &v->gpr[code - ITEM_GPR];

		if (touched || *at != r->load[i].value)
			encoder_item(&r->encoder, code, *at, r->load[i].value);
		*at = r->load[i].value;
		if (code < ITEM_GPR)
			slot_set(v->loaded, code);
	}
	r->loads = 0;
	encoder_loaded(&r->encoder, v);
	if (r->insn_len)
		encoder_note_insn(&r->encoder, r->insn, r->insn_len);
	r->insn_len = 0;
}

void recording_exit(struct recording *r, unsigned cpu, uint64_t tsc)
{
	struct vcpu *v = begin(r, cpu, tsc, STEP_EXIT);
	enum exit_action action;

	load(r, v);
	action = r->core->exit(v, &r->vm, &r->world);
	encoder_end_exit(&r->encoder, v, &r->vm, action, r->encoder.entry_tsc[cpu] + 5, 100, 20);
}

void recording_entry(struct recording *r, unsigned cpu, uint64_t tsc)
{
	struct vcpu *v = begin(r, cpu, tsc, STEP_ENTRY);

	v->entry = r->core->entry(v, &r->vm, &r->world);
	encoder_end_entry(&r->encoder, v, &r->vm);
}

void recording_unfinished(struct recording *r, unsigned cpu, uint64_t tsc)
{
	struct vcpu *v = begin(r, cpu, tsc, STEP_EXIT);

	load(r, v);
	encoder_end_unfinished(&r->encoder, v);
}

/* ---- Frames ---- */

static size_t compress(uint8_t *out, size_t cap, const uint8_t *raw, size_t size)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t n;

	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(c, out, cap, raw, size);
	ZSTD_freeCCtx(c);
	if (ZSTD_isError(n))
		abort();
	return n;
}

void recording_cut(struct recording *r)
{
	struct frame_header h;
	uint8_t *packed = r->out + r->size + HEADER_SIZE;

	if (!encoder_close(&r->encoder, r->session.id, &h))
		return;
	h.packed_size = (uint32_t)compress(packed, OUT_CAP - r->size - HEADER_SIZE, r->raw, h.raw_size);
	h.packed_hash = trace_hash(packed, h.packed_size);
	frame_header_encode(&h, r->out + r->size);
	r->size += HEADER_SIZE + h.packed_size;
	r->closing.last_tsc = h.last_tsc;
}

uint8_t *recording_finish(struct recording *r, enum stop_kind kind, uint64_t value, size_t *size)
{
	uint8_t *out = r->out;

	recording_cut(r);
	r->closing.session = r->session.id;
	r->closing.frames = r->encoder.next_frame;
	r->closing.steps = r->encoder.next_step;
	r->closing.exits = r->encoder.next_seq;
	r->closing.stop = (struct vm_stop){ .kind = kind, .value = value };
	memcpy(r->closing.reasons, r->encoder.reasons, sizeof(r->closing.reasons));
	r->size += closing_encode(&r->closing, out + r->size);
	*size = r->size;
	free(r);
	return out;
}
