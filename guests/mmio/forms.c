/*
 * forms.c: instructions of every day on a device register: MOV and its kin, logic and arithmetic.
 */
#include "mmio.h"

DEFINE_FORM(load8, "movb (%%rdi), %%al")
DEFINE_FORM(load8_high, "movb (%%rdi), %%ah")
DEFINE_FORM(load8_offset3, "movb 3(%%rdi), %%cl")
DEFINE_FORM(load16, "movw (%%rdi), %%ax")
DEFINE_FORM(load16_offset2, "movw 2(%%rdi), %%dx")
DEFINE_FORM(load32, "movl (%%rdi), %%eax")
DEFINE_FORM(load32_r9, "movl (%%rdi), %%r9d; movq %%r9, %%rax")
DEFINE_FORM(load_zx8, "movzbl (%%rdi), %%eax")
DEFINE_FORM(load_zx8_16, "movzbw (%%rdi), %%ax")
DEFINE_FORM(load_zx8_64, "movzbq 1(%%rdi), %%rax")
DEFINE_FORM(load_zx16, "movzwl 2(%%rdi), %%eax")
DEFINE_FORM(load_zx16_64, "movzwq (%%rdi), %%rdx")
DEFINE_FORM(load_sx8, "movsbl 3(%%rdi), %%eax")
DEFINE_FORM(load_sx8_16, "movsbw 3(%%rdi), %%ax")
DEFINE_FORM(load_sx8_64, "movsbq 3(%%rdi), %%rax")
DEFINE_FORM(load_sx16, "movswl 2(%%rdi), %%ecx")
DEFINE_FORM(load_sx16_64, "movswq 2(%%rdi), %%rcx")
DEFINE_FORM(load_sx32, "movslq (%%rdi), %%rax")
DEFINE_FORM(store32, "movl %%eax, (%%rdi)")
DEFINE_FORM(store32_r8, "movl %%eax, %%r8d; movl %%r8d, (%%rdi)")
DEFINE_FORM(store_imm, "movl $0x89abcdef, (%%rdi)")
DEFINE_FORM(store_sib, "movl %%ecx, -0x40(%%rdi, %%rsi, 8)")
DEFINE_FORM(load_sib_index, "movl -8(%%rdi, %%rsi, 1), %%eax")
DEFINE_FORM(load_disp32, "subq $0x12345, %%rdi; movl 0x12345(%%rdi), %%eax")
DEFINE_FORM(load_address32, "movl (%%edi), %%eax")
DEFINE_FORM(store_address32, "movl %%eax, -8(%%edi, %%esi, 1)")
DEFINE_FORM(load_r10_base, "movq %%rdi, %%r10; movl (%%r10), %%eax")
DEFINE_FORM(load_r13_like, "pushq %%r13; movq %%rdi, %%r13; movl (%%r13), %%eax; popq %%r13")
DEFINE_FORM(load_r12_like, "pushq %%r12; movq %%rdi, %%r12; movl (%%r12), %%eax; popq %%r12")
DEFINE_FORM(load_ds, "movl %%ds:(%%rdi), %%eax")
DEFINE_FORM(add_to, "addl %%eax, (%%rdi)")
DEFINE_FORM(add_from, "addl (%%rdi), %%eax")
DEFINE_FORM(add_imm8, "addl $-5, (%%rdi)")
DEFINE_FORM(add_imm32, "addl $0x7edcba98, (%%rdi)")
DEFINE_FORM(or_to, "orl %%ecx, (%%rdi)")
DEFINE_FORM(or_from, "orl (%%rdi), %%ecx")
DEFINE_FORM(or_imm8, "orl $0x55, (%%rdi)")
DEFINE_FORM(or_imm32, "orl $0x10203040, (%%rdi)")
DEFINE_FORM(and_to, "andl %%eax, (%%rdi)")
DEFINE_FORM(and_from, "andl (%%rdi), %%edx")
DEFINE_FORM(and_imm8, "andl $-16, (%%rdi)")
DEFINE_FORM(and_imm32, "andl $0x0fffffff, (%%rdi)")
DEFINE_FORM(xor_to, "xorl %%eax, (%%rdi)")
DEFINE_FORM(xor_from, "xorl (%%rdi), %%eax")
DEFINE_FORM(xor_imm32, "xorl $0xffffffff, (%%rdi)")
DEFINE_FORM(sub_to, "subl %%eax, (%%rdi)")
DEFINE_FORM(sub_imm8, "subl $1, (%%rdi)")
DEFINE_FORM(cmp_to, "cmpl %%eax, (%%rdi)")
DEFINE_FORM(cmp_from, "cmpl (%%rdi), %%eax")
DEFINE_FORM(cmp_imm8, "cmpl $0x21, (%%rdi)")
DEFINE_FORM(cmp_imm32, "cmpl $0x87654321, (%%rdi)")
DEFINE_FORM(cmp8, "cmpb $0x21, (%%rdi)")
DEFINE_FORM(cmp16, "cmpw $0x4321, (%%rdi)")
DEFINE_FORM(test_reg, "testl %%eax, (%%rdi)")
DEFINE_FORM(test_imm, "testl $0x80000000, (%%rdi)")
DEFINE_FORM(test8, "testb $0x21, (%%rdi)")
DEFINE_FORM(test8_offset, "testb $0x80, 3(%%rdi)")

