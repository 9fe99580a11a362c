/*
 * Control-register accesses, and XSETBV (SDM, "MOV—Move to/from Control Registers", "CLTS", "LMSW",
 * "XSETBV").
 */
#include "support/fake.h"

enum { TO_CR, FROM_CR, CLTS, LMSW };

static enum exit_action access_cr(struct fake *f, unsigned cr, unsigned type, enum gpr reg, uint16_t source)
{
	return fake_exit(f, &f->cpu[0], REASON_CR_ACCESS,
			 cr | type << 4 | (uint64_t)reg << 8 | (uint64_t)source << 16, 3);
}

static enum exit_action mov_to(struct fake *f, unsigned cr, uint64_t value)
{
	f->cpu[0].gpr[GPR_RSI] = value;
	return access_cr(f, cr, TO_CR, GPR_RSI, 0);
}

static void assert_gp(struct fake *f, unsigned cr, uint64_t value)
{
	assert_int_equal(mov_to(f, cr, value), ACTION_INJECT);
	fake_assert_injected(&f->cpu[0], VECTOR_GP, 0);
	assert_int_equal(fake_changed(&f->cpu[0], VMCS_GUEST_CR0), false);
	assert_int_equal(fake_changed(&f->cpu[0], VMCS_GUEST_CR4), false);
}

/* CD and NW stay clear in the processor, NE set; the guest sees what it wrote. */
static void hidden_bits_of_cr0(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	assert_int_equal(mov_to(f, 0, CR0_CD | CR0_NW | CR0_PE), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR0), CR0_NE | CR0_ET | CR0_PE);
	assert_int_equal(vmcs_read(v, VMCS_CR0_READ_SHADOW), CR0_CD | CR0_NW | CR0_ET | CR0_PE);
	assert_int_equal(vcpu_cr0(v), CR0_CD | CR0_NW | CR0_ET | CR0_PE);
	assert_int_equal(fake_count(f, CROSSING_INVVPID), 0);
	/* Reserved bits are ignored, ET stays. */
	assert_int_equal(mov_to(f, 0, CR0_PE | CR0_CD | 1 << 10), ACTION_RETIRE);
	assert_int_equal(vcpu_cr0(v), CR0_CD | CR0_ET | CR0_PE);
}

static void invalid_cr0(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	assert_gp(f, 0, CR0_PG);				/* PG without PE */
	assert_gp(f, 0, CR0_PE | CR0_NW);			/* NW without CD */
	fake_set(v, VMCS_GUEST_EFER, EFER_LME);
	assert_gp(f, 0, CR0_PG | CR0_PE | CR0_CD);		/* IA-32e mode without PAE */
	fake_set(v, VMCS_GUEST_CR4, CR4_PAE);
	fake_set(v, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
	assert_gp(f, 0, CR0_PG | CR0_PE | CR0_CD);		/* from a 64-bit code segment */
	fake_long_mode(f, v);
	assert_gp(f, 0, CR0_PE | CR0_CD);			/* paging off in 64-bit mode */
	assert_gp(f, 0, UINT64_C(1) << 32 | CR0_PG | CR0_PE);	/* bits 63:32 */
	fake_set(v, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	fake_set(v, VMCS_GUEST_CR4, CR4_PAE | CR4_PCIDE);
	assert_gp(f, 0, CR0_PE | CR0_CD);			/* paging off with PCIDE */
}

/* SDM, "Initializing IA-32e Mode" */
static void ia32e_mode_on_and_off(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_GUEST_EFER, EFER_LME);
	fake_set(v, VMCS_GUEST_CR4, CR4_PAE);
	assert_int_equal(mov_to(f, 0, CR0_PG | CR0_PE | CR0_CD), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_EFER), EFER_LME | EFER_LMA);
	assert_true(vmcs_read(v, VMCS_ENTRY_CONTROLS) & ENTRY_IA32E);
	assert_int_equal(fake_find(f, CROSSING_INVVPID, 0)->value, INVVPID_CONTEXT);
	assert_int_equal(fake_count(f, CROSSING_MEM_READ), 0);	/* no PDPTEs in IA-32e paging */
	assert_int_equal(mov_to(f, 0, CR0_PE), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_EFER), EFER_LME);
	assert_false(vmcs_read(v, VMCS_ENTRY_CONTROLS) & ENTRY_IA32E);
}

