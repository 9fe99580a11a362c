/*
 * The page walk through four levels: translation, permissions, error codes, accessed and dirty bits (SDM,
 * "Paging").
 */
#include "support/fake_tables.h"

static void four_level_page(void **state)
{
	fake_four_levels(*state, P | W | U);
	fake_assert_maps(*state, LINEAR + 0x123, ACCESS_READ, PAGE + 0x123);
	assert_int_equal(fake_count(*state, CROSSING_MEM_READ), 4);
}

/* SDM, "Page-Fault Exceptions": P is 0 if any entry isn't present. */
static void not_present(void **state)
{
	static const uint64_t at[] = { PML4 + 8 * 511, PDPT + 8, PD + 8 * 3, PT + 8 * 2 };
	struct fake *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		fake_four_levels(f, P | W | U);
		fake_put64(f, at[i], fake_get64(f, at[i]) & ~P);
		fake_assert_faults(f, LINEAR, ACCESS_READ, 0);
		fake_assert_faults(f, LINEAR, ACCESS_WRITE, PF_WRITE);
		fake_assert_faults(f, LINEAR, ACCESS_WRITE | ACCESS_USER, PF_WRITE | PF_USER);
		fake_assert_faults(f, LINEAR, ACCESS_FETCH, PF_FETCH);
		/* A walk that faults marks nothing as accessed. */
		assert_int_equal(fake_count(f, CROSSING_MEM_CMPXCHG), 0);
	}
}

/* SDM, "Determination of Access Rights": each level must permit a user's access. */
static void user_accesses(void **state)
{
	static const uint64_t at[] = { PML4 + 8 * 511, PDPT + 8, PD + 8 * 3, PT + 8 * 2 };
	struct fake *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		fake_four_levels(f, P | W | U);
		fake_assert_maps(f, LINEAR, ACCESS_WRITE | ACCESS_USER, PAGE);
		fake_put64(f, at[i], fake_get64(f, at[i]) & ~U);
		fake_assert_faults(f, LINEAR, ACCESS_USER, PF_PRESENT | PF_USER);
		fake_assert_maps(f, LINEAR, ACCESS_READ, PAGE);
		fake_four_levels(f, P | W | U);
		fake_put64(f, at[i], fake_get64(f, at[i]) & ~W);
		fake_assert_faults(f, LINEAR, ACCESS_WRITE | ACCESS_USER, PF_PRESENT | PF_WRITE | PF_USER);
		fake_assert_maps(f, LINEAR, ACCESS_USER, PAGE);
	}
}

static void write_protect(void **state)
{
	struct fake *f = *state;

	fake_four_levels(f, P | U);
	fake_assert_faults(f, LINEAR, ACCESS_WRITE, PF_PRESENT | PF_WRITE);
	fake_set(&f->cpu[0], VMCS_GUEST_CR0, vmcs_read(&f->cpu[0], VMCS_GUEST_CR0) & ~CR0_WP);
	fake_assert_maps(f, LINEAR, ACCESS_WRITE, PAGE);
	fake_assert_faults(f, LINEAR, ACCESS_WRITE | ACCESS_USER, PF_PRESENT | PF_WRITE | PF_USER);
}

static void execute_disable(void **state)
{
	static const uint64_t at[] = { PML4 + 8 * 511, PDPT + 8, PD + 8 * 3, PT + 8 * 2 };
	struct fake *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		fake_four_levels(f, P | W | U);
		fake_put64(f, at[i], fake_get64(f, at[i]) | XD);
		fake_assert_faults(f, LINEAR, ACCESS_FETCH, PF_PRESENT | PF_FETCH);
		fake_assert_maps(f, LINEAR, ACCESS_WRITE, PAGE);
		/* Without EFER.NXE the bit is reserved, and a fetch isn't told from a read. */
		fake_set(&f->cpu[0], VMCS_GUEST_EFER, EFER_LMA | EFER_LME);
		fake_assert_faults(f, LINEAR, ACCESS_FETCH, PF_PRESENT | PF_RESERVED);
	}
}

