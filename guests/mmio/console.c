/*
 * console.c: one letter by each form on the MMIO console. Whoever watches must read
 *
 *     mmio: ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef
 *
 * Only the byte at offset 0 is printed, whatever the size of the write.
 */
#include "mmio.h"

static void test_moves(void)
{
	void *console = (void *)MMIO_CONSOLE;

	asm volatile("movb $'A', %%al; movb %%al, (%0)" : : "D"(console) : "rax", "memory");
	asm volatile("movb $'B', (%0)" : : "D"(console) : "memory");
	asm volatile("movw %%ax, (%0)" : : "D"(console), "a"('C') : "memory");
	asm volatile("movw $'D', (%0)" : : "D"(console) : "memory");
	asm volatile("movl %%eax, (%0)" : : "D"(console), "a"('E') : "memory");
	asm volatile("movl $'F', (%0)" : : "D"(console) : "memory");
	asm volatile("movq %%rax, (%0)" : : "D"(console), "a"(0x3131313131313100 | 'G') : "memory");
	asm volatile("movq $'H', (%0)" : : "D"(console) : "memory");
	asm volatile("movb %%ah, (%0)" : : "D"(console), "a"('I' << 8) : "memory");
	asm volatile("movl $'J', %%r9d; movb %%r9b, (%0)" : : "D"(console) : "r9", "memory");
	asm volatile("movb %%sil, (%0)" : : "D"(console), "S"('K') : "memory");
	asm volatile("movabsb %%al, 0xd0000000" : : "a"('L') : "memory");
	asm volatile("movabsl %%eax, 0xd0000000" : : "a"('M') : "memory");
}

