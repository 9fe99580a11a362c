/*
 * The page walk: translation, permissions, error codes, accessed and dirty bits, in every paging mode (SDM,
 * "Paging").
 */
#include "support/fake.h"
#include "insn/linear.h"

#define P	UINT64_C(1)
#define W	UINT64_C(2)
#define U	UINT64_C(4)
#define A	UINT64_C(0x20)
#define D	UINT64_C(0x40)
#define PS	UINT64_C(0x80)
#define XD	(UINT64_C(1) << 63)

#define PML4	0x1000u
#define PDPT	0x2000u
#define PD	0x3000u
#define PT	0x4000u
#define PAGE	0x5000u
#define LINEAR	UINT64_C(0xffffff8040602000)	/* indexes 511, 1, 3, 2 */

static struct fault fault;

static void put(struct fake *f, uint64_t gpa, uint64_t entry)
{
	memcpy(f->memory + gpa, &entry, 8);
}

static uint64_t get(struct fake *f, uint64_t gpa)
{
	uint64_t entry;

	memcpy(&entry, f->memory + gpa, 8);
	return entry;
}

static struct vcpu *vcpu(struct fake *f)
{
	return &f->cpu[0];
}

/* 4-level tables for LINEAR; `flags` of the last entry, the others permit everything. */
static void four_levels(struct fake *f, uint64_t flags)
{
	fake_long_mode(f, vcpu(f));
	fake_set(vcpu(f), VMCS_GUEST_CR3, PML4);
	put(f, PML4 + 8 * 511, PDPT | P | W | U);
	put(f, PDPT + 8 * 1, PD | P | W | U);
	put(f, PD + 8 * 3, PT | P | W | U);
	put(f, PT + 8 * 2, PAGE | flags);
}

static bool walk(struct fake *f, uint64_t linear, uint32_t access, uint64_t *gpa)
{
	f->log_count = 0;
	return walk_linear(vcpu(f), &f->vm, &f->world, linear, access, gpa, &fault);
}

static void assert_maps(struct fake *f, uint64_t linear, uint32_t access, uint64_t expected)
{
	uint64_t gpa;

	assert_true(walk(f, linear, access, &gpa));
	assert_int_equal(gpa, expected);
}

static void assert_faults(struct fake *f, uint64_t linear, uint32_t access, uint32_t error_code)
{
	uint64_t gpa;

	assert_false(walk(f, linear, access, &gpa));
	assert_int_equal(fault.vector, VECTOR_PF);
	assert_int_equal(fault.error_code, error_code);
	assert_int_equal(fault.address, linear);
}

static void no_paging(void **state)
{
	assert_maps(*state, 0x12345678, ACCESS_WRITE, 0x12345678);
}

static void four_level_page(void **state)
{
	four_levels(*state, P | W | U);
	assert_maps(*state, LINEAR + 0x123, ACCESS_READ, PAGE + 0x123);
	assert_int_equal(fake_count(*state, CROSSING_MEM_READ), 4);
}

static void large_pages(void **state)
{
	struct fake *f = *state;

	four_levels(f, P);
	put(f, PD + 8 * 3, 0x600000 | P | W | U | PS);
	assert_maps(f, LINEAR + 0x123, ACCESS_READ, 0x600000 + 0x2123);
	put(f, PDPT + 8 * 1, 0x40000000 | P | W | U | PS);
	assert_maps(f, LINEAR + 0x123, ACCESS_READ, 0x40000000 + 0x602123);
	/* An address bit below the page's size, other than PAT, is reserved. */
	put(f, PDPT + 8 * 1, 0x40000000 | 1 << 12 | P | W | U | PS);
	assert_maps(f, LINEAR, ACCESS_READ, 0x40000000 + 0x602000);
	put(f, PDPT + 8 * 1, 0x40000000 | 1 << 13 | P | W | U | PS);
	assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
}

/* SDM, "Page-Fault Exceptions": P is 0 if any entry isn't present. */
static void not_present(void **state)
{
	static const uint64_t at[] = { PML4 + 8 * 511, PDPT + 8, PD + 8 * 3, PT + 8 * 2 };
	struct fake *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		four_levels(f, P | W | U);
		put(f, at[i], get(f, at[i]) & ~P);
		assert_faults(f, LINEAR, ACCESS_READ, 0);
		assert_faults(f, LINEAR, ACCESS_WRITE, PF_WRITE);
		assert_faults(f, LINEAR, ACCESS_WRITE | ACCESS_USER, PF_WRITE | PF_USER);
		assert_faults(f, LINEAR, ACCESS_FETCH, PF_FETCH);
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
		four_levels(f, P | W | U);
		assert_maps(f, LINEAR, ACCESS_WRITE | ACCESS_USER, PAGE);
		put(f, at[i], get(f, at[i]) & ~U);
		assert_faults(f, LINEAR, ACCESS_USER, PF_PRESENT | PF_USER);
		assert_maps(f, LINEAR, ACCESS_READ, PAGE);
		four_levels(f, P | W | U);
		put(f, at[i], get(f, at[i]) & ~W);
		assert_faults(f, LINEAR, ACCESS_WRITE | ACCESS_USER, PF_PRESENT | PF_WRITE | PF_USER);
		assert_maps(f, LINEAR, ACCESS_USER, PAGE);
	}
}

