/*
 * session.c: the session frame ⇄ bytes. It makes a trace describe itself: who recorded what on which
 * machine, the dictionary of VMCS fields, the table of struct vm and the values that never change.
 *
 * After fixed members, entries follow: u16 type, u16 zero, u32 size, then `size` bytes. A reader passes
 * over types that it doesn't know. On the wire the entries are one zstd frame: who has zstd at hand,
 * replaces them (session_finish()).
 */
#include "bytes.h"
#include "frame.h"

#define UNPACKED_AT	40	/* u32: see session_unpacked_size() */

enum entry_type {
	ENTRY_MACHINE = 1, ENTRY_BUILD, ENTRY_GUEST, ENTRY_CMDLINE,	/* text, no terminator */
	ENTRY_SLICE,		/* 4 × u64 */
	ENTRY_CAPABILITIES,	/* n × (u32 MSR, u64 value) */
	ENTRY_DICTIONARY,	/* n × (u16 encoding, u8 flags, u8 length, name) */
	ENTRY_VM_TABLE,		/* n × (u8 device, u8 size, u16 count, u8 length, name) */
	ENTRY_CONFIG,		/* the rows of device 0xff, in order */
};

/* ---- writing ---- */

struct writer {
	uint8_t *p, *end;	/* p == NULL: there was no room */
};

static uint8_t *reserve(struct writer *w, size_t size)
{
	uint8_t *at = w->p;

	if (at == NULL || (size_t)(w->end - at) < size) {
		w->p = NULL;
		return NULL;
	}
	w->p += size;
	return at;
}

static void write_le(struct writer *w, uint64_t value, unsigned size)
{
	uint8_t *at = reserve(w, size);

	if (at)
		put_le(at, value, size);
}

static void write_text(struct writer *w, const char *text, size_t size)
{
	uint8_t *at = reserve(w, size);

	if (at)
		memcpy(at, text, size);
}

static size_t text_size(const char *text, size_t max)
{
	size_t n = 0;

	while (n < max && text[n])
		n++;
	return n;
}

static uint8_t *begin_entry(struct writer *w, enum entry_type type)
{
	write_le(w, type, 2);
	write_le(w, 0, 2);
	return reserve(w, 4);
}

static void end_entry(struct writer *w, uint8_t *size_at)
{
	if (w->p)
		put_le(size_at, (uint64_t)(w->p - size_at) - 4, 4);
}

static void write_text_entry(struct writer *w, enum entry_type type, const char *text, size_t max)
{
	uint8_t *size_at = begin_entry(w, type);

	write_text(w, text, text_size(text, max));
	end_entry(w, size_at);
}

static void write_capabilities(struct writer *w, const struct session *s)
{
	uint8_t *size_at = begin_entry(w, ENTRY_CAPABILITIES);

	for (unsigned i = 0; i < s->cap_count; i++) {
		write_le(w, s->caps[i].msr, 4);
		write_le(w, s->caps[i].value, 8);
	}
	end_entry(w, size_at);
}

static const char *slot_name(uint16_t encoding)
{
	for (unsigned i = 0; i < VMCS_SLOTS; i++)
		if (vmcs_fields[i].encoding == encoding)
			return vmcs_fields[i].name;
	return "?";
}

static void write_dictionary(struct writer *w, const struct session *s)
{
	uint8_t *size_at = begin_entry(w, ENTRY_DICTIONARY);

	for (unsigned i = 0; i < s->slot_count; i++) {
		const char *name = slot_name(s->slot_encoding[i]);
		size_t size = text_size(name, 255);

		write_le(w, s->slot_encoding[i], 2);
		write_le(w, s->slot_flags[i], 1);
		write_le(w, size, 1);
		write_text(w, name, size);
	}
	end_entry(w, size_at);
}

static void write_vm_table(struct writer *w, const struct session *s)
{
	uint8_t *size_at = begin_entry(w, ENTRY_VM_TABLE);

	for (unsigned i = 0; i < s->vm_field_count; i++) {
		const struct session_vm_field *f = &s->vm_fields[i];
		size_t size = text_size(f->name, sizeof(f->name));

		write_le(w, f->device, 1);
		write_le(w, f->size, 1);
		write_le(w, f->count, 2);
		write_le(w, size, 1);
		write_text(w, f->name, size);
	}
	end_entry(w, size_at);
}

