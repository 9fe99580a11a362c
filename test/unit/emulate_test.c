/*
 * The instruction emulator against the processor that runs this test: the same instruction on the same
 * registers, flags and memory must leave the same registers, flags and memory. Flags that the SDM calls
 * undefined are left out.
 */
#include "support/fake.h"
#include "support/random.h"
#include "insn/decode.h"
#include "insn/emulate.h"

#include <cpuid.h>
#include <stdio.h>
#include <sys/mman.h>

#define ROUNDS		3000	/* random operands for each form */
#define WINDOW		512	/* bytes around the operand that are compared */
#define MIDDLE		(WINDOW / 2)
#define ARITHMETIC	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* Corner cases come often. */
static uint64_t random_value(void)
{
	static const uint64_t corners[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, 0x80000000,
					    0x7fffffffffffffff, 0x8000000000000000, UINT64_MAX };

	if (random_u64() % 3)
		return random_u64();
	return corners[random_u64() % (sizeof(corners) / sizeof(corners[0]))];
}

/* ---- The processor ---- */

struct native {
	uint64_t gpr[16];	/* RSP and R15 are not the instruction's */
	uint64_t flags;
};

extern void run_native(struct native *n, const void *code);

/* R15 holds `n`. The code ends with RET. DF is cleared for the compiler's sake when it returns. */
asm(".text\n"
    ".globl run_native\n"
    "run_native:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rdi, %r15\n"
    "	push %rsi\n"
    "	push 128(%r15); popfq\n"
    "	mov 0(%r15), %rax; mov 8(%r15), %rcx; mov 16(%r15), %rdx; mov 24(%r15), %rbx\n"
    "	mov 40(%r15), %rbp; mov 48(%r15), %rsi; mov 56(%r15), %rdi\n"
    "	mov 64(%r15), %r8; mov 72(%r15), %r9; mov 80(%r15), %r10; mov 88(%r15), %r11\n"
    "	mov 96(%r15), %r12; mov 104(%r15), %r13; mov 112(%r15), %r14\n"
    "	call *(%rsp)\n"
    "	mov %rax, 0(%r15); mov %rcx, 8(%r15); mov %rdx, 16(%r15); mov %rbx, 24(%r15)\n"
    "	mov %rbp, 40(%r15); mov %rsi, 48(%r15); mov %rdi, 56(%r15)\n"
    "	mov %r8, 64(%r15); mov %r9, 72(%r15); mov %r10, 80(%r15); mov %r11, 88(%r15)\n"
    "	mov %r12, 96(%r15); mov %r13, 104(%r15); mov %r14, 112(%r15)\n"
    "	pushfq; pop 128(%r15)\n"
    "	cld\n"
    "	pop %rsi\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n");

static uint8_t *code_page;

static int setup(void **state)
{
	code_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code_page == MAP_FAILED)
		return -1;
	*state = fake_new(1);
	fake_long_mode(*state, &((struct fake *)*state)->cpu[0]);
	return 0;
}

static int teardown(void **state)
{
	munmap(code_page, 4096);
	fake_free(*state);
	return 0;
}

/* ---- One instruction, both ways ---- */

struct form {
	const char *name;
	uint8_t opcode[3], opcode_size;
	int group;		/* ModR/M's reg field, or -1: a random register */
	uint64_t undefined;	/* flags */
	bool string;		/* no ModR/M: RSI, RDI, RCX */
	bool no_16;		/* there is no form with 16-bit operands */
};

struct trial {
	struct native before, native;
	uint8_t bytes[16];
	struct insn insn;
	uint8_t memory[WINDOW], native_memory[WINDOW];
};

