/*
 * bench: what one exit of each kind costs the guest: time-stamp counter ticks of a round trip.
 *
 * In Bochs the TSC counts instructions, so there these are exact instruction counts of guest instruction,
 * exit, handler, tracer and entry. Each kind is a loop of `n` of one instruction; the same loop without it
 * is subtracted. Lines are for programs to read:
 *
 *     bench: cpuid 1072 mean 1075
 *
 * name, the best of ROUNDS loops, and the mean of them all, in ticks. The mean is what an exit costs when
 * a tracer's frames, closed every few thousand exits, are spread over all exits. A kind that the machine
 * doesn't intercept costs about 1.
 *
 * Exits: CPUID, VMCALL, I/O instruction (single and string), EPT violation, RDMSR, WRMSR, XSETBV, MOV CR,
 * HLT, WBINVD, each thousands of times.
 * Options: n=COUNT (2000), only=NAME (one kind), skip=NAME (all but one).
 * Verdicts: 0; 2 for an unknown name.
 */
#include "guest.h"

#define ROUNDS       3
#define UART_SCRATCH (PORT_UART + 7)
#define VECTOR_SELF  0x42

/* Two loops of `n` (RDI) rounds: of setup and instruction, and of the setup alone. */
#define DEFINE_LOOP(name, setup, insn) \
	static void loop_##name(uint64_t n) \
	{ \
		asm volatile("1:\n\t" setup "\n\t" insn "\n\t" \
			     "decq %0\n\t" \
			     "jnz 1b" \
			     : "+D"(n) : : "rax", "rbx", "rcx", "rdx", "rsi", "memory", "cc"); \
	} \
	static void idle_##name(uint64_t n) \
	{ \
		asm volatile("1:\n\t" setup "\n\t" \
			     "decq %0\n\t" \
			     "jnz 1b" \
			     : "+D"(n) : : "rax", "rbx", "rcx", "rdx", "rsi", "memory", "cc"); \
	}

/* Constants as text for the assembler; checked against the headers below. */
#define SCRATCH "$0x3ff"
#define LAPIC   "$0xfee00000"
#define IOAPIC  "$0xfec00000"
#define CONSOLE "$0xd0000000"
_Static_assert(UART_SCRATCH == 0x3ff, "SCRATCH");
_Static_assert(MMIO_LAPIC == 0xfee00000, "LAPIC");
_Static_assert(MMIO_IOAPIC == 0xfec00000, "IOAPIC");
_Static_assert(MMIO_CONSOLE == 0xd0000000, "CONSOLE");

/* Named by the loops' text alone */
static uint8_t buffer[16] __attribute__((used));
static uint64_t xcr0 __attribute__((used));

DEFINE_LOOP(cpuid, "xorl %%eax, %%eax; xorl %%ecx, %%ecx", "cpuid")
DEFINE_LOOP(vmcall, "xorl %%eax, %%eax", "vmcall")
DEFINE_LOOP(io_out, "movl " SCRATCH ", %%edx; movl $0x55, %%eax", "outb %%al, %%dx")
DEFINE_LOOP(io_in, "movl " SCRATCH ", %%edx", "inb %%dx, %%al")
DEFINE_LOOP(io_pic, "", "inb $0x21, %%al") /* KVM has the 8259 in the kernel, the UART not */
DEFINE_LOOP(io_string, "movl " SCRATCH ", %%edx; movl $16, %%ecx; movl $buffer, %%esi", "rep outsb")
DEFINE_LOOP(mmio_read, "movl " LAPIC ", %%ebx", "movl 0x30(%%rbx), %%eax")
DEFINE_LOOP(mmio_write, "movl " LAPIC ", %%ebx; xorl %%eax, %%eax", "movl %%eax, 0x80(%%rbx)")
DEFINE_LOOP(mmio_ioapic, "movl " IOAPIC ", %%ebx", "movl (%%rbx), %%eax") /* IOREGSEL */
/* Offset 8 prints nothing: the exit is that of the console, without a byte to the screen. */
DEFINE_LOOP(mmio_console, "movl " CONSOLE ", %%ebx; xorl %%eax, %%eax", "movb %%al, 8(%%rbx)")
DEFINE_LOOP(rdmsr, "movl $0x1b, %%ecx", "rdmsr")
DEFINE_LOOP(wrmsr, "movl $0x8b, %%ecx; xorl %%eax, %%eax; xorl %%edx, %%edx", "wrmsr")
DEFINE_LOOP(xsetbv, "xorl %%ecx, %%ecx; movl xcr0, %%eax; movl xcr0 + 4, %%edx", "xsetbv")
DEFINE_LOOP(cr0, "movq %%cr0, %%rax; xorl $8, %%eax", "movq %%rax, %%cr0") /* TS, on and off */
DEFINE_LOOP(cr3, "movq %%cr3, %%rax", "movq %%rax, %%cr3")
DEFINE_LOOP(cr4, "movq %%cr4, %%rax; xorl $0x80, %%eax", "movq %%rax, %%cr4") /* PGE, on and off */
DEFINE_LOOP(cr8, "xorl %%eax, %%eax", "movq %%rax, %%cr8")
DEFINE_LOOP(invlpg, "", "invlpg (%%rdi)")
DEFINE_LOOP(wbinvd, "", "wbinvd")
DEFINE_LOOP(rdtsc, "", "rdtsc")
DEFINE_LOOP(pause, "", "pause")