static void write_protect(void **state)
{
	struct fake *f = *state;

	four_levels(f, P | U);
	assert_faults(f, LINEAR, ACCESS_WRITE, PF_PRESENT | PF_WRITE);
	fake_set(vcpu(f), VMCS_GUEST_CR0, vmcs_read(vcpu(f), VMCS_GUEST_CR0) & ~CR0_WP);
	assert_maps(f, LINEAR, ACCESS_WRITE, PAGE);
	assert_faults(f, LINEAR, ACCESS_WRITE | ACCESS_USER, PF_PRESENT | PF_WRITE | PF_USER);
}

static void execute_disable(void **state)
{
	static const uint64_t at[] = { PML4 + 8 * 511, PDPT + 8, PD + 8 * 3, PT + 8 * 2 };
	struct fake *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		four_levels(f, P | W | U);
		put(f, at[i], get(f, at[i]) | XD);
		assert_faults(f, LINEAR, ACCESS_FETCH, PF_PRESENT | PF_FETCH);
		assert_maps(f, LINEAR, ACCESS_WRITE, PAGE);
		/* Without EFER.NXE the bit is reserved, and a fetch isn't told from a read. */
		fake_set(vcpu(f), VMCS_GUEST_EFER, EFER_LMA | EFER_LME);
		assert_faults(f, LINEAR, ACCESS_FETCH, PF_PRESENT | PF_RESERVED);
	}
}

static void smep_and_smap(void **state)
{
	struct fake *f = *state;

	four_levels(f, P | W | U);
	fake_set(vcpu(f), VMCS_GUEST_CR4, CR4_PAE | CR4_SMEP);
	assert_faults(f, LINEAR, ACCESS_FETCH, PF_PRESENT | PF_FETCH);
	assert_maps(f, LINEAR, ACCESS_FETCH | ACCESS_USER, PAGE);
	assert_maps(f, LINEAR, ACCESS_READ, PAGE);
	fake_set(vcpu(f), VMCS_GUEST_CR4, CR4_PAE | CR4_SMAP);
	assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT);
	assert_faults(f, LINEAR, ACCESS_WRITE, PF_PRESENT | PF_WRITE);
	/* EFLAGS.AC lifts it for explicit accesses alone. */
	fake_set(vcpu(f), VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_AC);
	assert_maps(f, LINEAR, ACCESS_READ, PAGE);
	assert_faults(f, LINEAR, ACCESS_READ | ACCESS_IMPLICIT, PF_PRESENT);
	assert_maps(f, LINEAR, ACCESS_USER, PAGE);
}

static void reserved_address_bits(void **state)
{
	struct fake *f = *state;

	four_levels(f, P | W | U);
	assert_int_equal(f->vm.config.phys_bits, 46);
	put(f, PT + 8 * 2, PAGE | P | W | U | UINT64_C(1) << 45);
	assert_maps(f, LINEAR, ACCESS_READ, PAGE | UINT64_C(1) << 45);
	put(f, PT + 8 * 2, PAGE | P | W | U | UINT64_C(1) << 46);
	assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
	/* Bits 62:52 are software's. */
	put(f, PT + 8 * 2, PAGE | P | W | U | UINT64_C(0x7ff) << 52);
	assert_maps(f, LINEAR, ACCESS_READ, PAGE);
}

/* SDM, "Accessed and Dirty Flags" */
static void accessed_and_dirty(void **state)
{
	struct fake *f = *state;

	four_levels(f, P | W | U);
	assert_maps(f, LINEAR, ACCESS_READ, PAGE);
	assert_int_equal(fake_count(f, CROSSING_MEM_CMPXCHG), 4);
	assert_int_equal(get(f, PML4 + 8 * 511), PDPT | P | W | U | A);
	assert_int_equal(get(f, PT + 8 * 2), PAGE | P | W | U | A);
	assert_maps(f, LINEAR, ACCESS_WRITE, PAGE);
	assert_int_equal(fake_count(f, CROSSING_MEM_CMPXCHG), 1);
	assert_int_equal(get(f, PT + 8 * 2), PAGE | P | W | U | A | D);
	assert_int_equal(get(f, PD + 8 * 3), PT | P | W | U | A);
	assert_maps(f, LINEAR, ACCESS_WRITE, PAGE);
	assert_int_equal(fake_count(f, CROSSING_MEM_CMPXCHG), 0);
}