static void build(struct trial *t, const struct form *form, bool repeat)
{
	unsigned at = 0, reg;
	uint8_t rex = 0;

	do
		reg = random_u64() % 15;
	while (reg == GPR_RSP || reg == GPR_RDI);	/* RDI is the address, which differs */
	if (repeat)
		t->bytes[at++] = random_u64() & 1 ? 0xf3 : 0xf2;
	if (!form->no_16 && random_u64() % 4 == 0)
		t->bytes[at++] = 0x66;
	else if (random_u64() % 3 == 0)
		rex |= 0x48;
	if (form->group < 0 && reg >= 8)
		rex |= 0x44;
	if (rex || random_u64() % 4 == 0)
		t->bytes[at++] = rex | 0x40;
	memcpy(t->bytes + at, form->opcode, form->opcode_size);
	at += form->opcode_size;
	if (!form->string)
		t->bytes[at++] = 7 | (form->group < 0 ? reg & 7 : (unsigned)form->group) << 3;	/* (%rdi) */
	for (; at < sizeof(t->bytes); at++)
		t->bytes[at] = (uint8_t)random_u64();
	assert_int_equal(insn_decode(t->bytes, INSN_MAX, 64, &t->insn), INSN_OK);
}

static void fill(struct trial *t, const struct form *form)
{
	for (unsigned i = 0; i < 16; i++)
		t->before.gpr[i] = random_value();
	for (unsigned i = 0; i < WINDOW; i += 8) {
		uint64_t value = form->string ? (random_u64() & 1 ? 0 : random_value()) : random_value();

		memcpy(t->memory + i, &value, 8);
	}
	t->before.flags = (random_u64() & ARITHMETIC) | RFLAGS_FIXED | RFLAGS_IF;
	if (form->string) {
		t->before.gpr[GPR_RCX] = random_u64() % 9;
		if (random_u64() & 1)
			t->before.flags |= RFLAGS_DF;
	}
	/* BT by a register reaches as far as the register says. */
	for (unsigned i = 0; i < 15; i++) {
		if (strncmp(form->name, "bt", 2) == 0 && form->group < 0)
			t->before.gpr[i] = (uint64_t)((int64_t)(random_u64() % 1600) - 800);
	}
}

/* The registers that point at the operand, for memory that begins at `base`. */
static void point(struct native *n, const struct form *form, uint64_t base)
{
	n->gpr[GPR_RDI] = base + MIDDLE;
	if (form->string)
		n->gpr[GPR_RSI] = base + MIDDLE + 96;
}

static void run_on_processor(struct trial *t, const struct form *form)
{
	memcpy(code_page, t->bytes, t->insn.length);
	code_page[t->insn.length] = 0xc3;
	memcpy(t->native_memory, t->memory, WINDOW);
	t->native = t->before;
	point(&t->native, form, (uint64_t)t->native_memory);
	run_native(&t->native, code_page);
}

static void fail_trial(const struct trial *t, const struct form *form, const char *what, uint64_t got,
		       uint64_t expected)
{
	char text[64];

	for (unsigned i = 0; i < t->insn.length; i++)
		snprintf(text + 3 * i, sizeof(text) - 3 * i, "%02x ", t->bytes[i]);
	fail_msg("%s: %s: %s is %#lx, on the processor %#lx (flags before %#lx)", form->name, text, what,
		 got, expected,
		 t->before.flags);
}

static uint64_t undefined_flags(const struct trial *t, const struct form *form)
{
	unsigned size = t->insn.opcode & 1 ? t->insn.operand_size : 1;
	unsigned count;

	if (strncmp(form->name, "shift", 5) != 0)
		return form->undefined;
	/*
	 * SDM, "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR": OF for a count other than 1, CF for one beyond the
	 * operand.
	 */
	count = t->insn.opcode < 0xd0 ? (unsigned)t->insn.immediate & 0xff :
		t->insn.opcode & 2 ? (unsigned)t->before.gpr[GPR_RCX] & 0xff : 1;
	count &= size == 8 ? 63 : 31;
	if (count == 0)
		return 0;
	return (form->group >= 4 ? RFLAGS_AF : 0) | (count != 1 ? RFLAGS_OF : 0) |
		(count >= 8 * size ? RFLAGS_CF : 0);
}