/* RDMSR of no MSR: the exit, a #GP delivered, and the handler's IRET (its own cost is in it). */
static void loop_gp(uint64_t n)
{
	uint64_t value;

	while (n--)
		try_rdmsr(0xdeadbeef, &value);
}

static void on_self(struct trap_frame *frame)
{
	(void)frame;
	apic_eoi();
}

/* An IPI to itself, taken out of HLT: ICR write, HLT, interrupt, EOI write (and the handler's own cost). */
static void loop_hlt_ipi(uint64_t n)
{
	while (n--) {
		apic_write(APIC_ICR_LOW, ICR_SELF | ICR_FIXED | ICR_ASSERT | VECTOR_SELF);
		irq_enable_and_halt();
		irq_disable();
	}
}

static void idle_call(uint64_t n)
{
	asm volatile("1: decq %0; jnz 1b" : "+r"(n) : : "cc");
}

#define KIND(name, text) { text, loop_##name, idle_##name, NULL }

static bool no_vexit(void) { return !under_vexit; }
static bool no_hypervisor(void) { return !(cpuid(1, 0).ecx & 1u << 31); }
static bool no_xsave(void) { return !(cpuid(1, 0).ecx & 1u << 26); }
static bool no_wrmsr(void) { return try_wrmsr(MSR_IA32_BIOS_SIGN_ID, 0).vector != NO_TRAP; }

static const struct kind {
	const char *name;
	void (*loop)(uint64_t n);
	void (*idle)(uint64_t n);
	bool (*missing)(void);
} kinds[] = {
	KIND(cpuid, "cpuid"),
	{ "vmcall", loop_vmcall, idle_vmcall, no_hypervisor },
	KIND(io_out, "io"),
	KIND(io_in, "io-in"),
	KIND(io_pic, "io-pic"),
	KIND(io_string, "io-string"),
	KIND(mmio_read, "mmio"),
	KIND(mmio_write, "mmio-write"),
	KIND(mmio_ioapic, "mmio-ioapic"),
	{ "mmio-console", loop_mmio_console, idle_mmio_console, no_vexit },
	KIND(rdmsr, "rdmsr"),
	{ "wrmsr", loop_wrmsr, idle_wrmsr, no_wrmsr },
	{ "xsetbv", loop_xsetbv, idle_xsetbv, no_xsave },
	KIND(cr0, "cr0"),
	KIND(cr3, "cr3"),
	KIND(cr4, "cr4"),
	KIND(cr8, "cr8"),
	KIND(invlpg, "invlpg"),
	KIND(wbinvd, "wbinvd"),
	KIND(rdtsc, "rdtsc"),
	KIND(pause, "pause"),
	{ "gp", loop_gp, idle_call, no_vexit },
	{ "hlt-ipi", loop_hlt_ipi, idle_call, NULL },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint64_t ticks(void (*loop)(uint64_t n), uint64_t n)
{
	uint64_t before = rdtsc();

	loop(n);
	return rdtsc() - before;
}

static void measure(const struct kind *kind, uint64_t n)
{
	uint64_t best = UINT64_MAX, sum = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t idle = ticks(kind->idle, n);
		uint64_t whole = ticks(kind->loop, n);
		uint64_t one = whole > idle ? whole - idle : 0;

		sum += one;
		if (one < best)
			best = one;
	}
	printf("bench: %s %lu mean %lu\n", kind->name, (best + n / 2) / n,
	       (sum + ROUNDS * n / 2) / (ROUNDS * n));
}

int main(void)
{
	const char *only = option_string("only"), *skip = option_string("skip");
	uint64_t n = option_number("n", 2000);
	unsigned measured = 0;

	if (!n) {
		printf("bench: n must be at least 1\n");
		return VERDICT_ERROR;
	}
	trap_set_handler(VECTOR_SELF, on_self);
	if (!no_xsave()) {
		write_cr4(read_cr4() | CR4_OSXSAVE);
		xcr0 = xgetbv(0);
	}
	for (size_t i = 0; i < KINDS; i++) {
		const struct kind *kind = &kinds[i];

		if ((only && strcmp(only, kind->name) != 0) || (skip && !strcmp(skip, kind->name)))
			continue;
		measured++;
		if (kind->missing && kind->missing())
			printf("bench: %s skipped\n", kind->name);
		else
			measure(kind, n);
	}
	if (!measured) {
		printf("bench: only=%s is no kind of exit\n", only);
		return VERDICT_ERROR;
	}
	return VERDICT_SUCCESS;
}