static void test_strings(void)
{
	static const char bytes[] = "Q12";
	static const uint64_t word = 'T';
	uint64_t to = MMIO_CONSOLE, from, count = 2;

	asm volatile("stosb" : "+D"(to) : "a"('N') : "memory");
	test_equal("RDI after STOSB", to, MMIO_CONSOLE + 1);
	/* offsets 1 and 0 */
	asm volatile("std; rep stosb; cld" : "+D"(to), "+c"(count) : "a"('O') : "memory");
	test_equal("RDI after REP STOSB, DF set", to, MMIO_CONSOLE - 1);
	to = MMIO_CONSOLE;
	from = (uint64_t)"P";
	asm volatile("movsb" : "+S"(from), "+D"(to) : : "memory");
	to = MMIO_CONSOLE + 2;
	from = (uint64_t)&bytes[2];
	count = 3;
	/* the Q comes last */
	asm volatile("std; rep movsb; cld" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	test_equal("RSI after REP MOVSB, DF set", from, (uint64_t)bytes - 1);
	to = MMIO_CONSOLE;
	asm volatile("stosl" : "+D"(to) : "a"('R') : "memory");
	to = MMIO_CONSOLE;
	asm volatile("stosq" : "+D"(to) : "a"((uint64_t)'S') : "memory");
	test_equal("RDI after STOSQ", to, MMIO_CONSOLE + 8);
	to = MMIO_CONSOLE;
	from = (uint64_t)&word;
	asm volatile("movsq" : "+S"(from), "+D"(to) : : "memory");
	test_equal("RSI after MOVSQ", from, (uint64_t)(&word + 1));
}

static void test_read_modify_write(void)
{
	void *console = (void *)MMIO_CONSOLE;
	uint64_t a = 'U';

	asm volatile("orb %%al, (%1)" : : "a"(a), "D"(console) : "memory", "cc"); /* reads give 0 */
	asm volatile("addb $'V', (%0)" : : "D"(console) : "memory", "cc");
	asm volatile("xorb $'W', (%0)" : : "D"(console) : "memory", "cc");
	asm volatile("andb $0x7f, 4(%0)" : : "D"(console) : "memory", "cc"); /* unseen: it is NUL */
	a = 'X';
	asm volatile("xchgb %%al, (%1)" : "+a"(a) : "D"(console) : "memory");
	test_equal("AL after XCHG with the console", a, 0);
}

static void test_addressing(void)
{
	void *console = (void *)MMIO_CONSOLE;
	uint32_t *far_away = page_map(0, MMIO_CONSOLE, PAGE_PRESENT | PAGE_WRITABLE | PAGE_UNCACHED);

	asm volatile("movb %%al, (%k0)" : : "D"(console), "a"('Y') : "memory");
	asm volatile("movb %%al, 0x10000(%0, %1, 4)" : : "D"(console), "S"(-0x4000l), "a"('Z') : "memory");
	*(volatile char *)far_away = 'a'; /* another linear address */
	wrmsr(MSR_IA32_GS_BASE, MMIO_CONSOLE);
	asm volatile("movb %%al, %%gs:0" : : "a"('b') : "memory");
	wrmsr(MSR_IA32_GS_BASE, 0);
	asm volatile("movnti %%eax, (%0)" : : "D"(console), "a"('c') : "memory");
	asm volatile("lock orb %%al, (%0)" : : "D"(console), "a"('d') : "memory", "cc");
	page_map(0, 0, 0);
}

static void test_reads(void)
{
	uint64_t a = ~0ull, from = MMIO_CONSOLE;

	asm volatile("movb (%1), %%al" : "+a"(a) : "D"(MMIO_CONSOLE) : "memory");
	test_equal("a byte read from the console", a, ~0xffull);
	a = ~0ull;
	asm volatile("movw (%1), %%ax" : "+a"(a) : "D"(MMIO_CONSOLE) : "memory");
	test_equal("a word read", a, ~0xffffull);
	a = ~0ull;
	asm volatile("movl (%1), %%eax" : "+a"(a) : "D"(MMIO_CONSOLE) : "memory");
	test_equal("a doubleword read", a, 0);
	a = ~0ull;
	asm volatile("movq 0xff8(%1), %%rax" : "+a"(a) : "D"(MMIO_CONSOLE) : "memory");
	test_equal("a quadword read", a, 0);
	a = ~0ull;
	asm volatile("movzbl (%1), %%eax" : "+a"(a) : "D"(MMIO_CONSOLE) : "memory");
	test_equal("MOVZX", a, 0);
	a = ~0ull;
	asm volatile("lodsq" : "+a"(a), "+S"(from) : : "memory");
	test_equal("LODSQ", a, 0);
}

/* A doubleword over the end of a page: three bytes to memory, the fourth to the console, and as read. */
static void test_split(void)
{
	static uint8_t memory[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
	uint8_t *pages = page_map(0, (uint64_t)memory, PAGE_PRESENT | PAGE_WRITABLE);
	uint8_t *edge = pages + PAGE_SIZE - 3;
	uint32_t value = ~0u;

	page_map(1, MMIO_CONSOLE, PAGE_PRESENT | PAGE_WRITABLE | PAGE_UNCACHED);
	asm volatile("movl %%eax, (%0)" : : "D"(edge), "a"('e' << 24 | 0x332211) : "memory");
	test_equal("memory before the console", memory[PAGE_SIZE - 3] | memory[PAGE_SIZE - 2] << 8 |
		   memory[PAGE_SIZE - 1] << 16, 0x332211);
	asm volatile("movl (%1), %%eax" : "+a"(value) : "D"(edge) : "memory");
	test_equal("read over the end of memory", value, 0x332211);
	page_map(0, 0, 0);
	page_map(1, 0, 0);
}

void test_console(void)
{
	static const char head[] = "mmio: ";

	for (const char *p = head; *p; p++)
		*(volatile char *)MMIO_CONSOLE = *p;
	test_moves();
	test_strings();
	test_read_modify_write();
	test_addressing();
	test_split();
	*(volatile char *)MMIO_CONSOLE = 'f';
	*(volatile char *)MMIO_CONSOLE = '\n';
	test_reads();
}