/* Tables that change under the walk end it, sooner or later, with a fault that the guest may well take. */
static void racing_tables(void **state)
{
	struct fake *f = *state;

	four_levels(f, P | W | U);
	f->memory_races = true;
	assert_faults(f, LINEAR, ACCESS_WRITE, PF_WRITE);
}

/* Tables beyond the guest's memory read as all ones. */
static void absent_tables(void **state)
{
	struct fake *f = *state;

	four_levels(f, P | W | U);
	put(f, PD + 8 * 3, (FAKE_MEMORY + 0x1000) | P | W | U);
	assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
	fake_set(vcpu(f), VMCS_GUEST_CR3, FAKE_MEMORY);
	assert_faults(f, LINEAR, ACCESS_READ, PF_PRESENT | PF_RESERVED);
}

static void five_levels(void **state)
{
	struct fake *f = *state;
	uint64_t linear = (LINEAR & 0x0000ffffffffffff) | UINT64_C(5) << 48;

	four_levels(f, P | W | U);
	put(f, 0x6000 + 8 * 5, PML4 | P | W | U);
	fake_set(vcpu(f), VMCS_GUEST_CR3, 0x6000);
	/* Our policy keeps LA57 from the guest; a VM that gave it would own the bit. */
	fake_set(vcpu(f), VMCS_CR4_MASK, CR4_VMXE);
	fake_set(vcpu(f), VMCS_GUEST_CR4, CR4_PAE | CR4_LA57);
	assert_maps(f, linear + 1, ACCESS_READ, PAGE + 1);
	assert_int_equal(fake_count(f, CROSSING_MEM_READ), 5);
}

/* SDM, "PAE Paging": the PDPTEs are the VMCS's; memory isn't asked for them. */
static void pae(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = vcpu(f);

	fake_set(v, VMCS_GUEST_CR0, CR0_PG | CR0_PE | CR0_WP);
	fake_set(v, VMCS_GUEST_CR4, CR4_PAE);
	fake_set(v, VMCS_GUEST_PDPTE0 + 2, PD | P);
	put(f, PD + 8 * 3, PT | P | W | U);
	put(f, PT + 8 * 2, PAGE | P | W);
	assert_maps(f, 0x80602010, ACCESS_WRITE, PAGE + 0x10);
	assert_int_equal(fake_count(f, CROSSING_MEM_READ), 2);
	assert_faults(f, 0x80602010, ACCESS_USER, PF_PRESENT | PF_USER);
	assert_faults(f, 0x40602010, ACCESS_READ, 0);
	put(f, PD + 8 * 3, 0x200000 | P | W | PS);
	assert_maps(f, 0x80602010, ACCESS_WRITE, 0x202010);
	/* Here bits 62:52 are reserved. */
	put(f, PD + 8 * 3, 0x200000 | P | W | PS | UINT64_C(1) << 52);
	assert_faults(f, 0x80602010, ACCESS_READ, PF_PRESENT | PF_RESERVED);
}

/* SDM, "32-Bit Paging", with PSE-36 */
static void two_levels(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = vcpu(f);

	fake_set(v, VMCS_GUEST_CR0, CR0_PG | CR0_PE | CR0_WP);
	fake_set(v, VMCS_GUEST_CR4, 0);
	fake_set(v, VMCS_GUEST_CR3, PD);
	put(f, PD + 4 * 0x201, PT | P | W | U);
	put(f, PT + 4 * 0x202, PAGE | P | W | U);
	assert_maps(f, 0x80602010, ACCESS_WRITE | ACCESS_USER, PAGE + 0x10);
	/* Without CR4.PSE the PS bit is ignored. */
	put(f, PD + 4 * 0x201, PT | P | W | U | PS);
	assert_maps(f, 0x80602010, ACCESS_READ, PAGE + 0x10);
	fake_set(v, VMCS_GUEST_CR4, CR4_PSE);
	put(f, PD + 4 * 0x201, 0x400000 | 3 << 13 | P | W | PS);
	assert_maps(f, 0x80602010, ACCESS_READ, UINT64_C(0x300602010));
	put(f, PD + 4 * 0x201, 0x400000 | 1 << 21 | P | W | PS);
	assert_faults(f, 0x80602010, ACCESS_READ, PF_PRESENT | PF_RESERVED);
	/* No XD, no I/D flag in the error code. */
	put(f, PD + 4 * 0x201, 0);
	assert_faults(f, 0x80602010, ACCESS_FETCH, 0);
}