/* The config rows of `s`'s own table, zeros for those that this build lacks. */
static void write_config(struct writer *w, const struct session *s)
{
	uint8_t *size_at = begin_entry(w, ENTRY_CONFIG);

	for (unsigned i = 0; i < s->vm_field_count; i++) {
		const struct session_vm_field *f = &s->vm_fields[i];
		const uint8_t *from = NULL;
		unsigned held = 0;

		if (f->device != VM_DEVICE_CONFIG)
			continue;
		if (f->local >= 0) {
			from = (const uint8_t *)&s->config + vm_fields[f->local].offset - offsetof(struct vm, config);
			held = vm_fields[f->local].count;
		}
		for (unsigned n = 0; n < f->count; n++)
			write_le(w, n < held ? get_le(from + n * f->size, f->size) : 0, f->size);
	}
	end_entry(w, size_at);
}

size_t session_encode(const struct session *s, uint8_t *out, size_t cap)
{
	struct writer w = { out, out + cap };
	uint8_t *slice;

	write_le(&w, TRACE_MAGIC, 4);
	write_le(&w, 0, 4);
	write_le(&w, TRACE_TAG_SESSION, 4);
	write_le(&w, TRACE_VERSION, 4);
	write_le(&w, s->id, 8);
	write_le(&w, s->frame, 8);
	write_le(&w, s->cpu_count, 4);
	write_le(&w, s->level, 4);
	write_le(&w, 0, 8);
	write_text_entry(&w, ENTRY_MACHINE, s->machine, sizeof(s->machine));
	write_text_entry(&w, ENTRY_BUILD, s->build, sizeof(s->build));
	write_text_entry(&w, ENTRY_GUEST, s->guest, sizeof(s->guest));
	write_text_entry(&w, ENTRY_CMDLINE, s->cmdline, sizeof(s->cmdline));
	if (s->sliced) {
		slice = begin_entry(&w, ENTRY_SLICE);
		write_le(&w, s->slice.first_step, 8);
		write_le(&w, s->slice.last_step, 8);
		write_le(&w, s->slice.first_seq, 8);
		write_le(&w, s->slice.last_seq, 8);
		end_entry(&w, slice);
	}
	write_capabilities(&w, s);
	write_dictionary(&w, s);
	write_vm_table(&w, s);
	write_config(&w, s);
	if (w.p == NULL || (size_t)(w.end - w.p) < SESSION_TAIL)
		return 0;
	return session_finish(out, (size_t)(w.p - out) - SESSION_ENTRIES, 0);
}

size_t session_finish(uint8_t *frame, size_t size, uint32_t unpacked)
{
	uint8_t *end = frame + SESSION_ENTRIES + size;

	put_le(frame + 4, SESSION_ENTRIES + size + SESSION_TAIL - 8, 4);
	put_le(frame + UNPACKED_AT, unpacked, 4);
	put_le(end, trace_hash(frame, SESSION_ENTRIES + size), SESSION_TAIL);
	return SESSION_ENTRIES + size + SESSION_TAIL;
}

void session_describe_build(struct session *s, const uint64_t supported[VMCS_WORDS])
{
	s->slot_count = VMCS_SLOTS;
	for (unsigned i = 0; i < VMCS_SLOTS; i++) {
		s->slot_encoding[i] = vmcs_fields[i].encoding;
		s->slot_flags[i] = vmcs_fields[i].change | (slot_test(supported, i) ? SLOT_SUPPORTED : 0);
		s->slot_map[i] = (uint16_t)i;
	}
	s->vm_field_count = vm_field_count;
	for (unsigned i = 0; i < vm_field_count && i < SESSION_VM_FIELDS; i++) {
		struct session_vm_field *f = &s->vm_fields[i];

		memset(f->name, 0, sizeof(f->name));
		memcpy(f->name, vm_fields[i].name, text_size(vm_fields[i].name, sizeof(f->name)));
		f->size = vm_fields[i].size;
		f->device = vm_fields[i].device;
		f->count = vm_fields[i].count;
		f->local = (int32_t)i;
	}
}

/* ---- reading ---- */

static void read_text(struct reader *r, char *to, size_t cap)
{
	size_t size = (size_t)(r->end - r->p);

	if (size > cap - 1)
		size = cap - 1;
	memset(to, 0, cap);
	memcpy(to, r->p, size);
}