#define PLAIN(id, undefined) { #id, form_##id, undefined }
static const struct form every_day[] = {
	PLAIN(load8, 0), PLAIN(load8_high, 0), PLAIN(load8_offset3, 0), PLAIN(load16, 0),
	PLAIN(load16_offset2, 0), PLAIN(load32, 0), PLAIN(load32_r9, 0), PLAIN(load_zx8, 0),
	PLAIN(load_zx8_16, 0), PLAIN(load_zx8_64, 0), PLAIN(load_zx16, 0), PLAIN(load_zx16_64, 0),
	PLAIN(load_sx8, 0), PLAIN(load_sx8_16, 0), PLAIN(load_sx8_64, 0), PLAIN(load_sx16, 0),
	PLAIN(load_sx16_64, 0), PLAIN(load_sx32, 0), PLAIN(store32, 0), PLAIN(store32_r8, 0),
	PLAIN(store_imm, 0), PLAIN(store_sib, 0), PLAIN(load_sib_index, 0), PLAIN(load_disp32, 0),
	PLAIN(load_address32, 0), PLAIN(store_address32, 0), PLAIN(load_r10_base, 0),
	PLAIN(load_r13_like, 0), PLAIN(load_r12_like, 0), PLAIN(load_ds, 0), PLAIN(add_to, 0),
	PLAIN(add_from, 0), PLAIN(add_imm8, 0), PLAIN(add_imm32, 0), PLAIN(or_to, FLAG_AF),
	PLAIN(or_from, FLAG_AF), PLAIN(or_imm8, FLAG_AF), PLAIN(or_imm32, FLAG_AF), PLAIN(and_to, FLAG_AF),
	PLAIN(and_from, FLAG_AF), PLAIN(and_imm8, FLAG_AF), PLAIN(and_imm32, FLAG_AF),
	PLAIN(xor_to, FLAG_AF), PLAIN(xor_from, FLAG_AF), PLAIN(xor_imm32, FLAG_AF), PLAIN(sub_to, 0),
	PLAIN(sub_imm8, 0), PLAIN(cmp_to, 0), PLAIN(cmp_from, 0), PLAIN(cmp_imm8, 0), PLAIN(cmp_imm32, 0),
	PLAIN(cmp8, 0), PLAIN(cmp16, 0), PLAIN(test_reg, FLAG_AF), PLAIN(test_imm, FLAG_AF),
	PLAIN(test8, FLAG_AF), PLAIN(test8_offset, FLAG_AF),
};

