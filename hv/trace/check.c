/*
 * check.c: the check byte of a device. One byte tells a step that left a device as recorded from one that didn't,
 * 255 times in 256; the keyframe compares the fields themselves.
 *
 * For each element of each of the device's rows, in the table's order: h = (h ^ element) * K, then h ^= h >> 32; the byte is
 * h's highest. h starts as K.
 */
#include "bytes.h"
#include "encode.h"
#include "decode.h"

#define K UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mix(uint64_t h, uint64_t value)
{
	h = (h ^ value) * K;
	return h ^ h >> 32;
}

static uint64_t mix_row(uint64_t h, const uint8_t *at, unsigned size, unsigned count)
{
	for (unsigned n = 0; n < count; n++, at += size) {
		switch (size) {
		case 8: h = mix(h, get_le(at, 8)); break;
		case 4: h = mix(h, get_le(at, 4)); break;
		default: h = mix(h, get_le(at, size)); break;
		}
	}
	return h;
}

/* Rows of all vCPUs are listed once, as vCPU 0's. */
static unsigned row_device(unsigned device)
{
	return device < VM_MAX_CPUS ? VM_DEVICE_CPU0 : device;
}

static const uint8_t *row_at(const struct vm *vm, const struct vm_field *f, unsigned device)
{
	return (const uint8_t *)vm + f->offset + (device < VM_MAX_CPUS ? device * sizeof(struct vm_cpu) : 0);
}

uint8_t vm_check(const struct vm *vm, unsigned device)
{
	uint64_t h = K;

	for (unsigned i = 0; i < vm_field_count; i++)
		if (vm_fields[i].device == row_device(device))
			h = mix_row(h, row_at(vm, &vm_fields[i], device), vm_fields[i].size, vm_fields[i].count);
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
		h = mix_row(h, row_at(vm, &vm_fields[f->local], device), f->size, f->count);
	}
	*check = (uint8_t)(h >> 56);
	return true;
}