static const char *read_capabilities(struct reader *r, struct session *s)
{
	for (s->cap_count = 0; r->p < r->end; s->cap_count++) {
		if (s->cap_count == SESSION_CAPS)
			return "too many capability MSRs";
		s->caps[s->cap_count].msr = (uint32_t)read_le(r, 4);
		s->caps[s->cap_count].value = read_le(r, 8);
	}
	return NULL;
}

static uint16_t local_slot(uint16_t encoding, uint16_t likely)
{
	if (likely < VMCS_SLOTS && vmcs_fields[likely].encoding == encoding)
		return likely;
	for (uint16_t i = 0; i < VMCS_SLOTS; i++)
		if (vmcs_fields[i].encoding == encoding)
			return i;
	return VMCS_SLOTS;
}

/* Slots that the codec predicts or keys by: without them a trace can't be read. */
static bool maps_needed_slots(const struct session *s)
{
	static const uint16_t needed[] = {
		VMCS_GUEST_RIP, VMCS_EXIT_REASON, VMCS_EXIT_INSTRUCTION_LEN, VMCS_GUEST_INTERRUPTIBILITY,
		VMCS_PREEMPTION_TIMER_VALUE, VMCS_GUEST_CR3,
	};
	unsigned found = 0;

	for (unsigned n = 0; n < sizeof(needed) / sizeof(needed[0]); n++)
		for (unsigned i = 0; i < s->slot_count; i++)
			found += s->slot_map[i] == needed[n];
	return found == sizeof(needed) / sizeof(needed[0]);
}

static const char *read_dictionary(struct reader *r, struct session *s)
{
	uint64_t taken[VMCS_WORDS] = { 0 };

	for (s->slot_count = 0; r->p < r->end; s->slot_count++) {
		unsigned i = s->slot_count;

		if (i == SESSION_SLOTS)
			return "too many VMCS fields";
		s->slot_encoding[i] = (uint16_t)read_le(r, 2);
		s->slot_flags[i] = (uint8_t)read_le(r, 1);
		read_bytes(r, read_le(r, 1));
		s->slot_map[i] = local_slot(s->slot_encoding[i], (uint16_t)i);
		if (s->slot_map[i] == VMCS_SLOTS)
			continue;
		if (slot_test(taken, s->slot_map[i]))
			return "the same VMCS field twice";
		slot_set(taken, s->slot_map[i]);
	}
	return maps_needed_slots(s) ? NULL : "a field dictionary without the fields that records are keyed by";
}

static int32_t local_vm_field(const struct session_vm_field *f, unsigned likely)
{
	for (unsigned n = 0; n < vm_field_count; n++) {
		unsigned i = (likely + n) % vm_field_count;
		size_t size = text_size(vm_fields[i].name, sizeof(f->name) - 1);

		if (memcmp(vm_fields[i].name, f->name, size) == 0 && f->name[size] == 0 &&
		    vm_fields[i].size == f->size && vm_fields[i].device == f->device)
			return (int32_t)i;
	}
	return -1;
}

static const char *read_vm_table(struct reader *r, struct session *s)
{
	for (s->vm_field_count = 0; r->p < r->end; s->vm_field_count++) {
		struct session_vm_field *f = &s->vm_fields[s->vm_field_count];
		uint64_t length;
		const uint8_t *name;

		if (s->vm_field_count == SESSION_VM_FIELDS)
			return "too many rows of struct vm";
		f->device = (uint8_t)read_le(r, 1);
		f->size = (uint8_t)read_le(r, 1);
		f->count = (uint16_t)read_le(r, 2);
		length = read_le(r, 1);
		name = read_bytes(r, length);
		if (name == NULL || length >= sizeof(f->name))
			return "a row of struct vm without a whole name";
		if (f->size != 1 && f->size != 2 && f->size != 4 && f->size != 8)
			return "a row of struct vm whose size is not 1, 2, 4 or 8";
		memset(f->name, 0, sizeof(f->name));
		memcpy(f->name, name, length);
		f->local = local_vm_field(f, s->vm_field_count);
	}
	return NULL;
}

static const char *read_config(struct reader *r, struct session *s)
{
	for (unsigned i = 0; i < s->vm_field_count; i++) {
		const struct session_vm_field *f = &s->vm_fields[i];
		unsigned held = f->local >= 0 ? vm_fields[f->local].count : 0;

		if (f->device != VM_DEVICE_CONFIG)
			continue;
		for (unsigned n = 0; n < f->count; n++) {
			uint64_t value = read_le(r, f->size);

			if (n < held)
				put_le((uint8_t *)&s->config + vm_fields[f->local].offset -
				       offsetof(struct vm, config) + n * f->size, value, f->size);
		}
	}
	return r->bad || r->p != r->end ? "values of struct vm's configuration of another size than their table" : NULL;
}

