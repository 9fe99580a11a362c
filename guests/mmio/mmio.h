/*
 * mmio.h: the parts of guest mmio.
 */
#ifndef MMIO_H
#define MMIO_H

#include "guest.h"

#define UART_SCRATCH (PORT_UART + 7)
#define NO_PORT      0x1230 /* nothing is there: writes are lost, reads give all ones */

/* A register of 32 bits that keeps what is written: the initial count of a masked timer. */
#define APIC_WORD    ((void *)(uint64_t)(MMIO_LAPIC + APIC_TIMER_INITIAL))

/* forms.c, more_forms.c: the same instruction on the APIC's register and on memory does the same. */
void test_forms(void);
void test_more_forms(void);
void test_rare_forms(void); /* shifts and multiplications */

/* strings.c: MOVS, STOS, LODS, CMPS, SCAS on the APIC's register */
void test_string_forms(void);

/* console.c: a letter by each form; the line is to be "mmio: ABC…Zabc", and reads give 0 */
void test_console(void);

/* port_strings.c: INS and OUTS */
void test_port_strings(void);
void test_port_faults(void);

struct form {
	const char *name;
	void (*run)(void *memory, uint64_t registers[4]); /* RAX, RCX, RDX, RFLAGS */
	uint64_t undefined;                               /* flags that it leaves undefined */
};

/* Those of a table; with option form=NAME that one alone. */
void test_table(const struct form *forms, size_t count);

#define FLAG_CF 0x001
#define FLAG_PF 0x004
#define FLAG_AF 0x010
#define FLAG_ZF 0x040
#define FLAG_SF 0x080
#define FLAG_OF 0x800
#define FLAGS_STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* A function that runs one instruction on (RDI), with RSI = 8 as an index. */
#define DEFINE_FORM(id, text) \
	static void form_##id(void *memory, uint64_t registers[4]) \
	{ \
		uint64_t index = 8; \
		asm volatile("pushq %[flags]; popfq\n\t" text "\n\tpushfq; popq %[flags]" \
			     : "+a"(registers[0]), "+c"(registers[1]), "+d"(registers[2]), \
			       [flags] "+r"(registers[3]), "+D"(memory), "+S"(index) \
			     : : "memory", "cc", "r8", "r9", "r10"); \
	}

#endif
