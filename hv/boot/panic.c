/*
 * panic.c: every host fault and broken invariant becomes a report on the log and a verdict.
 *
 * Entered from vectors.S and from panic() anywhere outside the core. It must work on a broken machine: no
 * allocation, no state of others, and a fault inside it goes on with what is left to do.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "boot/log.h"
#include "boot/panic.h"
#include "boot/x86.h"
#include "lib/print.h"

extern const char image_start[], text_end[];	/* link.ld */
extern const char boot_stack_guard[], boot_stack_top[];

enum panic_stage { STAGE_FIRST, STAGE_REPORT, STAGE_FLUSH, STAGE_LAST };

static const struct panic_hooks *panic_hooks;
static enum panic_stage panic_stage;

void panic_set_hooks(const struct panic_hooks *hooks)
{
	panic_hooks = hooks;
}

/* SDM "Exception and Interrupt Reference". */
static const char *fault_name(uint64_t vector)
{
	static const char *const name[] = {
		"#DE divide error", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow", "#BR bound range",
		"#UD invalid opcode", "#NM device not available", "#DF double fault", "coprocessor segment overrun",
		"#TS invalid TSS", "#NP segment not present", "#SS stack fault", "#GP general protection",
		"#PF page fault", "reserved", "#MF x87 error", "#AC alignment check", "#MC machine check",
		"#XM SIMD error", "#VE virtualization", "#CP control protection",
	};

	return vector < sizeof(name) / sizeof(*name) ? name[vector] : "interrupt";
}

/*
 * The build has no frame pointers, so the callers are guessed: every word on the stack that points behind a
 * CALL in our text. Some are leftovers; `addr2line -e build/vexit.elf` names them.
 */
static bool follows_call(uint64_t address)
{
	const uint8_t *p = (const uint8_t *)address;

	if (address < (uint64_t)image_start + 8 || address >= (uint64_t)text_end)
		return false;
	return p[-5] == 0xe8 || p[-2] == 0xff || p[-3] == 0xff || p[-6] == 0xff;
}

static void print_callers(uint64_t rsp)
{
	unsigned shown = 0;

	if (rsp < (uint64_t)boot_stack_guard + 4096 || rsp >= (uint64_t)boot_stack_top)
		return;
	log_print("  callers, some may be stale:");
	for (rsp &= ~7ull; rsp < (uint64_t)boot_stack_top && shown < 16; rsp += 8) {
		const uint64_t *p = (const uint64_t *)rsp;

		if (follows_call(*p)) {
			log_print(" %#lx", *p);
			shown++;
		}
	}
	log_print("\n");
}

static void print_registers(const struct fault_frame *f)
{
	const struct {
		const char *name;
		uint64_t value;
	} line[] = {
		{ "rax", f->rax }, { "rbx", f->rbx }, { "rcx", f->rcx }, { "rdx", f->rdx },
		{ "rsi", f->rsi }, { "rdi", f->rdi }, { "rbp", f->rbp }, { "rsp", f->rsp },
		{ "r8", f->r8 }, { "r9", f->r9 }, { "r10", f->r10 }, { "r11", f->r11 },
		{ "r12", f->r12 }, { "r13", f->r13 }, { "r14", f->r14 }, { "r15", f->r15 },
		{ "rip", f->rip }, { "flg", f->rflags }, { "cs", f->cs }, { "ss", f->ss },
		{ "cr0", x86_cr0_read() }, { "cr2", x86_cr2_read() }, { "cr3", x86_cr3_read() },
		{ "cr4", x86_cr4_read() },
	};

	for (unsigned i = 0; i < sizeof(line) / sizeof(*line); i++)
		log_print("  %-3s %016lx%s", line[i].name, line[i].value, i % 4 == 3 ? "\n" : "");
}

/* Runs the stages that have not been begun; a fault in one comes back here for the next. */
static noreturn void panic_finish(void)
{
	while (panic_stage < STAGE_LAST) {
		enum panic_stage stage = ++panic_stage;

		if (!panic_hooks)
			break;
		if (stage == STAGE_REPORT && panic_hooks->report)
			panic_hooks->report();
		if (stage == STAGE_FLUSH && panic_hooks->flush)
			panic_hooks->flush();
	}
	log_verdict("panic", 0);
}

void panic(const char *format, ...)
{
	char text[256];
	va_list args;
	bool again = panic_stage != STAGE_FIRST;

	va_start(args, format);
	print_vformat(text, sizeof(text), format, args);
	va_end(args);
	log_print("\nvexit: panic%s: %s\n", again ? " within a panic" : "", text);
	if (!again)
		print_callers((uint64_t)__builtin_frame_address(0));
	panic_finish();
}

/* SDM "Interrupt 14—Page-Fault Exception (#PF)", error code. */
static void print_page_fault(uint64_t error)
{
	log_print("  %s of %#lx: %s%s\n", error & 16 ? "fetch" : error & 2 ? "write" : "read",
		  x86_cr2_read(), error & 1 ? "protection" : "not present",
		  error & 8 ? ", reserved bit" : "");
}

void panic_fault(const struct fault_frame *frame)
{
	bool again = panic_stage != STAGE_FIRST;

	log_print("\nvexit: panic%s: host %s (vector %lu), error code %#lx, at %#lx\n",
		  again ? " within a panic" : "", fault_name(frame->vector), frame->vector,
		  frame->error, frame->rip);
	if (frame->vector == 14)
		print_page_fault(frame->error);
	if (!again) {
		print_registers(frame);
		print_callers(frame->rsp);
	}
	panic_finish();
}
