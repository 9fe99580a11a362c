/*
 * memory.c: guest memory that the hypervisor reaches in the guest's name, by way of the guest's page tables
 * (SDM, "Accessed and Dirty Flags", "Determination of Access Rights", "Page-Fault Exceptions").
 */
#include "edge.h"

#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY    (1ull << 6)
#define PF_PRESENT   1
#define PF_WRITE     2
#define PF_RESERVED  8
#define CR4_SMAP     (1ull << 21)
#define FLAG_AC      (1ull << 18)

extern uint64_t window_pt[];

static uint8_t page_a[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t page_b[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static struct trap try_insb(void *to)
{
	return TRY("insb", OUT("+D"(to)), IN("d"(UART_SCRATCH)));
}

static struct trap try_outsb(const void *from)
{
	return TRY("outsb", OUT("+S"(from)), IN("d"(UART_SCRATCH)));
}

static uint64_t print_from(const void *text, uint64_t bytes)
{
	return (uint64_t)hypercall(HYPERCALL_PRINT, (uint64_t)text, bytes, 0, 0);
}

static void flags_of(const char *what, unsigned page, uint64_t expected)
{
	test_equal(what, window_pt[page] & (PTE_ACCESSED | PTE_DIRTY), expected);
}

static void test_accessed_and_dirty(void)
{
	void *page = page_map(0, (uint64_t)page_a, PAGE_PRESENT | PAGE_WRITABLE);

	flags_of("a new page", 0, 0);
	test_trap("OUTSB", try_outsb(page), NO_TRAP, 0);
	flags_of("a page that was read", 0, PTE_ACCESSED);
	test_trap("INSB", try_insb(page), NO_TRAP, 0);
	flags_of("a page that was written", 0, PTE_ACCESSED | PTE_DIRTY);
	page = page_map(0, (uint64_t)page_a, PAGE_PRESENT | PAGE_WRITABLE);
	test_equal("hypercall PRINT of nothing", print_from(page, 0), 0);
	flags_of("a page of which 0 bytes were printed", 0, 0);
}

static void test_rights(void)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();
	void *page = page_map(0, (uint64_t)page_a, PAGE_PRESENT);

	test_trap("INSB, read-only", try_insb(page), VECTOR_PF, PF_WRITE | PF_PRESENT);
	write_cr0(cr0 & ~CR0_WP);
	test_trap("INSB, read-only without CR0.WP", try_insb(page), NO_TRAP, 0);
	write_cr0(cr0);
	page = page_map(0, (uint64_t)page_a, PAGE_PRESENT | PAGE_WRITABLE | PAGE_RESERVED);
	test_trap("INSB, reserved bit", try_insb(page), VECTOR_PF, PF_RESERVED | PF_WRITE | PF_PRESENT);
	test_trap("OUTSB, reserved bit", try_outsb(page), VECTOR_PF, PF_RESERVED | PF_PRESENT);
	test_equal("hypercall PRINT, reserved bit", print_from(page, 1), (uint64_t)HYPERCALL_EFAULT);
	page = page_map(0, (uint64_t)page_a, PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER);
	if (cpuid(7, 0).ebx & 1u << 20) {
		write_cr4(cr4 | CR4_SMAP);
		test_trap("OUTSB, a user's page under SMAP", try_outsb(page), VECTOR_PF, PF_PRESENT);
		asm volatile("stac");
		test_trap("OUTSB, the same with AC", try_outsb(page), NO_TRAP, 0);
		asm volatile("clac");
		write_cr4(cr4);
	}
	page_map(0, 0, 0);
}

static uint64_t vmcall_in_user_mode(void)
{
	return (uint64_t)hypercall(HYPERCALL_NOP, 0, 0, 0, 0);
}

/* A line over two pages that aren't neighbours in memory, and the longest there can be */
static void test_print(void)
{
	static const char line[] = "edge: over a page's end\n";
	char *edge = (char *)page_map(0, (uint64_t)page_b, PAGE_PRESENT | PAGE_WRITABLE) + PAGE_SIZE - 8;

	page_map(1, (uint64_t)page_a, PAGE_PRESENT | PAGE_WRITABLE);
	memcpy(edge, line, sizeof(line) - 1);
	test_equal("hypercall PRINT over a page's end", print_from(edge, sizeof(line) - 1), sizeof(line) - 1);
	page_map(0, 0, 0);
	page_map(1, 0, 0);
	memset(page_a, ' ', sizeof(page_a));
	page_a[PAGE_SIZE - 1] = '\n';
	test_equal("hypercall PRINT of all that it takes", print_from(page_a, HYPERCALL_PRINT_MAX),
		   HYPERCALL_PRINT_MAX);
	test_equal("VMCALL in ring 3", user_run(vmcall_in_user_mode), (uint64_t)HYPERCALL_EPERM);
}

void test_memory(void)
{
	test_accessed_and_dirty();
	test_rights();
	test_print();
}
