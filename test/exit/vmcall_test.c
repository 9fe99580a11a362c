/*
 * Hypercalls: the ABI of platform.h. VMCALL exits at any CPL (SDM, "Instructions That Cause VM Exits
 * Unconditionally").
 */
#include "support/fake.h"

static int64_t call(struct fake *f, uint64_t number, uint64_t b, uint64_t c)
{
	struct vcpu *v = &f->cpu[0];

	v->gpr[GPR_RAX] = number;
	v->gpr[GPR_RBX] = b;
	v->gpr[GPR_RCX] = c;
	assert_int_equal(fake_exit(f, v, REASON_VMCALL, 0, 3), ACTION_RETIRE);
	return (int64_t)v->gpr[GPR_RAX];
}

static struct fake *long_mode(void **state)
{
	fake_long_mode(*state, &((struct fake *)*state)->cpu[0]);
	return *state;
}

static void unmap(struct fake *f, uint64_t linear)
{
	memset(f->memory + FAKE_TABLES + 0x2000 + 8 * (linear >> 21), 0, 8);
}

static void nop(void **state)
{
	assert_int_equal(call(long_mode(state), HYPERCALL_NOP, 1, 2), 0);
}

static void no_such_call(void **state)
{
	struct fake *f = long_mode(state);

	assert_int_equal(call(f, 999, 0, 0), HYPERCALL_ENOSYS);
	/* The whole of RAX counts. */
	assert_int_equal(call(f, UINT64_C(1) << 32, 0, 0), HYPERCALL_ENOSYS);
}

static void user_code_may_not(void **state)
{
	struct fake *f = long_mode(state);

	fake_set_cpl(&f->cpu[0], 3);
	assert_int_equal(call(f, HYPERCALL_PRINT, FAKE_DATA, 1), HYPERCALL_EPERM);
	assert_int_equal(f->console_size, 0);
}

static void print(void **state)
{
	struct fake *f = long_mode(state);

	memcpy(f->memory + FAKE_DATA, "hello", 5);
	assert_int_equal(call(f, HYPERCALL_PRINT, FAKE_DATA, 5), 5);
	assert_string_equal(f->console, "hello");
	assert_int_equal(fake_count(f, CROSSING_CONSOLE_OUT), 1);
	assert_int_equal(call(f, HYPERCALL_PRINT, FAKE_DATA, 0), 0);
	assert_int_equal(f->console_size, 5);
	assert_int_equal(f->vm.touched, 0);
}

static void print_without_paging(void **state)
{
	struct fake *f = *state;

	memcpy(f->memory + FAKE_DATA, "flat", 4);
	/* 32-bit code: upper halves of registers are no part of the arguments. */
	assert_int_equal(call(f, HYPERCALL_PRINT | UINT64_C(9) << 32, FAKE_DATA | UINT64_C(7) << 32, 4), 4);
	assert_string_equal(f->console, "flat");
	assert_int_equal(call(f, HYPERCALL_PRINT, FAKE_DATA, 5000), (uint32_t)HYPERCALL_EINVAL);
}

static void print_across_pages(void **state)
{
	struct fake *f = long_mode(state);

	memset(f->memory + FAKE_DATA + 0x123, 'x', HYPERCALL_PRINT_MAX);
	assert_int_equal(call(f, HYPERCALL_PRINT, FAKE_DATA + 0x123, HYPERCALL_PRINT_MAX),
			 HYPERCALL_PRINT_MAX);
	assert_int_equal(f->console_size, HYPERCALL_PRINT_MAX);
	assert_int_equal(call(f, HYPERCALL_PRINT, FAKE_DATA, HYPERCALL_PRINT_MAX + 1), HYPERCALL_EINVAL);
}

/* A bad pointer prints nothing, and doesn't fault in the guest. */
static void bad_pointers(void **state)
{
	struct fake *f = long_mode(state);
	static const uint64_t bad[] = {
		0x600000, UINT64_C(0x100000000), UINT64_C(0x800000000000), FAKE_MEMORY, MMIO_LAPIC, UINT64_MAX,
	};

	unmap(f, 0x600000);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(call(f, HYPERCALL_PRINT, bad[i], 8), HYPERCALL_EFAULT);
		assert_false(vcpu_has_event(&f->cpu[0]));
		assert_int_equal(fake_changed(&f->cpu[0], VMCS_GUEST_RIP), true);
	}
	/* The second page is the bad one. */
	assert_int_equal(call(f, HYPERCALL_PRINT, FAKE_MEMORY - 4, 8), HYPERCALL_EFAULT);
	assert_int_equal(f->console_size, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nop),
		TEST(no_such_call),
		TEST(user_code_may_not),
		TEST(print),
		TEST(print_without_paging),
		TEST(print_across_pages),
		TEST(bad_pointers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
