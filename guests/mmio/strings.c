/*
 * strings.c: string instructions between memory and a device register, with and without REP, both directions.
 */
#include "mmio.h"

#define VALUE 0x89abcdef

static void test_stos(void)
{
	uint64_t to = (uint64_t)APIC_WORD, count = 1;

	asm volatile("stosl" : "+D"(to) : "a"(VALUE) : "memory");
	test_equal("STOSD", apic_read(APIC_TIMER_INITIAL), VALUE);
	test_equal("RDI after STOSD", to, (uint64_t)APIC_WORD + 4);
	to = (uint64_t)APIC_WORD;
	asm volatile("std; rep stosl; cld" : "+D"(to), "+c"(count) : "a"(0x1234) : "memory");
	test_equal("REP STOSD, DF set", apic_read(APIC_TIMER_INITIAL), 0x1234);
	test_equal("RDI after it", to, (uint64_t)APIC_WORD - 4);
	test_equal("RCX after it", count, 0);
	count = 0;
	asm volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(0x5678) : "memory");
	test_equal("REP STOSD with RCX = 0", to, (uint64_t)APIC_WORD - 4);
	if (!under_vexit) /* Bochs dies of writes between the registers; the SDM leaves them undefined */
		return;
	/* 0x380 is kept, 0x384 to 0x38c do nothing, 0x390 (current count) is read-only */
	to = (uint64_t)APIC_WORD;
	count = 5;
	asm volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(0x9876) : "memory");
	test_equal("REP STOSD over several registers", apic_read(APIC_TIMER_INITIAL), 0x9876);
	test_equal("RDI after them", to, (uint64_t)APIC_WORD + 20);
	test_equal("RCX after them", count, 0);
}

static void test_movs(void)
{
	static uint32_t words[4];
	uint64_t from = (uint64_t)&words[0], to = (uint64_t)APIC_WORD, count = 1;

	words[0] = VALUE;
	asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
	test_equal("MOVSD to the device", apic_read(APIC_TIMER_INITIAL), VALUE);
	test_equal("RSI after it", from, (uint64_t)&words[1]);
	test_equal("RDI after it", to, (uint64_t)APIC_WORD + 4);
	from = (uint64_t)APIC_WORD;
	to = (uint64_t)&words[2];
	asm volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	test_equal("REP MOVSD from the device", words[2], VALUE);
	test_equal("the word behind", words[3], 0);
	test_equal("RCX after it", count, 0);
	/* device to device: the LVT (masked) gets a vector from the initial count */
	apic_write(APIC_TIMER_INITIAL, APIC_LVT_MASKED | 0x99);
	from = (uint64_t)APIC_WORD;
	to = MMIO_LAPIC + APIC_LVT_TIMER;
	asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
	test_equal("MOVSD from device to device", apic_read(APIC_LVT_TIMER), APIC_LVT_MASKED | 0x99);
	from = (uint64_t)APIC_WORD;
	to = (uint64_t)&words[1];
	asm volatile("addr32 movsl" : "+S"(from), "+D"(to) : : "memory");
	test_equal("MOVSD with 32-bit addresses", words[1], APIC_LVT_MASKED | 0x99);
	from = (uint64_t)APIC_WORD;
	to = (uint64_t)&words[3];
	asm volatile("std; movsb; cld" : "+S"(from), "+D"(to) : : "memory");
	test_equal("MOVSB from the device, DF set", words[3], 0x99);
	test_equal("RSI after it", from, (uint64_t)APIC_WORD - 1);
}

static void test_lods_and_compares(void)
{
	static uint32_t words[2] = { VALUE, VALUE + 1 };
	uint64_t from = (uint64_t)APIC_WORD, to, a = ~0ull, flags;

	apic_write(APIC_TIMER_INITIAL, VALUE);
	asm volatile("lodsl" : "+S"(from), "+a"(a) : : "memory");
	test_equal("LODSD", a, VALUE);
	test_equal("RSI after it", from, (uint64_t)APIC_WORD + 4);
	to = (uint64_t)APIC_WORD;
	asm volatile("scasl; pushfq; popq %0" : "=r"(flags), "+D"(to) : "a"(VALUE) : "memory", "cc");
	test_equal("ZF after SCASD of the same", flags & FLAG_ZF, FLAG_ZF);
	from = (uint64_t)&words[1];
	to = (uint64_t)APIC_WORD;
	asm volatile("cmpsl; pushfq; popq %0" : "=r"(flags), "+S"(from), "+D"(to) : : "memory", "cc");
	test_equal("ZF and CF after CMPSD with less", flags & (FLAG_ZF | FLAG_CF), 0);
	from = (uint64_t)APIC_WORD;
	to = (uint64_t)&words[1];
	asm volatile("cmpsl; pushfq; popq %0" : "=r"(flags), "+S"(from), "+D"(to) : : "memory", "cc");
	test_equal("ZF and CF after CMPSD with more", flags & (FLAG_ZF | FLAG_CF), FLAG_CF);
}

void test_string_forms(void)
{
	test_stos();
	test_movs();
	test_lods_and_compares();
	apic_timer_stop();
}