/* SDM, "PDPTE Registers" */
static void pdptes_are_loaded(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t pdpte = 0x5001;

	fake_set(v, VMCS_GUEST_CR4, CR4_PAE);
	fake_set(v, VMCS_GUEST_CR3, 0x3000);
	memcpy(f->memory + 0x3008, &pdpte, 8);
	assert_int_equal(mov_to(f, 0, CR0_PG | CR0_PE | CR0_CD), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_PDPTE1), 0x5001);
	pdpte |= 2;
	memcpy(f->memory + 0x3008, &pdpte, 8);
	assert_gp(f, 0, CR0_PG | CR0_PE);
}

/* Bits that the guest's CPUID doesn't have are reserved; VMXE is set and hidden. */
static void cr4(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	uint64_t owned = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXSAVE | CR4_SMEP;

	assert_int_equal(vmcs_read(v, VMCS_CR4_MASK) & owned, 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR4), CR4_VMXE);
	assert_gp(f, 4, CR4_VMXE);
	assert_gp(f, 4, CR4_MCE);
	assert_gp(f, 4, CR4_LA57);
	assert_gp(f, 4, UINT64_C(1) << 14);
	assert_int_equal(mov_to(f, 4, CR4_PAE | CR4_PGE), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR4), CR4_PAE | CR4_PGE | CR4_VMXE);
	assert_int_equal(vmcs_read(v, VMCS_CR4_READ_SHADOW), CR4_PAE | CR4_PGE);
	assert_int_equal(fake_count(f, CROSSING_INVVPID), 1);
	assert_int_equal(mov_to(f, 4, CR4_PAE | CR4_PGE | CR4_OSFXSR), ACTION_RETIRE);
	assert_int_equal(fake_count(f, CROSSING_INVVPID), 0);
	assert_gp(f, 4, CR4_PAE | CR4_PCIDE);			/* PCIDE outside IA-32e mode */
	fake_long_mode(f, v);
	assert_gp(f, 4, 0);					/* PAE off in IA-32e mode */
	assert_int_equal(mov_to(f, 4, CR4_PAE | CR4_PCIDE), ACTION_RETIRE);
	assert_int_equal(mov_to(f, 4, CR4_PAE), ACTION_RETIRE);
	fake_set(v, VMCS_GUEST_CR3, FAKE_TABLES | 5);
	assert_gp(f, 4, CR4_PAE | CR4_PCIDE);			/* with a PCID in CR3 */
}

static void cr3(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_long_mode(f, v);
	assert_int_equal(mov_to(f, 3, 0x7000), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR3), 0x7000);
	assert_int_equal(fake_find(f, CROSSING_INVVPID, 0)->value, INVVPID_CONTEXT_NOT_GLOBAL);
	assert_int_equal(mov_to(f, 3, UINT64_C(1) << 46), ACTION_INJECT);
	assert_int_equal(mov_to(f, 3, UINT64_C(1) << 63), ACTION_INJECT);
	/* SDM: with PCIDE bit 63 asks to keep the TLB, and isn't kept. */
	fake_set(v, VMCS_GUEST_CR4, CR4_PAE | CR4_PCIDE);
	assert_int_equal(mov_to(f, 3, UINT64_C(1) << 63 | 0x8003), ACTION_RETIRE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR3), 0x8003);
	assert_int_equal(fake_count(f, CROSSING_INVVPID), 0);
	assert_int_equal(access_cr(f, 3, FROM_CR, GPR_R9, 0), ACTION_RETIRE);
	assert_int_equal(v->gpr[GPR_R9], 0x8003);
}

/* SDM, "Interrupt Priority in 64-Bit Mode" */
static void cr8(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_long_mode(f, v);
	assert_int_equal(mov_to(f, 8, 9), ACTION_RETIRE);
	assert_int_equal(fake_apic_read(f, 0, 0x80), 0x90);
	assert_int_equal(access_cr(f, 8, FROM_CR, GPR_RDX, 0), ACTION_RETIRE);
	assert_int_equal(v->gpr[GPR_RDX], 9);
	assert_int_equal(mov_to(f, 8, 16), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_GP, 0);
}

