/*
 * sample.c: see sample.h.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "recorder/session.h"
#include "support/random.h"
#include "support/sample.h"
#include "trace/bytes.h"
#include "trace/decode.h"

#define CPUS 3
#define RAW_CAP (FRAME_RAW_BOUND + KEYFRAME_MAX + STEP_RAW_MAX)
#define SAMPLE_MAX (32u << 20)

#define ZSTD_MAGIC		0xfd2fb528u
#define ZSTD_SINGLE_SEGMENT	(1u << 5)
#define ZSTD_CHECKSUM		(1u << 2)
#define ZSTD_SIZE_OF_4		(2u << 6)
#define ZSTD_BLOCK_MAX		(128u << 10)

struct maker {
	const struct sample *o;
	uint64_t random;
	struct encoder e;
	struct session s;
	struct closing closing;
	struct vm vm;
	struct vcpu cpu[CPUS];
	uint64_t tsc;
	uint8_t raw[RAW_CAP];
	uint8_t *out;
	size_t size;
	struct { uint32_t packed, raw; } entry[4096];
	unsigned entries;
};

static uint64_t below(struct maker *m, uint64_t n)
{
	return random_next(&m->random) % n;
}

static void set_up(struct maker *m)
{
	uint64_t all[VMCS_WORDS];

	memset(all, 0xff, sizeof(all));
	m->random = (m->o->seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	m->vm.config.cpu_count = CPUS;
	m->vm.config.memory_size = 64 << 20;
	m->vm.config.tsc_khz = 400000;
	vm_reset(&m->vm);
	m->vm.touched = 0;
	m->s.cpu_count = CPUS;
	m->s.level = TRACE_FULL;
	m->s.id = m->o->session;
	m->s.config = m->vm.config;
	memcpy(m->s.guest, "sample", sizeof("sample"));
	memcpy(m->e.supported, all, sizeof(all));
	session_describe_build(&m->s, all);
	for (unsigned i = 0; i < CPUS; i++) {
		m->cpu[i].index = i;
		memset(m->cpu[i].loaded, 0xff, sizeof(m->cpu[i].loaded));
		m->cpu[i].vmcs[VMCS_GUEST_RIP] = 0x100000;
		m->cpu[i].wake_at = m->cpu[i].deadline = TIME_NONE;
	}
	m->tsc = 1000000;
}

static void load(struct maker *m, struct vcpu *v, enum vmcs_slot slot, uint64_t value)
{
	if (v->vmcs[slot] != value)
		encoder_item(&m->e, slot, v->vmcs[slot], value);
	v->vmcs[slot] = value;
}

static void make_exit(struct maker *m, struct vcpu *v, bool print)
{
	static const uint64_t rips[] = { 0x100000, 0x100004, 0xffffffff81000000, 0x7fff00001234 };
	static const uint16_t reasons[] = { 10, 18, 30, 31, 48, 52 };
	enum exit_action action = (enum exit_action)below(m, 3);

	encoder_begin(&m->e, v, STEP_EXIT);
	load(m, v, VMCS_GUEST_RIP, rips[below(m, 4)]);
	load(m, v, VMCS_EXIT_REASON, reasons[below(m, 6)]);
	load(m, v, VMCS_EXIT_INSTRUCTION_LEN, 1 + below(m, 3));
	if (below(m, 4) == 0)
		load(m, v, VMCS_GUEST_RSP, below(m, UINT64_MAX));
	encoder_loaded(&m->e, v);
	if (print)
		encoder_crossing(&m->e, CROSSING_CONSOLE_OUT, 0, m->o->print_size, 0, m->o->print);
	if (below(m, 3) == 0)
		gpr_write(v, GPR_RAX, below(m, 1000));
	if (below(m, 8) == 0) {
		m->vm.uart.scratch++;
		vm_touch(&m->vm, VM_DEVICE_UART);
	}
	if (action == ACTION_RETIRE) {
		vmcs_write(v, VMCS_GUEST_RIP, v->vmcs[VMCS_GUEST_RIP] + v->vmcs[VMCS_EXIT_INSTRUCTION_LEN]);
		vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY, v->vmcs[VMCS_GUEST_INTERRUPTIBILITY] & ~UINT64_C(3));
	}
	if (below(m, 10) == 0)
		encoder_note_insn(&m->e, (const uint8_t *)"\x0f\xa2", 2);
	encoder_end_exit(&m->e, v, &m->vm, action, v->tsc - 10, 100 + below(m, 3), 0);
}

static void make_entry(struct maker *m, struct vcpu *v)
{
	encoder_begin(&m->e, v, STEP_ENTRY);
	v->entry = (enum entry_result)below(m, 2);
	v->deadline = below(m, 2) ? TIME_NONE : v->tsc + below(m, 1000000);
	if (v->entry == ENTRY_ENTER)
		vmcs_write(v, VMCS_PREEMPTION_TIMER_VALUE, vm_preemption_timer(&m->vm.config, v->deadline, v->tsc));
	encoder_end_entry(&m->e, v, &m->vm);
}

static void make_step(struct maker *m, unsigned i, bool unfinished)
{
	struct vcpu *v = &m->cpu[below(m, 5) ? 0 : below(m, CPUS)];

	m->tsc += below(m, 2) ? 500 : below(m, 100000);
	vcpu_begin_step(v, m->tsc);
	if (unfinished) {
		encoder_begin(&m->e, v, STEP_EXIT);
		load(m, v, VMCS_EXIT_REASON, 48);
		encoder_end_unfinished(&m->e, v);
	} else if (below(m, 2) || !i) {
		make_exit(m, v, !i && m->o->print);
	} else {
		make_entry(m, v);
	}
}

/* A zstd frame of raw blocks, as RFC 8878 has it ("Zstandard Frames", "Blocks"). */
static size_t store(uint8_t *out, const uint8_t *raw, uint32_t size)
{
	uint8_t *p = out;

	p = put_le(p, ZSTD_MAGIC, 4);
	p = put_le(p, ZSTD_SIZE_OF_4 | ZSTD_SINGLE_SEGMENT | ZSTD_CHECKSUM, 1);
	p = put_le(p, size, 4);
	for (uint32_t at = 0, n; at < size; at += n) {
		n = size - at < ZSTD_BLOCK_MAX ? size - at : ZSTD_BLOCK_MAX;
		p = put_le(p, n << 3 | (at + n == size), 3);
		memcpy(p, raw + at, n);
		p += n;
	}
	p = put_le(p, trace_hash(raw, size) & UINT32_MAX, 4);
	return (size_t)(p - out);
}

