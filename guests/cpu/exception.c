/*
 * exception.c: exceptions with their error codes, and single steps over instructions that exit.
 */
#include "cpu.h"

#define PF_PRESENT   1
#define PF_WRITE     2
#define PF_RESERVED  8
#define NON_CANONICAL (1ull << 63)
#define DR6_INITIAL  0xffff0ff0
#define DR6_B0       0x1
#define DR6_BS       0x4000
#define DR7_INITIAL  0x400
#define DR7_G0       0x2 /* breakpoint 0 on execution */

static void test_page_faults(void)
{
	static uint8_t target[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
	unsigned mine = MAX_CPUS + this_cpu()->index;
	uint64_t *page = page_window(mine);
	uint64_t value = 0;
	struct trap t;

	t = try_read(page, &value);
	test_trap("read, not mapped", t, VECTOR_PF, 0);
	test_equal("CR2 of it", t.cr2, (uint64_t)page);
	t = try_write(page + 3, 1);
	test_trap("write, not mapped", t, VECTOR_PF, PF_WRITE);
	test_equal("CR2 of that", t.cr2, (uint64_t)(page + 3));
	page_map(mine, (uint64_t)target, PAGE_PRESENT);
	test_trap("read, read-only", try_read(page, &value), NO_TRAP, 0);
	test_trap("write, read-only", try_write(page, 1), VECTOR_PF, PF_WRITE | PF_PRESENT);
	page_map(mine, (uint64_t)target, PAGE_PRESENT | PAGE_RESERVED);
	test_trap("read, reserved bit", try_read(page, &value), VECTOR_PF, PF_RESERVED | PF_PRESENT);
	page_map(mine, 0, 0);
}

/* A segment that isn't present, in a spare slot of the GDT (SEL_USER_CODE32's). */
static void test_segment_not_present(void)
{
	uint64_t *slot = &this_cpu()->gdt[SEL_USER_CODE32 / 8], kept = *slot;
	uint32_t selector = SEL_USER_CODE32 & ~7;

	*slot = 0x00cf13000000ffff; /* data, writable, DPL 0, P = 0 */
	test_trap("MOV to DS, not present", TRY("mov %w0, %%ds", OUT(), IN("r"(selector))),
		  VECTOR_NP, selector);
	*slot = kept;
	test_trap("MOV to DS, beyond the GDT", TRY("mov %w0, %%ds", OUT(), IN("r"(0x1000))),
		  VECTOR_GP, 0x1000);
}

/* RBP as base means the stack segment: #SS, not #GP. */
static void test_stack_fault(void)
{
	struct trap *trap = trap_arm();

	asm volatile("pushq %%rbp\n\t"
		     "movq %0, %%rbp\n\t"
		     TRY_TEXT("movq (%%rbp), %%rax") "\n\t"
		     "popq %%rbp" : : "r"(NON_CANONICAL) : "rax", "memory");
	test_trap("read by RBP, not canonical", *trap, VECTOR_SS, 0);
}

static void test_code_breakpoint(void)
{
	struct trap *trap = trap_arm();
	uint64_t at;

	/* The fault comes before the instruction; TRY()'s fixup then goes on behind it. */
	asm volatile("leaq 771f(%%rip), %%rax\n\t"
		     "movq %%rax, %%dr0\n\t"
		     "movq %1, %%dr7\n\t"
		     "movq %%rax, %0\n\t"
		     TRY_TEXT("cpuid")
		     : "=&r"(at)
		     : "r"((uint64_t)DR7_INITIAL | DR7_G0) : "rax", "rbx", "rcx", "rdx", "memory");
	test_trap("breakpoint on CPUID", *trap, VECTOR_DB, 0);
	test_equal("DR6.B0 at a breakpoint on CPUID", read_dr6() & (DR6_B0 | DR6_BS), DR6_B0);
	write_dr7(DR7_INITIAL);
	write_dr6(DR6_INITIAL);
}

void test_exceptions(void)
{
	uint64_t value = 0;

	test_trap("DIV by 0", TRY("divl %1", OUT("+a"(value)), IN("r"(0), "d"(0))), VECTOR_DE, 0);
	test_trap("INT3", TRY("int3", OUT(), IN()), VECTOR_BP, 0);
	test_trap("INT 4", TRY("int $4", OUT(), IN()), VECTOR_OF, 0);
	test_trap("read, not canonical", try_read((void *)NON_CANONICAL, &value), VECTOR_GP, 0);
	test_stack_fault();
	test_page_faults();
	test_segment_not_present();
	test_code_breakpoint();
}

/* ---- single step ---- */

static struct step {
	uint64_t start; /* of the instruction: while RIP stays (REP), stepping goes on */
	uint64_t rip;
	uint64_t dr6;
	uint32_t count;
} steps[MAX_CPUS];

static void on_debug(struct trap_frame *frame)
{
	struct step *s = &steps[this_cpu()->index];

	s->rip = frame->rip;
	s->dr6 = read_dr6();
	s->count++;
	write_dr6(DR6_INITIAL);
	if (frame->rip != s->start)
		frame->rflags &= ~FLAG_TF;
}

/* POPF sets TF: the trap comes after the instruction that follows 
 * (SDM, "Single-Step Exception Condition"). */
#define STEP(name, traps, insn, outputs, inputs, ...) \
	do { \
		struct step *s_ = &steps[this_cpu()->index]; \
		uint64_t after_; \
		s_->count = 0; \
		asm volatile("leaq 1f(%%rip), %[after]\n\t" \
			     "movq %[after], (%[step])\n\t" \
			     "leaq 2f(%%rip), %[after]\n\t" \
			     "pushfq; orl $0x100, (%%rsp); popfq\n" \
			     "1:\t" insn "\n" \
			     "2:\tnop" \
			     : [after] "=&r"(after_) outputs : [step] "r"(s_) inputs \
			     : "memory", "cc", ##__VA_ARGS__); \
		check_step(name, traps, after_); \
	} while (0)
#define MORE(...) , __VA_ARGS__

static void check_step(const char *name, uint32_t traps, uint64_t after)
{
	const struct step *s = &steps[this_cpu()->index];

	CHECK(s->count == traps, "single step over %s: %u #DB, expected %u", name, s->count, traps);
	CHECK(s->rip == after, "single step over %s: #DB at %#lx, expected %#lx", name, s->rip, after);
	CHECK(s->dr6 & DR6_BS, "single step over %s: DR6 is %#lx, without BS", name, s->dr6);
}

void test_single_step(void)
{
	static const char text[3];
	const char *from = text;
	uint64_t count = sizeof(text);

	/* It stays: other vCPUs may still need it when this one is through. */
	trap_set_handler(VECTOR_DB, on_debug);
	STEP("NOP", 1, "nop", , );
	STEP("CPUID", 1, "cpuid", , MORE("a"(0), "c"(0)), "rbx", "rdx");
	STEP("RDMSR", 1, "rdmsr", , MORE("c"(MSR_IA32_APIC_BASE)), "rax", "rdx");
	STEP("IN", 1, "inb %%dx, %%al", , MORE("d"(PORT_UART + 7)), "rax");
	STEP("OUT", 1, "outb %%al, %%dx", , MORE("d"(PORT_UART + 7), "a"(0)));
	STEP("MMIO read", 1, "movl 0x30(%%rbx), %%eax", , MORE("b"(MMIO_LAPIC)), "rax");
	STEP("MMIO write", 1, "movl %%eax, 0x80(%%rbx)", , MORE("b"(MMIO_LAPIC), "a"(0)));
	STEP("MOV to CR0", 1, "movq %%rax, %%cr0", , MORE("a"(read_cr0() ^ CR0_AM)));
	STEP("MOV to CR8", 1, "movq %%rax, %%cr8", , MORE("a"(0)));
	STEP("WBINVD", 1, "wbinvd", , );
	/* MOV SS holds the trap back until after the next instruction. */
	STEP("MOV SS and CPUID", 1, "movw %%cx, %%ss; cpuid", , MORE("a"(0), "c"(SEL_DATA)), "rbx", "rdx");
	STEP("REP OUTSB of 3", 3, "rep outsb", MORE("+S"(from), "+c"(count)), MORE("d"(PORT_UART + 7)));
	test_equal("RCX after REP OUTSB in single step", count, 0);
	if (under_vexit)
		STEP("VMCALL", 1, "vmcall", , MORE("a"(HYPERCALL_NOP)), "rbx");
}