static const char *read_entry(struct session *s, unsigned type, struct reader *r)
{
	const char *error = NULL;

	switch (type) {
	case ENTRY_MACHINE: read_text(r, s->machine, sizeof(s->machine)); break;
	case ENTRY_BUILD: read_text(r, s->build, sizeof(s->build)); break;
	case ENTRY_GUEST: read_text(r, s->guest, sizeof(s->guest)); break;
	case ENTRY_CMDLINE: read_text(r, s->cmdline, sizeof(s->cmdline)); break;
	case ENTRY_SLICE:
		s->sliced = 1;
		s->slice.first_step = read_le(r, 8);
		s->slice.last_step = read_le(r, 8);
		s->slice.first_seq = read_le(r, 8);
		s->slice.last_seq = read_le(r, 8);
		break;
	case ENTRY_CAPABILITIES: error = read_capabilities(r, s); break;
	case ENTRY_DICTIONARY: error = read_dictionary(r, s); break;
	case ENTRY_VM_TABLE: error = read_vm_table(r, s); break;
	case ENTRY_CONFIG: error = read_config(r, s); break;
	default: break;
	}
	return error == NULL && r->bad ? "an entry that ends too early" : error;
}

/* What a hostile configuration could lead handlers and decoders astray by. */
static const char *check_config(const struct session *s)
{
	const struct vm_config *c = &s->config;

	if (s->slot_count == 0 || s->vm_field_count == 0)
		return "no field dictionary or no table of struct vm";
	if (s->cpu_count == 0 || s->cpu_count > VM_MAX_CPUS || c->cpu_count != s->cpu_count)
		return "a number of vCPUs that is not 1 to 8";
	if (s->level != TRACE_TOUCHED && s->level != TRACE_FULL)
		return "an unknown snapshot level";
	if (c->cpuid_count > VM_MAX_CPUID || c->preemption_timer_shift > 31 || c->memory_size > UINT64_C(1) << 52)
		return "a configuration out of bounds";
	return NULL;
}

uint32_t session_unpacked_size(const uint8_t *in)
{
	return (uint32_t)get_le(in + UNPACKED_AT, 4);
}

const char *session_check(const uint8_t *in, size_t size)
{
	_Static_assert(TRACE_VERSION == 3, "the text below names the version");
	if (size < SESSION_ENTRIES + SESSION_TAIL || size > SESSION_MAX || get_le(in, 4) != TRACE_MAGIC ||
	    get_le(in + 4, 4) != size - 8 || get_le(in + 8, 4) != TRACE_TAG_SESSION)
		return "no session frame";
	if (get_le(in + size - SESSION_TAIL, SESSION_TAIL) != trace_hash(in, size - SESSION_TAIL))
		return "a session frame with a wrong checksum";
	if (get_le(in + 12, 4) != TRACE_VERSION)
		return "a session frame of another format version (this build reads version 2)";
	return NULL;
}

const char *session_decode(const uint8_t *in, size_t size, struct session *s)
{
	struct reader r;
	const char *error = session_check(in, size);

	if (error)
		return error;
	if (session_unpacked_size(in))
		return "a session frame whose entries are compressed";
	memset(s, 0, sizeof(*s));
	r = (struct reader){ in + 12, in + size - SESSION_TAIL, false };
	s->version = (uint32_t)read_le(&r, 4);
	s->id = read_le(&r, 8);
	s->frame = read_le(&r, 8);
	s->cpu_count = (uint32_t)read_le(&r, 4);
	s->level = (uint8_t)read_le(&r, 4);
	read_le(&r, 8);
	while (r.p < r.end && !r.bad) {
		unsigned type = (unsigned)read_le(&r, 2);
		uint64_t length = (read_le(&r, 2), read_le(&r, 4));
		const uint8_t *bytes = read_bytes(&r, length);
		struct reader entry;

		if (bytes == NULL)
			break;
		entry = (struct reader){ bytes, bytes + length, false };
		error = read_entry(s, type, &entry);
		if (error)
			return error;
	}
	return r.bad ? "an entry that goes beyond the session frame" : check_config(s);
}