static size_t compress(uint8_t *out, size_t cap, const uint8_t *raw, uint32_t size)
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

static void put_piece(struct maker *m, size_t size, uint32_t raw)
{
	m->entry[m->entries].packed = (uint32_t)size;
	m->entry[m->entries++].raw = raw;
	m->size += size;
}

static void make_frame(struct maker *m, unsigned number)
{
	bool last = number == m->o->frames - 1;
	struct frame_header h;
	uint8_t *packed;

	if (number % SESSION_EVERY == 0) {
		m->s.frame = number;
		put_piece(m, session_pack(m->out + m->size, session_encode(&m->s, m->out + m->size, SESSION_MAX)), 0);
	}
	encoder_open(&m->e, m->raw, RAW_CAP, m->cpu, &m->vm);
	for (unsigned i = 0; i < m->o->steps; i++)
		make_step(m, i, last && i == m->o->steps - 1 && m->o->unfinished);
	if (!encoder_close(&m->e, m->s.id, &h))
		abort();
	packed = m->out + m->size + HEADER_SIZE;
	h.packed_size = (uint32_t)(m->o->stored ? store(packed, m->raw, h.raw_size) :
						  compress(packed, SAMPLE_MAX - m->size - HEADER_SIZE, m->raw, h.raw_size));
	h.packed_hash = trace_hash(packed, h.packed_size);
	frame_header_encode(&h, m->out + m->size);
	put_piece(m, HEADER_SIZE, 0);
	put_piece(m, h.packed_size, h.raw_size);
	m->closing.frames++;
	m->closing.steps += h.steps;
	m->closing.exits += h.exits;
	m->closing.last_tsc = h.last_tsc;
}