/* Registers whose values depend on where the memory lies: that offset taken away. */
static uint64_t relative(const struct form *form, unsigned reg, uint64_t value, uint64_t base)
{
	return reg == GPR_RDI || (form->string && reg == GPR_RSI) ? value - base : value;
}

static void compare(struct fake *f, const struct trial *t, const struct form *form)
{
	struct vcpu *v = &f->cpu[0];
	uint64_t mask = ARITHMETIC & ~undefined_flags(t, form);
	uint64_t flags = vmcs_read(v, VMCS_GUEST_RFLAGS);

	for (unsigned i = 0; i < 15; i++) {
		uint64_t got = relative(form, i, v->gpr[i], FAKE_DATA);
		uint64_t expected = relative(form, i, t->native.gpr[i], (uint64_t)t->native_memory);

		if (i != GPR_RSP && got != expected)
			fail_trial(t, form, "a register", got, expected);
	}
	if ((flags ^ t->native.flags) & mask)
		fail_trial(t, form, "RFLAGS", flags & mask, t->native.flags & mask);
	for (unsigned i = 0; i < WINDOW; i++) {
		if (f->memory[FAKE_DATA + i] != t->native_memory[i])
			fail_trial(t, form, "memory", f->memory[FAKE_DATA + i], t->native_memory[i]);
	}
}

static void try_form(struct fake *f, const struct form *form, bool repeat)
{
	struct vcpu *v = &f->cpu[0];
	struct trial t;
	struct access a = { .v = v, .vm = &f->vm, .w = &f->world };
	enum emulate_result result;

	fill(&t, form);
	build(&t, form, repeat);
	run_on_processor(&t, form);
	point(&t.before, form, FAKE_DATA);

	vcpu_begin_step(v, f->now);
	memset(v->loaded, 0xff, sizeof(v->loaded));
	f->log_count = 0;
	memcpy(f->memory + FAKE_DATA, t.memory, WINDOW);
	memcpy(v->gpr, t.before.gpr, sizeof(t.before.gpr));
	v->gpr[GPR_RSP] = 0;
	fake_set(v, VMCS_GUEST_RFLAGS, t.before.flags);
	result = insn_emulate(&a, &t.insn);
	if (result != EMULATE_DONE)
		fail_trial(&t, form, "the result", result, EMULATE_DONE);
	compare(f, &t, form);
}

