/*
 * struct vm as a whole: its rows cover it, its reset, and the preemption timer's start value.
 */
#include "support/fake.h"

/* Each byte of struct vm but `touched` belongs to exactly one row. */
static void rows_cover_struct_vm(void **state)
{
	static uint8_t covered[sizeof(struct vm)];

	(void)state;
	for (unsigned i = 0; i < vm_field_count; i++) {
		const struct vm_field *field = &vm_fields[i];
		unsigned copies = field->device == VM_DEVICE_CPU0 ? VM_MAX_CPUS : 1;

		assert_true(field->size == 1 || field->size == 2 || field->size == 4 || field->size == 8);
		assert_int_equal(field->offset % field->size, 0);
		assert_true(strlen(field->name) < 40);
		for (unsigned c = 0; c < copies; c++) {
			for (unsigned b = 0; b < (unsigned)field->size * field->count; b++)
				covered[field->offset + c * sizeof(struct vm_cpu) + b]++;
		}
	}
	for (unsigned i = 0; i < sizeof(struct vm); i++) {
		bool excluded = i >= offsetof(struct vm, touched);

		if (covered[i] != !excluded)
			fail_msg("byte %u of struct vm is in %u rows", i, covered[i]);
	}
}

/* What the encoder compares of a device: words from its first row to its last, no more than a vCPU's, nobody else's. */
static void devices_lie_together(void **state)
{
	(void)state;
	for (unsigned device = VM_DEVICE_CPU0; device < VM_DEVICE_COUNT; device++) {
		uint32_t first = UINT32_MAX, end = 0, bytes = 0;

		if (device > VM_DEVICE_CPU0 && device < VM_MAX_CPUS)
			continue;
		for (unsigned i = 0; i < vm_field_count; i++) {
			const struct vm_field *f = &vm_fields[i];
			uint32_t size = (uint32_t)f->size * f->count;

			if (f->device != device)
				continue;
			bytes += size;
			first = f->offset < first ? f->offset : first;
			end = f->offset + size > end ? f->offset + size : end;
		}
		if (!bytes)
			continue;	/* a number without device */
		assert_int_equal(bytes, end - first);
		assert_int_equal(first % 8, 0);
		assert_int_equal(bytes % 8, 0);
		assert_in_range(bytes, 8, sizeof(struct vm_cpu));
	}
}

static void row_names_differ(void **state)
{
	(void)state;
	for (unsigned i = 0; i < vm_field_count; i++) {
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(vm_fields[i].name, vm_fields[j].name);
	}
}

/* Whatever was there: after vm_reset() only config is kept. */
static void reset_sets_everything(void **state)
{
	static struct vm a, b;

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0xa5, sizeof(b));
	memset(&a.config, 0, sizeof(a.config));
	memset(&b.config, 0, sizeof(b.config));
	vm_reset(&a);
	vm_reset(&b);
	assert_memory_equal(&a, &b, sizeof(a));
}

/*
 * SDM, "VMX-Preemption Timer": it counts at each change of TSC bit `shift`. It must not expire before the
 * deadline, nor a whole tick after it.
 */
static void timer_expires_at_deadline(void **state)
{
	struct vm_config c = { .tsc_khz = FAKE_KHZ };

	(void)state;
	for (unsigned shift = 0; shift < 8; shift++) {
		c.preemption_timer_shift = shift;
		for (uint64_t now = 5000; now < 5300; now += 7) {
			for (uint64_t deadline = now + 1; deadline < now + 700; deadline += 13) {
				uint64_t ticks = vm_preemption_timer(&c, deadline, now);
				uint64_t expires = ((now >> shift) + ticks) << shift;

				assert_true(expires >= deadline);
				assert_true(expires < deadline + (UINT64_C(1) << shift));
			}
		}
	}
}

static void timer_has_bounds(void **state)
{
	struct vm_config c = { .tsc_khz = FAKE_KHZ, .preemption_timer_shift = 5 };
	uint64_t half = FAKE_KHZ * UINT64_C(500);

	(void)state;
	assert_int_equal(vm_preemption_timer(&c, 100, 100), 0);
	assert_int_equal(vm_preemption_timer(&c, 99, 100), 0);
	assert_int_equal(vm_preemption_timer(&c, TIME_NONE, 12345), half >> 5);
	assert_int_equal(vm_preemption_timer(&c, 100 + half + 1, 100), half >> 5);
	c.preemption_timer_shift = 0;
	c.tsc_khz = 20000000;
	assert_int_equal(vm_preemption_timer(&c, TIME_NONE, 0), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_cover_struct_vm),
		cmocka_unit_test(devices_lie_together),
		cmocka_unit_test(row_names_differ),
		cmocka_unit_test(reset_sets_everything),
		cmocka_unit_test(timer_expires_at_deadline),
		cmocka_unit_test(timer_has_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