/* A register number of 4 is RSP, a VMCS field. */
static void rsp_as_operand(void **state)
{
	struct fake *f = *state;

	fake_long_mode(f, &f->cpu[0]);
	fake_set(&f->cpu[0], VMCS_GUEST_RSP, 7);
	assert_int_equal(access_cr(f, 8, TO_CR, GPR_RSP, 0), ACTION_RETIRE);
	assert_int_equal(fake_apic_read(f, 0, 0x80), 0x70);
	fake_set(&f->cpu[0], VMCS_GUEST_RSP, 0);
	assert_int_equal(access_cr(f, 8, FROM_CR, GPR_RSP, 0), ACTION_RETIRE);
	assert_int_equal(vmcs_read(&f->cpu[0], VMCS_GUEST_RSP), 7);
}

static void clts_and_lmsw(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_CR0_MASK, CR0_TS | CR0_PE | vmcs_read(v, VMCS_CR0_MASK));
	fake_set(v, VMCS_CR0_READ_SHADOW, CR0_PE | CR0_ET | CR0_TS);
	assert_int_equal(access_cr(f, 0, CLTS, 0, 0), ACTION_RETIRE);
	assert_int_equal(vcpu_cr0(v), CR0_PE | CR0_ET);
	/* LMSW sets PE, MP, EM, TS; it can't clear PE. */
	assert_int_equal(access_cr(f, 0, LMSW, 0, 0xfffe), ACTION_RETIRE);
	assert_int_equal(vcpu_cr0(v), CR0_PE | CR0_ET | CR0_MP | CR0_EM | CR0_TS);
	assert_int_equal(access_cr(f, 0, LMSW, 0, 0), ACTION_RETIRE);
	assert_int_equal(vcpu_cr0(v), CR0_PE | CR0_ET);
}

/* CR0 and CR4 are read from their shadows: such an exit can't be. */
static void impossible_accesses(void **state)
{
	struct fake *f = *state;

	assert_int_equal(access_cr(f, 0, FROM_CR, GPR_RAX, 0), ACTION_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_UNHANDLED);
}

/* ---- XSETBV ---- */

static enum exit_action xsetbv(struct fake *f, uint32_t xcr, uint64_t value)
{
	struct vcpu *v = &f->cpu[0];

	v->gpr[GPR_RCX] = xcr;
	v->gpr[GPR_RAX] = (uint32_t)value;
	v->gpr[GPR_RDX] = value >> 32;
	return fake_exit(f, v, REASON_XSETBV, 0, 3);
}

static void xsetbv_accepts(void **state)
{
	static const uint64_t values[] = { 1, 3, 7, 0xe7, 0x203, 0x2e7 };
	struct fake *f = *state;

	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_int_equal(xsetbv(f, 0, values[i]), ACTION_RETIRE);
		assert_int_equal(f->vm.cpu[0].xcr0, values[i]);
		assert_int_equal(fake_find(f, CROSSING_XCR_WRITE, 0)->value, values[i]);
		assert_int_equal(f->vm.touched, 1 << VM_DEVICE_CPU0);
	}
}

/*
 * SDM, "XSETBV": #GP(0) for another XCR, x87 off, AVX without SSE, a part of AVX-512, reserved bits, or CPL
 * > 0.
 */
static void xsetbv_refuses(void **state)
{
	static const uint64_t values[] = {
		0, 2, 5, 0x27, 0xe3, 0x8, 0x10, 1 << 8 | 1, UINT64_C(1) << 63 | 1, 0x20001,
	};
	struct fake *f = *state;

	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_int_equal(xsetbv(f, 0, values[i]), ACTION_INJECT);
		fake_assert_injected(&f->cpu[0], VECTOR_GP, 0);
	}
	assert_int_equal(xsetbv(f, 1, 1), ACTION_INJECT);
	fake_set_cpl(&f->cpu[0], 3);
	assert_int_equal(xsetbv(f, 0, 1), ACTION_INJECT);
	assert_int_equal(f->vm.cpu[0].xcr0, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hidden_bits_of_cr0),
		TEST(invalid_cr0),
		TEST(ia32e_mode_on_and_off),
		TEST(pdptes_are_loaded),
		TEST(cr4),
		TEST(cr3),
		TEST(cr8),
		TEST(rsp_as_operand),
		TEST(clts_and_lmsw),
		TEST(impossible_accesses),
		TEST(xsetbv_accepts),
		TEST(xsetbv_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