static const struct form forms[] = {
#define ALU(name, n) \
	{ name " to", { (n) << 3 | 1 }, 1, -1, RFLAGS_AF * ((n) == 1 || (n) == 4 || (n) == 6), false, false }, \
	{ name " to, byte", { (n) << 3 }, 1, -1, RFLAGS_AF * ((n) == 1 || (n) == 4 || (n) == 6), false, false }, \
	{ name " from", { (n) << 3 | 3 }, 1, -1, RFLAGS_AF * ((n) == 1 || (n) == 4 || (n) == 6), false, false }, \
	{ name " imm", { 0x81 }, 1, n, RFLAGS_AF * ((n) == 1 || (n) == 4 || (n) == 6), false, false }, \
	{ name " imm8", { 0x83 }, 1, n, RFLAGS_AF * ((n) == 1 || (n) == 4 || (n) == 6), false, false }, \
	{ name " imm, byte", { 0x80 }, 1, n, RFLAGS_AF * ((n) == 1 || (n) == 4 || (n) == 6), false, false }
	ALU("add", 0), ALU("or", 1), ALU("adc", 2), ALU("sbb", 3), ALU("and", 4), ALU("sub", 5),
	ALU("xor", 6), ALU("cmp", 7),
	{ "mov to", { 0x89 }, 1, -1, 0, false, false },
	{ "mov to, byte", { 0x88 }, 1, -1, 0, false, false },
	{ "mov from", { 0x8b }, 1, -1, 0, false, false },
	{ "mov from, byte", { 0x8a }, 1, -1, 0, false, false },
	{ "mov imm", { 0xc7 }, 1, 0, 0, false, false },
	{ "mov imm, byte", { 0xc6 }, 1, 0, 0, false, false },
	{ "movzx byte", { 0x0f, 0xb6 }, 2, -1, 0, false, false },
	{ "movzx word", { 0x0f, 0xb7 }, 2, -1, 0, false, false },
	{ "movsx byte", { 0x0f, 0xbe }, 2, -1, 0, false, false },
	{ "movsx word", { 0x0f, 0xbf }, 2, -1, 0, false, false },
	{ "movsxd", { 0x63 }, 1, -1, 0, false, false },
	{ "movnti", { 0x0f, 0xc3 }, 2, -1, 0, false, true },
	{ "test", { 0x85 }, 1, -1, RFLAGS_AF, false, false },
	{ "test imm", { 0xf7 }, 1, 0, RFLAGS_AF, false, false },
	{ "test imm, byte", { 0xf6 }, 1, 0, RFLAGS_AF, false, false },
	{ "not", { 0xf7 }, 1, 2, 0, false, false },
	{ "neg", { 0xf7 }, 1, 3, 0, false, false },
	{ "neg, byte", { 0xf6 }, 1, 3, 0, false, false },
	{ "mul", { 0xf7 }, 1, 4, RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF, false, false },
	{ "mul, byte", { 0xf6 }, 1, 4, RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF, false, false },
	{ "imul one", { 0xf7 }, 1, 5, RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF, false, false },
	{ "imul one, byte", { 0xf6 }, 1, 5, RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF, false, false },
	{ "imul two", { 0x0f, 0xaf }, 2, -1, RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF, false, false },
	{ "imul imm", { 0x69 }, 1, -1, RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF, false, false },
	{ "imul imm8", { 0x6b }, 1, -1, RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF, false, false },
	{ "inc", { 0xff }, 1, 0, 0, false, false },
	{ "dec", { 0xff }, 1, 1, 0, false, false },
	{ "inc, byte", { 0xfe }, 1, 0, 0, false, false },
	{ "dec, byte", { 0xfe }, 1, 1, 0, false, false },
	{ "xchg", { 0x87 }, 1, -1, 0, false, false },
	{ "xchg, byte", { 0x86 }, 1, -1, 0, false, false },
	{ "xadd", { 0x0f, 0xc1 }, 2, -1, 0, false, false },
	{ "cmpxchg", { 0x0f, 0xb1 }, 2, -1, 0, false, false },
	{ "cmpxchg, byte", { 0x0f, 0xb0 }, 2, -1, 0, false, false },
	{ "bt", { 0x0f, 0xa3 }, 2, -1, RFLAGS_SF | RFLAGS_AF | RFLAGS_PF | RFLAGS_OF, false, false },
	{ "bts", { 0x0f, 0xab }, 2, -1, RFLAGS_SF | RFLAGS_AF | RFLAGS_PF | RFLAGS_OF, false, false },
	{ "btr", { 0x0f, 0xb3 }, 2, -1, RFLAGS_SF | RFLAGS_AF | RFLAGS_PF | RFLAGS_OF, false, false },
	{ "btc", { 0x0f, 0xbb }, 2, -1, RFLAGS_SF | RFLAGS_AF | RFLAGS_PF | RFLAGS_OF, false, false },
	{ "bt imm", { 0x0f, 0xba }, 2, 4, RFLAGS_SF | RFLAGS_AF | RFLAGS_PF | RFLAGS_OF, false, false },
	{ "bts imm", { 0x0f, 0xba }, 2, 5, RFLAGS_SF | RFLAGS_AF | RFLAGS_PF | RFLAGS_OF, false, false },
	{ "btr imm", { 0x0f, 0xba }, 2, 6, RFLAGS_SF | RFLAGS_AF | RFLAGS_PF | RFLAGS_OF, false, false },
	{ "btc imm", { 0x0f, 0xba }, 2, 7, RFLAGS_SF | RFLAGS_AF | RFLAGS_PF | RFLAGS_OF, false, false },
#define SHIFT(n) \
	{ "shift by imm", { 0xc1 }, 1, n, 0, false, false }, { "shift by imm, byte", { 0xc0 }, 1, n, 0, false, false }, \
	{ "shift by one", { 0xd1 }, 1, n, 0, false, false }, { "shift by one, byte", { 0xd0 }, 1, n, 0, false, false }, \
	{ "shift by CL", { 0xd3 }, 1, n, 0, false, false }, { "shift by CL, byte", { 0xd2 }, 1, n, 0, false, false }
	SHIFT(0), SHIFT(1), SHIFT(2), SHIFT(3), SHIFT(4), SHIFT(5), SHIFT(7),
#define CONDITION(n) \
	{ "cmov", { 0x0f, 0x40 | (n) }, 2, -1, 0, false, false }, \
	{ "setcc", { 0x0f, 0x90 | (n) }, 2, 0, 0, false, false }
	CONDITION(0), CONDITION(1), CONDITION(2), CONDITION(3), CONDITION(4), CONDITION(5),
	CONDITION(6), CONDITION(7), CONDITION(8), CONDITION(9), CONDITION(10), CONDITION(11),
	CONDITION(12), CONDITION(13), CONDITION(14), CONDITION(15),
};