/* Gives what the word is afterwards. */
static uint32_t run_on(const struct form *form, void *word, uint32_t initial, uint64_t registers[4])
{
	*(volatile uint32_t *)word = initial;
	form->run(word, registers);
	return *(volatile uint32_t *)word;
}

static void test_form(const struct form *form)
{
	static const char *const names[] = { "RAX", "RCX", "RDX" };
	static const uint32_t initials[] = { 0x87654321, 0x00000000, 0xffffffff };
	/* Around it in memory: what an access of the wrong size would hit */
	static uint32_t around[12] __attribute__((aligned(16)));

	for (unsigned i = 0; i < sizeof(initials) / sizeof(initials[0]); i++) {
		uint64_t flags = 0x2 | (i & 1 ? FLAGS_STATUS : 0);
		uint64_t device[4] = { 0xfedcba9876543210, 0x0123456789abcd05, 0xa5a5a5a55a5a5a5a, flags };
		uint64_t memory[4] = { 0xfedcba9876543210, 0x0123456789abcd05, 0xa5a5a5a55a5a5a5a, flags };
		uint32_t on_device = run_on(form, APIC_WORD, initials[i], device);
		uint32_t in_memory = run_on(form, &around[4], initials[i], memory);

		CHECK(on_device == in_memory, "%s of %#x: the register is %#x, expected %#x", form->name,
		      initials[i], on_device, in_memory);
		for (int r = 0; r < 3; r++)
			CHECK(device[r] == memory[r], "%s of %#x: %s is %#lx, expected %#lx", form->name,
			      initials[i], names[r], device[r], memory[r]);
		CHECK(!((device[3] ^ memory[3]) & ~form->undefined),
		      "%s of %#x: RFLAGS is %#lx, expected %#lx", form->name, initials[i], device[3],
		      memory[3]);
	}
}

void test_table(const struct form *forms, size_t count)
{
	const char *only = option_string("form");

	for (size_t i = 0; i < count; i++) {
		if (!only || strcmp(only, forms[i].name) == 0)
			test_form(&forms[i]);
	}
	apic_write(APIC_TIMER_INITIAL, 0);
}

/* MOV with an absolute address of 64 bits (A0 to A3) exists for the accumulator alone. */
static void test_moffs(void)
{
	uint64_t a = 0xfedcba9876543210;

	apic_write(APIC_TIMER_INITIAL, 0x87654321);
	asm volatile("movabsl 0xfee00380, %%eax" : "+a"(a));
	test_equal("MOV EAX, moffs32", a, 0x87654321);
	a = ~0ull;
	asm volatile("movabsw 0xfee00380, %%ax" : "+a"(a));
	test_equal("MOV AX, moffs16", a, 0xffffffffffff4321);
	a = ~0ull;
	asm volatile("movabsb 0xfee00381, %%al" : "+a"(a));
	test_equal("MOV AL, moffs8", a, 0xffffffffffffff43);
	a = 0x1234567813572468;
	asm volatile("movabsl %%eax, 0xfee00380" : : "a"(a) : "memory");
	test_equal("MOV moffs32, EAX", apic_read(APIC_TIMER_INITIAL), 0x13572468);
}

/* FS.base is added to the address, in MSRs that a guest may write. */
static void test_segment_base(void)
{
	uint32_t value;

	apic_write(APIC_TIMER_INITIAL, 0x2468ace0);
	wrmsr(0xc0000100, MMIO_LAPIC);
	asm volatile("movl %%fs:0x380, %0" : "=r"(value));
	test_equal("MOV from FS:disp32", value, 0x2468ace0);
	asm volatile("movl %0, %%fs:(%1)" : : "r"(0x13579bdf), "r"(0x380ul) : "memory");
	test_equal("MOV to FS:[base]", apic_read(APIC_TIMER_INITIAL), 0x13579bdf);
	wrmsr(0xc0000100, 0);
}

void test_forms(void)
{
	test_table(every_day, sizeof(every_day) / sizeof(every_day[0]));
	test_moffs();
	test_segment_base();
	apic_write(APIC_TIMER_INITIAL, 0);
}
