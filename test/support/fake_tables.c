/*
 * fake_tables.c: see fake_tables.h.
 */
#include "support/fake_tables.h"

void fake_four_levels(struct fake *f, uint64_t flags)
{
	fake_long_mode(f, &f->cpu[0]);
	fake_set(&f->cpu[0], VMCS_GUEST_CR3, PML4);
	fake_put64(f, PML4 + 8 * 511, PDPT | P | W | U);
	fake_put64(f, PDPT + 8 * 1, PD | P | W | U);
	fake_put64(f, PD + 8 * 3, PT | P | W | U);
	fake_put64(f, PT + 8 * 2, PAGE | flags);
}

static bool walk(struct fake *f, uint64_t linear, uint32_t access, uint64_t *gpa, struct fault *fault)
{
	f->log_count = 0;
	return walk_linear(&f->cpu[0], &f->vm, &f->world, linear, access, gpa, fault);
}

void fake_assert_maps(struct fake *f, uint64_t linear, uint32_t access, uint64_t expected)
{
	struct fault fault;
	uint64_t gpa;

	assert_true(walk(f, linear, access, &gpa, &fault));
	assert_int_equal(gpa, expected);
}

void fake_assert_faults(struct fake *f, uint64_t linear, uint32_t access, uint32_t error_code)
{
	struct fault fault;
	uint64_t gpa;

	assert_false(walk(f, linear, access, &gpa, &fault));
	assert_int_equal(fault.vector, VECTOR_PF);
	assert_int_equal(fault.error_code, error_code);
	assert_int_equal(fault.address, linear);
}