/* SDM, "PDPTE Registers": all four or none. */
static void load_pdptes(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = vcpu(f);

	for (unsigned i = 0; i < 4; i++)
		put(f, 0x7020 + 8 * i, 0x1000 * (i + 1) | P);
	assert_true(walk_load_pdptes(v, &f->vm, &f->world, 0x7020));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(vmcs_read(v, VMCS_GUEST_PDPTE0 + i), 0x1000 * (i + 1) | P);
	put(f, 0x7020 + 8 * 3, 0x9000 | P | W);
	put(f, 0x7020, 0x8000 | P);
	assert_false(walk_load_pdptes(v, &f->vm, &f->world, 0x7020));
	assert_int_equal(vmcs_read(v, VMCS_GUEST_PDPTE0), 0x1000 | P);
	/* An entry that isn't present has no reserved bits. */
	put(f, 0x7020 + 8 * 3, 0x9000 | W);
	assert_true(walk_load_pdptes(v, &f->vm, &f->world, 0x7020));
}

/* ---- linear.c ---- */

static struct access accessor(struct fake *f)
{
	return (struct access){ .v = vcpu(f), .vm = &f->vm, .w = &f->world };
}

static void crossing_pages(void **state)
{
	struct fake *f = *state;
	struct access a;
	uint64_t value;

	four_levels(f, P | W | U);
	put(f, PT + 8 * 3, 0x9000 | P | W | U);
	memcpy(f->memory + PAGE + 0xffc, "abcd", 4);
	memcpy(f->memory + 0x9000, "efgh", 4);
	a = accessor(f);
	assert_true(linear_read(&a, LINEAR + 0xffc, &value, 8, ACCESS_READ));
	assert_memory_equal(&value, "abcdefgh", 8);
	/* If the second page can't be written, nothing is. */
	put(f, PT + 8 * 3, 0x9000 | P | U);
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

	four_levels(f, P | W | U);
	a = accessor(f);
	assert_true(linear_address(&a, SEG_DS, UINT64_C(0x00007ffffffffff8), 8, 0, &linear));
	assert_false(linear_address(&a, SEG_DS, UINT64_C(0x00007ffffffffff9), 8, 0, &linear));
	assert_int_equal(a.fault.vector, VECTOR_GP);
	assert_false(linear_address(&a, SEG_SS, UINT64_C(0x0000800000000000), 1, 0, &linear));
	assert_int_equal(a.fault.vector, VECTOR_SS);
	/* Bases: FS and GS have one, the others don't. */
	fake_set(vcpu(f), VMCS_GUEST_GS_BASE, UINT64_C(0xffff888000000000));
	fake_set(vcpu(f), VMCS_GUEST_DS_BASE, 0x1000);
	assert_true(linear_address(&a, SEG_GS, 0x10, 8, 0, &linear));
	assert_int_equal(linear, UINT64_C(0xffff888000000010));
	assert_true(linear_address(&a, SEG_DS, 0x10, 8, 0, &linear));
	assert_int_equal(linear, 0x10);
}

/* SDM, "Limit Checking", "Type Checking" */
static void segments(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = vcpu(f);
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

	four_levels(f, P | W | U);
	fake_set(vcpu(f), VMCS_GUEST_RIP, LINEAR + 0xffb);
	a = accessor(f);
	assert_int_equal(linear_fetch(&a, bytes), 5);
	assert_int_equal(a.fault.vector, VECTOR_PF);
	assert_int_equal(a.fault.error_code, PF_FETCH);
	assert_int_equal(a.fault.address, LINEAR + 0x1000);
	put(f, PT + 8 * 3, 0x9000 | P);
	a = accessor(f);
	assert_int_equal(linear_fetch(&a, bytes), 15);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_paging),
		TEST(four_level_page),
		TEST(large_pages),
		TEST(not_present),
		TEST(user_accesses),
		TEST(write_protect),
		TEST(execute_disable),
		TEST(smep_and_smap),
		TEST(reserved_address_bits),
		TEST(accessed_and_dirty),
		TEST(racing_tables),
		TEST(absent_tables),
		TEST(five_levels),
		TEST(pae),
		TEST(two_levels),
		TEST(load_pdptes),
		TEST(crossing_pages),
		TEST(canonical),
		TEST(segments),
		TEST(fetch_at_the_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