static const struct form string_forms[] = {
	{ "movs", { 0xa5 }, 1, 0, 0, true, false }, { "movsb", { 0xa4 }, 1, 0, 0, true, false },
	{ "cmps", { 0xa7 }, 1, 0, 0, true, false }, { "cmpsb", { 0xa6 }, 1, 0, 0, true, false },
	{ "stos", { 0xab }, 1, 0, 0, true, false }, { "stosb", { 0xaa }, 1, 0, 0, true, false },
	{ "lods", { 0xad }, 1, 0, 0, true, false }, { "lodsb", { 0xac }, 1, 0, 0, true, false },
	{ "scas", { 0xaf }, 1, 0, 0, true, false }, { "scasb", { 0xae }, 1, 0, 0, true, false },
};

static const struct form movbe_forms[] = {
	{ "movbe from", { 0x0f, 0x38, 0xf0 }, 3, -1, 0, false, false },
	{ "movbe to", { 0x0f, 0x38, 0xf1 }, 3, -1, 0, false, false },
};

static void try_all(struct fake *f, const struct form *list, size_t count, bool repeat)
{
	for (size_t i = 0; i < count; i++) {
		for (unsigned round = 0; round < ROUNDS; round++)
			try_form(f, &list[i], repeat);
	}
}

static void like_the_processor(void **state)
{
	try_all(*state, forms, sizeof(forms) / sizeof(forms[0]), false);
}

static void strings_like_the_processor(void **state)
{
	try_all(*state, string_forms, sizeof(string_forms) / sizeof(string_forms[0]), false);
}

static void repeated_strings_like_the_processor(void **state)
{
	try_all(*state, string_forms, sizeof(string_forms) / sizeof(string_forms[0]), true);
}

static void movbe_like_the_processor(void **state)
{
	unsigned eax, ebx, ecx, edx;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_MOVBE))
		skip();
	try_all(*state, movbe_forms, sizeof(movbe_forms) / sizeof(movbe_forms[0]), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(like_the_processor, setup, teardown),
		cmocka_unit_test_setup_teardown(strings_like_the_processor, setup, teardown),
		cmocka_unit_test_setup_teardown(repeated_strings_like_the_processor, setup, teardown),
		cmocka_unit_test_setup_teardown(movbe_like_the_processor, setup, teardown),
	};

	random_seed(0x2545f4914f6cdd1d);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
