/*
 * trap.c: the IDT and what becomes of exceptions and interrupts.
 *
 * Called by vectors.S. An exception that nobody asked for ends the guest as a failure: for a guest that
 * tests a hypervisor this is what a hypervisor's bug most often looks like.
 */
#include "entry.h"
#include "guest.h"

struct idt_gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "SDM: 64-Bit IDT Gate Descriptors");

#define GATE_INTERRUPT      0x8e
#define GATE_INTERRUPT_USER 0xee /* DPL 3: INT n in ring 3 may use it */
#define VECTOR_STUB_BYTES   16

struct fixup {
	uint64_t at, resume;
};

extern const uint8_t trap_vectors[];
extern const struct fixup fixups[], fixups_end[];

static struct idt_gate idt[256] __attribute__((aligned(16)));
static trap_handler *handlers[256];

static void gate_set(unsigned vector, uint8_t type)
{
	uint64_t entry = (uint64_t)trap_vectors + vector * VECTOR_STUB_BYTES;

	idt[vector] = (struct idt_gate){
		.offset_low = (uint16_t)entry,
		.selector = SEL_CODE64,
		.type = type,
		.offset_mid = (uint16_t)(entry >> 16),
		.offset_high = (uint32_t)(entry >> 32),
	};
}

void trap_init(void)
{
	struct descriptor_table table = { sizeof(idt) - 1, (uint64_t)idt };

	if (!idt[0].type) {
		for (unsigned v = 0; v < 256; v++)
			gate_set(v, v == VECTOR_USER_EXIT ? GATE_INTERRUPT_USER : GATE_INTERRUPT);
	}
	asm volatile("lidt %0" : : "m"(table));
}

void trap_set_handler(unsigned vector, trap_handler *handler)
{
	__atomic_store_n(&handlers[vector], handler, __ATOMIC_SEQ_CST);
}

uint32_t trap_count(unsigned vector)
{
	return *(volatile uint32_t *)&this_cpu()->interrupts[vector];
}

struct trap *trap_arm(void)
{
	struct trap *trap = &this_cpu()->trap;

	trap->vector = NO_TRAP;
	return trap;
}

const char *trap_name(int32_t vector)
{
	static const char *const names[] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "vector 9", "#TS", "#NP",
		"#SS", "#GP", "#PF", "vector 15", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
	};

	if (vector == NO_TRAP)
		return "no exception";
	return (size_t)vector < sizeof(names) / sizeof(names[0]) ? names[vector] : "vector";
}

static bool is_trap_class(uint64_t vector)
{
	return vector == VECTOR_DB || vector == VECTOR_BP || vector == VECTOR_OF;
}

/* True if the exception happened in a TRY(): its vCPU goes on behind the instruction. */
static bool fixup_apply(struct trap_frame *frame)
{
	for (const struct fixup *f = fixups; f < fixups_end; f++) {
		if (frame->rip != f->at && !(frame->rip == f->resume && is_trap_class(frame->vector)))
			continue;
		this_cpu()->trap = (struct trap){
			.vector = (int32_t)frame->vector,
			.error = (uint32_t)frame->error,
			.cr2 = frame->vector == VECTOR_PF ? read_cr2() : 0,
		};
		frame->rip = f->resume;
		frame->rflags &= ~FLAG_TF;
		return true;
	}
	return false;
}

static void __attribute__((noreturn)) trap_unexpected(struct trap_frame *f)
{
	console_break_lock();
	printf("unexpected %s (vector %lu, error %#lx) on vCPU %u at rip %#lx, cs %#lx, rflags %#lx\n",
	       trap_name((int32_t)f->vector), f->vector, f->error, this_cpu()->index, f->rip, f->cs,
	       f->rflags);
	printf("  rax %#lx rbx %#lx rcx %#lx rdx %#lx rsi %#lx rdi %#lx rsp %#lx\n",
	       f->rax, f->rbx, f->rcx, f->rdx, f->rsi, f->rdi, f->rsp);
	printf("  cr0 %#lx cr2 %#lx cr3 %#lx cr4 %#lx\n", read_cr0(), read_cr2(), read_cr3(), read_cr4());
	verdict(VERDICT_FAILURE);
}

void trap_dispatch(struct trap_frame *frame)
{
	trap_handler *handler = __atomic_load_n(&handlers[frame->vector], __ATOMIC_SEQ_CST);

	if (handler) {
		handler(frame);
		return;
	}
	if (frame->vector < 32) {
		if (!fixup_apply(frame))
			trap_unexpected(frame);
		return;
	}
	this_cpu()->interrupts[frame->vector]++;
	if (frame->vector != APIC_SPURIOUS_VECTOR)
		apic_eoi();
}
