/*
 * The page walk in every paging mode, and with every size of page (SDM, "Paging Modes and Control Bits").
 */
#include "support/fake_tables.h"

static void no_paging(void **state)
{
	fake_assert_maps(*state, 0x12345678, ACCESS_WRITE, 0x12345678);
}

static void large_pages(void **state)
{
	struct fake *f = *state;

	fake_four_levels(f, P);
	fake_put64(f, PD + 8 * 3, 0x600000 | P | W | U | PS);
	fake_assert_maps(f, LINEAR + 0x123, ACCESS_READ, 0x600000 + 0x2123);
	fake_put64(f, PDPT + 8 * 1, 0x40000000 | P | W | U | PS);
	fake_assert_maps(f, LINEAR + 0x123, ACCESS_READ, 0x40000000 + 0x602123);
	/* An address bit below the page's size, other than PAT, is reserved. */
	fake_put64(f, PDPT + 8 * 1, 0x40000000 | 1 << 12 | P | W | U | PS);
	fake_assert_maps(f, LINEAR, ACCESS_READ, 0x40000000 + 0x602000);
	fake_put64(f, PDPT + 8 * 1, 0x40000000 | 1 << 13 | P | W | U | PS);
	fake_assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
}

static void five_levels(void **state)
{
	struct fake *f = *state;
	uint64_t linear = (LINEAR & 0x0000ffffffffffff) | UINT64_C(5) << 48;

	fake_four_levels(f, P | W | U);
	fake_put64(f, 0x6000 + 8 * 5, PML4 | P | W | U);
	fake_set(&f->cpu[0], VMCS_GUEST_CR3, 0x6000);
	/* Our policy keeps LA57 from the guest; a VM that gave it would own the bit. */
	fake_set(&f->cpu[0], VMCS_CR4_MASK, CR4_VMXE);
	fake_set(&f->cpu[0], VMCS_GUEST_CR4, CR4_PAE | CR4_LA57);
	fake_assert_maps(f, linear + 1, ACCESS_READ, PAGE + 1);
	assert_int_equal(fake_count(f, CROSSING_MEM_READ), 5);
}

/* SDM, "PAE Paging": the PDPTEs are the VMCS's; memory isn't asked for them. */
static void pae(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_GUEST_CR0, CR0_PG | CR0_PE | CR0_WP);
	fake_set(v, VMCS_GUEST_CR4, CR4_PAE);
	fake_set(v, VMCS_GUEST_PDPTE0 + 2, PD | P);
	fake_put64(f, PD + 8 * 3, PT | P | W | U);
	fake_put64(f, PT + 8 * 2, PAGE | P | W);
	fake_assert_maps(f, 0x80602010, ACCESS_WRITE, PAGE + 0x10);
	assert_int_equal(fake_count(f, CROSSING_MEM_READ), 2);
	fake_assert_faults(f, 0x80602010, ACCESS_USER, PF_PRESENT | PF_USER);
	fake_assert_faults(f, 0x40602010, ACCESS_READ, 0);
	fake_put64(f, PD + 8 * 3, 0x200000 | P | W | PS);
	fake_assert_maps(f, 0x80602010, ACCESS_WRITE, 0x202010);
	/* Here bits 62:52 are reserved. */
	fake_put64(f, PD + 8 * 3, 0x200000 | P | W | PS | UINT64_C(1) << 52);
	fake_assert_faults(f, 0x80602010, ACCESS_READ, PF_PRESENT | PF_RESERVED);
}

/* SDM, "32-Bit Paging", with PSE-36 */
static void two_levels(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_GUEST_CR0, CR0_PG | CR0_PE | CR0_WP);
	fake_set(v, VMCS_GUEST_CR4, 0);
	fake_set(v, VMCS_GUEST_CR3, PD);
	fake_put64(f, PD + 4 * 0x201, PT | P | W | U);
	fake_put64(f, PT + 4 * 0x202, PAGE | P | W | U);
	fake_assert_maps(f, 0x80602010, ACCESS_WRITE | ACCESS_USER, PAGE + 0x10);
	/* Without CR4.PSE the PS bit is ignored. */
	fake_put64(f, PD + 4 * 0x201, PT | P | W | U | PS);
	fake_assert_maps(f, 0x80602010, ACCESS_READ, PAGE + 0x10);
	fake_set(v, VMCS_GUEST_CR4, CR4_PSE);
	fake_put64(f, PD + 4 * 0x201, 0x400000 | 3 << 13 | P | W | PS);
	fake_assert_maps(f, 0x80602010, ACCESS_READ, UINT64_C(0x300602010));
	fake_put64(f, PD + 4 * 0x201, 0x400000 | 1 << 21 | P | W | PS);
	fake_assert_faults(f, 0x80602010, ACCESS_READ, PF_PRESENT | PF_RESERVED);
	/* No XD, no I/D flag in the error code. */
	fake_put64(f, PD + 4 * 0x201, 0);
	fake_assert_faults(f, 0x80602010, ACCESS_FETCH, 0);
}

/* SDM, "PDPTE Registers": all four or none. */
static void load_pdptes(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	for (unsigned i = 0; i < 4; i++)
		fake_put64(f, 0x7020 + 8 * i, 0x1000 * (i + 1) | P);
	assert_true(walk_load_pdptes(v, &f->vm, &f->world, 0x7020));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(vmcs_read(v, VMCS_GUEST_PDPTE0 + i), 0x1000 * (i + 1) | P);
	fake_put64(f, 0x7020 + 8 * 3, 0x9000 | P | W);
	fake_put64(f, 0x7020, 0x8000 | P);
	assert_false(walk_load_pdptes(v, &f->vm, &f->world, 0x7020));
	assert_int_equal(vmcs_read(v, VMCS_GUEST_PDPTE0), 0x1000 | P);
	/* An entry that isn't present has no reserved bits. */
	fake_put64(f, 0x7020 + 8 * 3, 0x9000 | W);
	assert_true(walk_load_pdptes(v, &f->vm, &f->world, 0x7020));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_paging),
		TEST(large_pages),
		TEST(five_levels),
		TEST(pae),
		TEST(two_levels),
		TEST(load_pdptes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
