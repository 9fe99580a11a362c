/*
 * Accesses by linear address (insn/linear.h): segments, canonical addresses, pages that are crossed, and
 * the fetch of an instruction (SDM, "Limit Checking", "Type Checking", "Canonical Addressing").
 */
#include "support/fake_tables.h"

static struct access accessor(struct fake *f)
{
	return (struct access){ .v = &f->cpu[0], .vm = &f->vm, .w = &f->world };
}

static void crossing_pages(void **state)
{
	struct fake *f = *state;
	struct access a;
	uint64_t value;

	fake_four_levels(f, P | W | U);
	fake_put64(f, PT + 8 * 3, 0x9000 | P | W | U);
	memcpy(f->memory + PAGE + 0xffc, "abcd", 4);
	memcpy(f->memory + 0x9000, "efgh", 4);
	a = accessor(f);
	assert_true(linear_read(&a, LINEAR + 0xffc, &value, 8, ACCESS_READ));
	assert_memory_equal(&value, "abcdefgh", 8);
	/* If the second page can't be written, nothing is. */
	fake_put64(f, PT + 8 * 3, 0x9000 | P | U);
	a = accessor(f);
	assert_false(linear_write(&a, LINEAR + 0xffc, "12345678", 8, 0));
	assert_int_equal(a.fault.address, LINEAR + 0x1000);
	assert_memory_equal(f->memory + PAGE + 0xffc, "abcd", 4);
}

/* SDM, "Canonical Addressing": #GP, or #SS for the stack */
static void canonical(void **state)
{
	struct fake *f = *state;
	struct access a;
	uint64_t linear;

	fake_four_levels(f, P | W | U);
	a = accessor(f);
	assert_true(linear_address(&a, SEG_DS, UINT64_C(0x00007ffffffffff8), 8, 0, &linear));
	assert_false(linear_address(&a, SEG_DS, UINT64_C(0x00007ffffffffff9), 8, 0, &linear));
	assert_int_equal(a.fault.vector, VECTOR_GP);
	assert_false(linear_address(&a, SEG_SS, UINT64_C(0x0000800000000000), 1, 0, &linear));
	assert_int_equal(a.fault.vector, VECTOR_SS);
	/* Bases: FS and GS have one, the others don't. */
	fake_set(&f->cpu[0], VMCS_GUEST_GS_BASE, UINT64_C(0xffff888000000000));
	fake_set(&f->cpu[0], VMCS_GUEST_DS_BASE, 0x1000);
	assert_true(linear_address(&a, SEG_GS, 0x10, 8, 0, &linear));
	assert_int_equal(linear, UINT64_C(0xffff888000000010));
	assert_true(linear_address(&a, SEG_DS, 0x10, 8, 0, &linear));
	assert_int_equal(linear, 0x10);
}

/* SDM, "Limit Checking", "Type Checking" */
static void segments(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	struct access a = accessor(f);
	uint64_t linear;

	fake_set(v, VMCS_GUEST_DS_BASE, 0x10000);
	fake_set(v, VMCS_GUEST_DS_LIMIT, 0xfff);
	assert_true(linear_address(&a, SEG_DS, 0xffc, 4, ACCESS_WRITE, &linear));
	assert_int_equal(linear, 0x10ffc);
	assert_false(linear_address(&a, SEG_DS, 0xffd, 4, 0, &linear));
	assert_int_equal(a.fault.vector, VECTOR_GP);
	/* Expand-down: above the limit */
	fake_set(v, VMCS_GUEST_DS_ACCESS_RIGHTS, 0xc097);
	assert_false(linear_address(&a, SEG_DS, 0xfff, 1, 0, &linear));
	assert_true(linear_address(&a, SEG_DS, 0x1000, 1, 0, &linear));
	/* Read-only data; code is never written; unusable */
	fake_set(v, VMCS_GUEST_DS_ACCESS_RIGHTS, 0xc091);
	assert_true(linear_address(&a, SEG_DS, 0, 1, 0, &linear));
	assert_false(linear_address(&a, SEG_DS, 0, 1, ACCESS_WRITE, &linear));
	assert_false(linear_address(&a, SEG_CS, 0, 1, ACCESS_WRITE, &linear));
	assert_true(linear_address(&a, SEG_CS, 0, 1, 0, &linear));
	fake_set(v, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc099);	/* execute-only */
	assert_false(linear_address(&a, SEG_CS, 0, 1, 0, &linear));
	fake_set(v, VMCS_GUEST_DS_ACCESS_RIGHTS, AR_UNUSABLE);
	assert_false(linear_address(&a, SEG_DS, 0, 1, 0, &linear));
	/* Linear addresses wrap at 4 GiB. */
	fake_set(v, VMCS_GUEST_ES_BASE, 0xfffff000);
	assert_true(linear_address(&a, SEG_ES, 0x1800, 1, 0, &linear));
	assert_int_equal(linear, 0x800);
	/* In real-address mode there is only the limit. */
	fake_real_mode(v);
	fake_set(v, VMCS_GUEST_DS_ACCESS_RIGHTS, 0x91);
	assert_true(linear_address(&a, SEG_DS, 0xffff, 1, ACCESS_WRITE, &linear));
	assert_false(linear_address(&a, SEG_DS, 0xffff, 2, 0, &linear));
}

static void fetch_at_the_edge(void **state)
{
	struct fake *f = *state;
	struct access a;
	uint8_t bytes[15];

	fake_four_levels(f, P | W | U);
	fake_set(&f->cpu[0], VMCS_GUEST_RIP, LINEAR + 0xffb);
	a = accessor(f);
	assert_int_equal(linear_fetch(&a, bytes), 5);
	assert_int_equal(a.fault.vector, VECTOR_PF);
	assert_int_equal(a.fault.error_code, PF_FETCH);
	assert_int_equal(a.fault.address, LINEAR + 0x1000);
	fake_put64(f, PT + 8 * 3, 0x9000 | P);
	a = accessor(f);
	assert_int_equal(linear_fetch(&a, bytes), 15);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(crossing_pages),
		TEST(canonical),
		TEST(segments),
		TEST(fetch_at_the_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