static void smep_and_smap(void **state)
{
	struct fake *f = *state;

	fake_four_levels(f, P | W | U);
	fake_set(&f->cpu[0], VMCS_GUEST_CR4, CR4_PAE | CR4_SMEP);
	fake_assert_faults(f, LINEAR, ACCESS_FETCH, PF_PRESENT | PF_FETCH);
	fake_assert_maps(f, LINEAR, ACCESS_FETCH | ACCESS_USER, PAGE);
	fake_assert_maps(f, LINEAR, ACCESS_READ, PAGE);
	fake_set(&f->cpu[0], VMCS_GUEST_CR4, CR4_PAE | CR4_SMAP);
	fake_assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT);
	fake_assert_faults(f, LINEAR, ACCESS_WRITE, PF_PRESENT | PF_WRITE);
	/* EFLAGS.AC lifts it for explicit accesses alone. */
	fake_set(&f->cpu[0], VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_AC);
	fake_assert_maps(f, LINEAR, ACCESS_READ, PAGE);
	fake_assert_faults(f, LINEAR, ACCESS_READ | ACCESS_IMPLICIT, PF_PRESENT);
	fake_assert_maps(f, LINEAR, ACCESS_USER, PAGE);
}

static void reserved_address_bits(void **state)
{
	struct fake *f = *state;

	fake_four_levels(f, P | W | U);
	assert_int_equal(f->vm.config.phys_bits, 46);
	fake_put64(f, PT + 8 * 2, PAGE | P | W | U | UINT64_C(1) << 45);
	fake_assert_maps(f, LINEAR, ACCESS_READ, PAGE | UINT64_C(1) << 45);
	fake_put64(f, PT + 8 * 2, PAGE | P | W | U | UINT64_C(1) << 46);
	fake_assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
	/* Bits 62:52 are software's. */
	fake_put64(f, PT + 8 * 2, PAGE | P | W | U | UINT64_C(0x7ff) << 52);
	fake_assert_maps(f, LINEAR, ACCESS_READ, PAGE);
}

/* SDM, "Accessed and Dirty Flags" */
static void accessed_and_dirty(void **state)
{
	struct fake *f = *state;

	fake_four_levels(f, P | W | U);
	fake_assert_maps(f, LINEAR, ACCESS_READ, PAGE);
	assert_int_equal(fake_count(f, CROSSING_MEM_CMPXCHG), 4);
	assert_int_equal(fake_get64(f, PML4 + 8 * 511), PDPT | P | W | U | A);
	assert_int_equal(fake_get64(f, PT + 8 * 2), PAGE | P | W | U | A);
	fake_assert_maps(f, LINEAR, ACCESS_WRITE, PAGE);
	assert_int_equal(fake_count(f, CROSSING_MEM_CMPXCHG), 1);
	assert_int_equal(fake_get64(f, PT + 8 * 2), PAGE | P | W | U | A | D);
	assert_int_equal(fake_get64(f, PD + 8 * 3), PT | P | W | U | A);
	fake_assert_maps(f, LINEAR, ACCESS_WRITE, PAGE);
	assert_int_equal(fake_count(f, CROSSING_MEM_CMPXCHG), 0);
}

/* Tables that change under the walk end it, sooner or later, with a fault that the guest may well take. */
static void racing_tables(void **state)
{
	struct fake *f = *state;

	fake_four_levels(f, P | W | U);
	f->memory_races = true;
	fake_assert_faults(f, LINEAR, ACCESS_WRITE, PF_WRITE);
}

/* Tables beyond the guest's memory read as all ones. */
static void absent_tables(void **state)
{
	struct fake *f = *state;

	fake_four_levels(f, P | W | U);
	fake_put64(f, PD + 8 * 3, (FAKE_MEMORY + 0x1000) | P | W | U);
	fake_assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
	fake_set(&f->cpu[0], VMCS_GUEST_CR3, FAKE_MEMORY);
	fake_assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(four_level_page),
		TEST(not_present),
		TEST(user_accesses),
		TEST(write_protect),
		TEST(execute_disable),
		TEST(smep_and_smap),
		TEST(reserved_address_bits),
		TEST(accessed_and_dirty),
		TEST(racing_tables),
		TEST(absent_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
