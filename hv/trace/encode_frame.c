/*
 * encode_frame.c: a frame begins, with its keyframe, and is closed, with its columns. Called by
 * metal between steps, through encode.h. Not hot: once in some thousands of exits. It compresses and sends
 * nothing.
 */
#include "bytes.h"
#include "encode.h"

static uint8_t *put_vm(uint8_t *p, const struct vm *vm)
{
	for (unsigned i = 0; i < vm_field_count; i++) {
		const struct vm_field *f = &vm_fields[i];
		unsigned copies = f->device == VM_DEVICE_CPU0 ? vm->config.cpu_count : 1;

		if (f->device == VM_DEVICE_CONFIG)
			continue;
		for (unsigned n = 0; n < copies * f->count; n++) {
			const uint8_t *at = (const uint8_t *)vm + f->offset + n % f->count * f->size +
					    n / f->count * sizeof(struct vm_cpu);

			p = put_varint(p, get_le(at, f->size));
		}
	}
	return p;
}

static uint8_t *put_base(uint8_t *p, const struct vcpu *v, const uint64_t supported[VMCS_WORDS],
			 uint64_t entry_tsc)
{
	for (unsigned slot = 0; slot < VMCS_SLOTS; slot++)
		if (slot_test(supported, slot))
			p = put_varint(p, v->vmcs[slot]);
	for (unsigned reg = 0; reg < GPR_COUNT; reg++)
		p = put_varint(p, v->gpr[reg]);
	p = put_varint(p, v->tsc);
	p = put_varint(p, v->entry);
	p = put_varint(p, v->wake_at + 1);
	p = put_varint(p, v->deadline + 1);
	return put_varint(p, entry_tsc);
}

/*
 * When a frame begins nothing is remembered: all of it here, so that no lookup has to ask how old an echo is.
 */
static void forget_echoes(struct encoder *e)
{
	for (unsigned i = 0; i < MEMO_ENTRIES; i++) {
		struct snapshot_echo *s = &e->snapshots[i];
		struct effects_echo *m = &e->effects_echoes[i];

		s->time = 0;
		s->item_count = ECHO_NOTHING;
		m->time = 0;
		m->notes[0] = m->notes[1] = m->notes[2] = 0;
		m->insn_key = m->insn_cr3 = ~UINT64_C(0);	/* no canonical RIP is that */
		m->plain = ECHO_NOTHING;
		m->item_count = ECHO_NOTHING;
	}
}

void encoder_see_device(struct encoder *e, const struct vm *vm, unsigned device)
{
	struct device_seen *s = &e->seen[device];

	memcpy(s->word, (const uint8_t *)vm + s->offset, s->words * 8);
	s->check = vm_check(vm, device, s->rows);
}

/* A member of struct vm: whole words, and no more than what is kept of a vCPU. */
#define see_member(e, device, at, size) do {                                                       \
	_Static_assert((at) % 8 == 0 && (size) % 8 == 0 && (size) <= sizeof(struct vm_cpu), "devices are words, and fit"); \
	(e)->seen[device].offset = (at);                                                           \
	(e)->seen[device].words = (size) / 8;                                                      \
} while (0)

static void see_devices(struct encoder *e, const struct vm *vm)
{
	_Static_assert(sizeof(struct vm_cpu) % 8 == 0 && offsetof(struct vm, stop) % 8 == 0 &&
		       offsetof(struct vm, touched) % 8 == 0, "devices are words");
	for (unsigned device = 0; device < VM_DEVICE_COUNT; device++) {
		struct device_seen *s = &e->seen[device];

		s->offset = offsetof(struct vm, cpu) + device * sizeof(struct vm_cpu);
		s->words = device < VM_MAX_CPUS ? DEVICE_WORDS : 0;	/* of the others, below */
		s->rows = vm_rows_of(device);
	}
#define X(number, name, member) see_member(e, number, offsetof(struct vm, member), sizeof(vm->member));
	VM_DEVICES(X)
#undef X
	e->seen[VM_DEVICE_VM].offset = offsetof(struct vm, stop);
	e->seen[VM_DEVICE_VM].words = (offsetof(struct vm, touched) - offsetof(struct vm, stop)) / 8;
	for (unsigned device = 0; device < VM_DEVICE_COUNT; device++)
		encoder_see_device(e, vm, device);
}

static void begin_header(struct encoder *e)
{
	memset(&e->header, 0, sizeof(e->header));
	e->header.frame = e->next_frame;
	e->header.first_step = e->next_step;
	e->header.first_seq = e->next_seq;
	memcpy(e->reasons_before, e->reasons, sizeof(e->reasons));
}

void encoder_open(struct encoder *e, uint8_t *raw, uint32_t cap, const struct vcpu *cpus, const struct vm *vm)
{
	(void)cap;
	e->raw = e->p = raw;
	e->last_vcpu = 0;
	e->same_vcpu = UINT32_MAX;
	e->last_tsc = e->step_end = 0;
	e->time_count = 0;
	e->casts_used = 0;
	for (unsigned i = 0; i < COLUMN_TIMES; i++)
		e->column[i] = e->columns[i];
	e->full_at = FRAME_RAW_BOUND;
	if (e->next_frame == 0)
		see_devices(e, vm);
	e->timer_cap = vm_preemption_timer(&vm->config, TIME_NONE, 0);
	for (unsigned i = 0; i < vm->config.cpu_count; i++) {
		e->exit_end[i] = e->entry_tsc[i];	/* what a decoder knows, too */
		e->p = put_base(e->p, &cpus[i], e->supported, e->entry_tsc[i]);
	}
	e->p = put_vm(e->p, vm);
	forget_echoes(e);
	begin_header(e);
	e->open = true;
}

/* The columns go behind the records, their sizes behind them. */
static void put_columns(struct encoder *e)
{
	uint64_t size[COLUMNS];
	uint8_t *start;

	for (unsigned i = 0; i < COLUMN_TIMES; i++) {
		size[i] = (uint64_t)(e->column[i] - e->columns[i]);
		memcpy(e->p, e->columns[i], size[i]);
		e->p += size[i];
	}
	start = e->p;
	for (uint64_t i = 0; i < e->time_count; i++)
		e->p = put_signed(e->p, e->times[i]);
	size[COLUMN_TIMES] = (uint64_t)(e->p - start);
	for (unsigned i = 0; i < COLUMNS; i++)
		e->p = put_le(e->p, size[i], 4);
}

bool encoder_close(struct encoder *e, uint64_t session, struct frame_header *out)
{
	if (!e->open || e->next_step == e->header.first_step)
		return false;
	put_columns(e);
	*out = e->header;
	out->session = session;
	out->steps = (uint32_t)(e->next_step - e->header.first_step);
	out->exits = (uint32_t)(e->next_seq - e->header.first_seq);
	for (unsigned i = 0; i < CLOSING_REASONS; i++)
		if (e->reasons[i] != e->reasons_before[i])
			out->reasons[i / 64] |= UINT64_C(1) << i % 64;
	out->raw_size = (uint32_t)(e->p - e->raw);
	out->last_tsc = e->last_tsc;
	e->next_frame++;
	e->open = false;
	e->same_vcpu = UINT32_MAX;
	return true;
}
