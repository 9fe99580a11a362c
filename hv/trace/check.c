/*
 * check.c: the check byte of a device. One byte tells a step that left a device as recorded from one that
 * didn't, 255 times in 256; the keyframe compares the fields themselves.
 *
 * Row by row, in the table's order: the row's bytes, filled up with zeros to whole words of eight, and for
 * each word h = (h ^ word) * K, then h ^= h >> 32; the byte is h's highest. h starts as K.
 */
#include "bytes.h"
#include "encode.h"
#include "decode.h"

#define K UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * K;
	return h ^ h >> 32;
}

/* The last bytes of a row that don't fill a word: size is 1 to 7. */
static inline uint64_t tail(const uint8_t *at, unsigned size)
{
	uint64_t word = 0;
	uint32_t four;
	unsigned done = 0;

	if (size & 4) {
		__builtin_memcpy(&four, at, 4);
		word = four;
		done = 4;
	}
	for (; done < size; done++)
		word |= (uint64_t)at[done] << 8 * done;
	return word;
}

/* A row of one: 1, 2, 4 or 8 bytes. */
static inline uint64_t element(const uint8_t *at, unsigned size)
{
	uint64_t eight;
	uint32_t four;

	if (size == 4) {
		__builtin_memcpy(&four, at, 4);
		return four;
	}
	if (size == 1)
		return *at;
	if (size == 8) {
		__builtin_memcpy(&eight, at, 8);
		return eight;
	}
	return get_le(at, size);
}

static inline uint64_t mix_row(uint64_t h, const uint8_t *at, unsigned bytes)
{
	uint64_t word;

	for (; bytes >= 8; bytes -= 8, at += 8) {
		__builtin_memcpy(&word, at, 8);
		h = mix(h, word);
	}
	return bytes ? mix(h, tail(at, bytes)) : h;
}

/* Rows of all vCPUs are listed once, as vCPU 0's. */
static unsigned row_device(unsigned device)
{
	return device < VM_MAX_CPUS ? VM_DEVICE_CPU0 : device;
}

/* What the rows' offsets count from. */
static const uint8_t *row_base(const struct vm *vm, unsigned device)
{
	return (const uint8_t *)vm + (device < VM_MAX_CPUS ? device * sizeof(struct vm_cpu) : 0);
}

struct vm_rows vm_rows_of(unsigned device)
{
	struct vm_rows rows = { 0, 0 };

	for (unsigned i = 0; i < vm_field_count; i++) {
		if (vm_fields[i].device != row_device(device))
			continue;
		if (rows.end == 0)
			rows.first = (uint16_t)i;
		rows.end = (uint16_t)(i + 1);
	}
	return rows;
}

uint8_t vm_check(const struct vm *vm, unsigned device, struct vm_rows rows)
{
	const struct vm_field *f = &vm_fields[rows.first], *end = &vm_fields[rows.end];
	const uint8_t *base = row_base(vm, device);
	unsigned rows_of = row_device(device);
	uint64_t h = K;

	for (; f < end; f++) {
		if (f->device != rows_of)
			continue;
		/* Most are one register. */
		if (f->count == 1)
			h = mix(h, element(base + f->offset, f->size));
		else
			h = mix_row(h, base + f->offset, f->size * f->count);
	}
	return (uint8_t)(h >> 56);
}

bool session_vm_check(const struct session *s, const struct vm *vm, unsigned device, uint8_t *check)
{
	uint64_t h = K;

	for (unsigned i = 0; i < s->vm_field_count; i++) {
		const struct session_vm_field *f = &s->vm_fields[i];

		if (f->device != row_device(device))
			continue;
		if (f->local < 0 || vm_fields[f->local].count < f->count)
			return false;
		h = mix_row(h, row_base(vm, device) + vm_fields[f->local].offset, f->size * f->count);
	}
	*check = (uint8_t)(h >> 56);
	return true;
}