static void make_end(struct maker *m)
{
	uint8_t *p;

	m->closing.session = m->s.id;
	m->closing.stop.kind = m->o->unfinished ? STOP_PANIC : STOP_POWER_OFF;
	memcpy(m->closing.reasons, m->e.reasons, sizeof(m->closing.reasons));
	put_piece(m, closing_encode(&m->closing, m->out + m->size), 0);
	p = put_le(m->out + m->size, 0x184d2a5e, 4);
	p = put_le(p, m->entries * 8 + 9, 4);
	for (unsigned i = 0; i < m->entries; i++) {
		p = put_le(p, m->entry[i].packed, 4);
		p = put_le(p, m->entry[i].raw, 4);
	}
	p = put_le(p, m->entries, 4);
	p = put_le(p, 0, 1);
	p = put_le(p, 0x8f92eab1, 4);
	m->size = (size_t)(p - m->out);
}

uint8_t *sample_trace(const struct sample *o, size_t *size)
{
	struct maker *m = calloc(1, sizeof(*m));
	uint8_t *out = malloc(SAMPLE_MAX);

	if (!m || !out)
		abort();
	m->o = o;
	m->out = out;
	set_up(m);
	for (unsigned i = 0; i < o->frames; i++)
		make_frame(m, i);
	if (!o->open_end)
		make_end(m);
	*size = m->size;
	free(m);
	return realloc(out, *size);
}

size_t sample_pieces(const uint8_t *bytes, size_t size, struct piece *pieces, size_t max)
{
	size_t at = 0, count = 0;

	while (at < size && count < max && size - at >= 12) {
		struct piece *p = &pieces[count++];
		struct frame_header h;

		*p = (struct piece){ .offset = at, .size = 8 + get_le(bytes + at + 4, 4) };
		switch (get_le(bytes + at, 4) == TRACE_MAGIC ? get_le(bytes + at + 8, 4) : 0) {
		case TRACE_TAG_SESSION: p->kind = PIECE_SESSION; break;
		case TRACE_TAG_CLOSING: p->kind = PIECE_CLOSING; break;
		case TRACE_TAG_HEADER:
			if (size - at < HEADER_SIZE || !frame_header_decode(bytes + at, &h))
				return 0;
			p->kind = PIECE_FRAME;
			p->size = HEADER_SIZE + (size_t)h.packed_size;
			p->frame = h.frame;
			p->steps = h.steps;
			p->exits = h.exits;
			break;
		default: p->kind = PIECE_SEEK_TABLE;
		}
		at += p->size;
	}
	return at == size ? count : 0;
}

static void mix(uint64_t *digest, const void *bytes, size_t size)
{
	*digest = (*digest ^ trace_hash(bytes, size)) * UINT64_C(0x9e3779b97f4a7c15);
	*digest ^= *digest >> 29;
}

static void mix_step(uint64_t *digest, const struct decoder *d)
{
	const struct step *s = &d->step;
	const struct vcpu *v = &d->cpu[s->vcpu];
	uint64_t exit[] = { s->action, s->tsc_entry, s->handler_cycles, s->tracer_cycles, s->insn_len };
	uint64_t entry[] = { s->entry, s->wake_at, s->deadline };
	uint64_t all[] = { s->number, s->seq, s->vcpu, s->kind, s->unfinished, s->tsc, s->effect_count, s->crossing_count,
			   s->check_count };

	mix(digest, all, sizeof(all));
	mix(digest, s->kind == STEP_EXIT ? exit : entry, s->kind == STEP_EXIT ? sizeof(exit) : sizeof(entry));
	mix(digest, v->vmcs, sizeof(v->vmcs));
	mix(digest, v->gpr, sizeof(v->gpr));
	mix(digest, s->insn, s->insn_len);
	for (unsigned i = 0; i < s->effect_count; i++) {
		uint64_t effect[] = { s->effects[i].code, s->effects[i].before, s->effects[i].after };

		mix(digest, effect, sizeof(effect));
	}
	for (unsigned i = 0; i < s->crossing_count; i++) {
		uint64_t crossing[] = { s->crossings[i].kind, s->crossings[i].addr, s->crossings[i].size };

		mix(digest, crossing, sizeof(crossing));
		mix(digest, s->crossings[i].bytes, s->crossings[i].size);
	}
	for (unsigned i = 0; i < s->check_count; i++) {
		uint64_t check[] = { s->checks[i].device, s->checks[i].value };

		mix(digest, check, sizeof(check));
	}
}

bool sample_digest(struct decoder *d, uint64_t *digest)
{
	int next;

	*digest = 0;
	while ((next = decoder_next(d)) == 1)
		mix_step(digest, d);
	return next == 0;
}
