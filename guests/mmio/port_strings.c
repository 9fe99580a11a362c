/*
 * port_strings.c: INS and OUTS: sizes, directions, counts, address sizes, segments, page ends, faults.
 * (SDM, "INS/INSB/INSW/INSD", "OUTS/OUTSB/OUTSW/OUTSD")
 */
#include "mmio.h"

#define PF_WRITE   2
#define PF_PRESENT 1
#define NON_CANONICAL (1ull << 63)

static uint8_t page_a[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t page_b[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

#define STRING_IO(insn, address, count, port) \
	asm volatile(insn : "+S"(address), "+c"(count) : "d"(port) : "memory")
#define STRING_IN(insn, address, count, port) \
	asm volatile(insn : "+D"(address), "+c"(count) : "d"(port) : "memory")

static void test_outs(void)
{
	static const uint8_t bytes[4] = { 0x11, 0x22, 0x33, 0x44 };
	uint64_t at = (uint64_t)bytes, count = 77;

	STRING_IO("outsb", at, count, UART_SCRATCH);
	test_equal("OUTSB", inb(UART_SCRATCH), 0x11);
	test_equal("RSI after it", at, (uint64_t)&bytes[1]);
	test_equal("RCX after it", count, 77);
	count = 3;
	STRING_IO("rep outsb", at, count, UART_SCRATCH);
	test_equal("REP OUTSB", inb(UART_SCRATCH), 0x44);
	test_equal("RSI after it", at, (uint64_t)&bytes[4]);
	test_equal("RCX after it", count, 0);
	STRING_IO("rep outsb", at, count, UART_SCRATCH);
	test_equal("RSI after REP OUTSB with RCX = 0", at, (uint64_t)&bytes[4]);
	at = (uint64_t)&bytes[3];
	count = 3;
	STRING_IO("std; rep outsb; cld", at, count, UART_SCRATCH);
	test_equal("REP OUTSB, DF set", inb(UART_SCRATCH), 0x22);
	test_equal("RSI after it", at, (uint64_t)&bytes[0]);
	/* With addresses of 32 bits, upper halves of RSI and RCX count for nothing and end up as 0. */
	at = 0xabcdef0000000000 | (uint64_t)bytes;
	count = 0x5555555500000002;
	STRING_IO("addr32 rep outsb", at, count, UART_SCRATCH);
	test_equal("REP OUTSB with 32-bit addresses", inb(UART_SCRATCH), 0x22);
	test_equal("RSI after it", at, (uint64_t)&bytes[2]);
	test_equal("RCX after it", (uint32_t)count, 0);
	wrmsr(0xc0000100, (uint64_t)bytes);
	at = 2;
	STRING_IO("fs outsb", at, count, UART_SCRATCH);
	test_equal("OUTSB from FS", inb(UART_SCRATCH), 0x33);
	wrmsr(0xc0000100, 0);
}

static void test_wide(void)
{
	static const uint32_t words[2] = { 0x55001122, 0xaa003344 };
	static uint32_t got[4];
	uint64_t at = (uint64_t)words, count = 2;

	STRING_IO("rep outsw", at, count, NO_PORT);
	test_equal("RSI after REP OUTSW", at, (uint64_t)&words[1]);
	at = (uint64_t)words;
	count = 2;
	STRING_IO("rep outsl", at, count, NO_PORT);
	test_equal("RSI after REP OUTSD", at, (uint64_t)&words[2]);
	at = (uint64_t)&got[1];
	STRING_IN("insw", at, count, NO_PORT);
	test_equal("INSW of nothing", got[1], 0xffff);
	test_equal("RDI after it", at, (uint64_t)got + 6);
	at = (uint64_t)&got[1];
	count = 2;
	STRING_IN("rep insl", at, count, NO_PORT);
	test_equal("REP INSD of nothing", got[1] & got[2], 0xffffffff);
	test_equal("what lies around", got[0] | got[3], 0);
	test_equal("RDI after it", at, (uint64_t)&got[3]);
}

/* Eight bits wide, the UART takes a doubleword as four ports: scratch is the last. (Bochs' own doesn't.) */
static void test_four_ports(void)
{
	static const uint32_t out = 0x55001122;
	static uint32_t in;
	uint64_t at = (uint64_t)&out, count = 0;

	STRING_IO("outsl", at, count, UART_SCRATCH - 3);
	test_equal("OUTSD over four ports", inb(UART_SCRATCH), 0x55);
	outb(PORT_UART + 4, 0x03); /* MCR again as the library had it */
	at = (uint64_t)&in;
	STRING_IN("insl", at, count, UART_SCRATCH - 3);
	test_equal("INSD over four ports", in >> 24, 0x55);
}

static void test_ins(void)
{
	static uint8_t bytes[4];
	uint64_t at = (uint64_t)&bytes[1], count = 2;

	outb(UART_SCRATCH, 0x5a);
	STRING_IN("rep insb", at, count, UART_SCRATCH);
	test_equal("REP INSB", bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24, 0x5a5a00);
	test_equal("RDI after it", at, (uint64_t)&bytes[3]);
	test_equal("RCX after it", count, 0);
	STRING_IN("std; insb; cld", at, count, UART_SCRATCH);
	test_equal("INSB, DF set", bytes[3], 0x5a);
	test_equal("RDI after it", at, (uint64_t)&bytes[2]);
}

/* Two pages that neighbour in linear addresses and not in memory */
static void test_page_ends(void)
{
	uint8_t *window = page_map(0, (uint64_t)page_b, PAGE_PRESENT | PAGE_WRITABLE);
	uint8_t *edge = window + PAGE_SIZE - 2;
	uint64_t at, count;

	page_map(1, (uint64_t)page_a, PAGE_PRESENT | PAGE_WRITABLE);
	memcpy(edge, "\x01\x02\x03\x04", 4);
	at = (uint64_t)edge;
	count = 4;
	STRING_IO("rep outsb", at, count, UART_SCRATCH);
	test_equal("REP OUTSB over a page's end", inb(UART_SCRATCH), 4);
	at = (uint64_t)edge + 3;
	count = 4;
	STRING_IO("std; rep outsb; cld", at, count, UART_SCRATCH);
	test_equal("the same downwards", inb(UART_SCRATCH), 1);
	at = (uint64_t)edge;
	count = 4;
	STRING_IN("rep insb", at, count, UART_SCRATCH);
	test_equal("REP INSB over a page's end, before", page_b[PAGE_SIZE - 2] & page_b[PAGE_SIZE - 1], 1);
	test_equal("REP INSB over a page's end, behind", page_a[0] & page_a[1], 1);
	at = (uint64_t)edge - 1;
	STRING_IN("insl", at, count, NO_PORT);
	test_equal("INSD over a page's end", page_b[PAGE_SIZE - 3] & page_b[PAGE_SIZE - 1] & page_a[0], 0xff);
	test_equal("and not further", page_a[1], 1);
	/* More than a hypervisor does at once */
	at = (uint64_t)page_a;
	count = PAGE_SIZE;
	memset(page_a, 0x77, PAGE_SIZE);
	STRING_IO("rep outsb", at, count, UART_SCRATCH);
	test_equal("RCX after REP OUTSB of a page", count, 0);
	test_equal("its last byte", inb(UART_SCRATCH), 0x77);
	at = (uint64_t)page_b;
	count = PAGE_SIZE;
	STRING_IN("rep insb", at, count, UART_SCRATCH);
	test_equal("REP INSB of a page", memcmp(page_a, page_b, PAGE_SIZE) != 0, 0);
	page_map(0, 0, 0);
	page_map(1, 0, 0);
}

void test_port_strings(void)
{
	test_outs();
	test_wide();
	if (under_vexit)
		test_four_ports();
	test_ins();
	test_page_ends();
}

static void expect_fault(const char *what, struct trap t, uint32_t error, uint64_t address)
{
	test_trap(what, t, VECTOR_PF, error);
	test_equal(what, t.cr2, address);
}

/* The hypervisor reads and writes the string in the guest's name: the guest's faults must come out of it. */
void test_port_faults(void)
{
	uint8_t *window = page_map(0, (uint64_t)page_a, PAGE_PRESENT | PAGE_WRITABLE);
	uint64_t gap = (uint64_t)page_window(1), at = gap, count = 1;
	struct trap t;

	t = TRY("outsb", OUT("+S"(at)), IN("d"(UART_SCRATCH)));
	expect_fault("OUTSB, not mapped", t, 0, gap);
	test_equal("RSI after the fault", at, gap);
	t = TRY("insb", OUT("+D"(at)), IN("d"(UART_SCRATCH)));
	expect_fault("INSB, not mapped", t, PF_WRITE, gap);
	page_map(2, (uint64_t)page_b, PAGE_PRESENT);
	at = (uint64_t)page_window(2);
	t = TRY("insb", OUT("+D"(at)), IN("d"(UART_SCRATCH)));
	expect_fault("INSB, read-only", t, PF_WRITE | PF_PRESENT, (uint64_t)page_window(2));
	at = NON_CANONICAL;
	test_trap("OUTSB, not canonical", TRY("outsb", OUT("+S"(at)), IN("d"(UART_SCRATCH))), VECTOR_GP, 0);
	at = NON_CANONICAL;
	test_trap("INSB, not canonical", TRY("insb", OUT("+D"(at)), IN("d"(UART_SCRATCH))), VECTOR_GP, 0);

	/* REP: what went well before the fault is done, and the registers say so. */
	memset(window, 0x42, PAGE_SIZE);
	at = gap - 3;
	count = 10;
	t = TRY("rep outsb", OUT("+S"(at), "+c"(count)), IN("d"(UART_SCRATCH)));
	expect_fault("REP OUTSB into what isn't mapped", t, 0, gap);
	test_equal("RSI after the fault", at, gap);
	test_equal("RCX after the fault", count, 7);
	test_equal("the bytes before it", inb(UART_SCRATCH), 0x42);
	outb(UART_SCRATCH, 0x24);
	at = gap - 2;
	count = 5;
	t = TRY("rep insb", OUT("+D"(at), "+c"(count)), IN("d"(UART_SCRATCH)));
	expect_fault("REP INSB into what isn't mapped", t, PF_WRITE, gap);
	test_equal("RDI after the fault", at, gap);
	test_equal("RCX after the fault", count, 3);
	test_equal("the bytes before it", page_a[PAGE_SIZE - 2] & page_a[PAGE_SIZE - 1], 0x24);
	/* One item over the end: nothing of it is done. */
	at = gap - 2;
	t = TRY("outsl", OUT("+S"(at)), IN("d"(NO_PORT)));
	expect_fault("OUTSD over the end", t, 0, gap);
	test_equal("RSI after the fault", at, gap - 2);
	page_map(0, 0, 0);
	page_map(2, 0, 0);
}
