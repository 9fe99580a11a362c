/*
 * report.c: what is told of a vCPU when its VM can't go on: an exit without handler, a refused entry, a
 * panic.
 *
 * Called by vmx_main() at the end, and by the panic path through hooks; there it must not touch the VMCS,
 * whose slots are in vcpu->vmcs[] anyway.
 */
#include <stddef.h>

#include "boot/log.h"
#include "boot/panic.h"
#include "boot/serial.h"
#include "boot/x86.h"
#include "vmx/report.h"
#include "vmx/vmx.h"

static struct vmx *panicked;	/* for the hooks, which get nothing */

const char *report_reason(uint64_t reason)
{
	static const char *const names[] = {
#define EXIT(number, name, handler, lock) [number] = #name,
#include "include/exits.def"
#undef EXIT
	};
	uint64_t basic = reason & EXIT_REASON_BASIC;

	return basic < sizeof(names) / sizeof(*names) && names[basic] ? names[basic] : "?";
}

const char *report_instruction_error(uint64_t number)
{
	static const char *const texts[] = {
		[0] = "none", [1] = "VMCALL executed in VMX root operation",
		[2] = "VMCLEAR with invalid physical address", [3] = "VMCLEAR with VMXON pointer",
		[4] = "VMLAUNCH with non-clear VMCS", [5] = "VMRESUME with non-launched VMCS",
		[6] = "VMRESUME after VMXOFF", [7] = "VM entry with invalid control field(s)",
		[8] = "VM entry with invalid host-state field(s)", [9] = "VMPTRLD with invalid physical address",
		[10] = "VMPTRLD with VMXON pointer", [11] = "VMPTRLD with incorrect VMCS revision identifier",
		[12] = "VMREAD/VMWRITE from/to unsupported VMCS component",
		[13] = "VMWRITE to read-only VMCS component", [15] = "VMXON executed in VMX root operation",
		[26] = "VM entry with events blocked by MOV SS", [28] = "invalid operand to INVEPT/INVVPID",
	};

	return number < sizeof(texts) / sizeof(*texts) && texts[number] ? texts[number] : "unknown";
}

static void print_history(const struct exit_history *h)
{
	uint64_t first = h->count > EXIT_HISTORY ? h->count - EXIT_HISTORY : 0;

	log_print("  last exits, oldest first:\n");
	for (uint64_t n = first; n < h->count; n++) {
		const struct exit_memory *m = &h->exit[n & (EXIT_HISTORY - 1)];

		log_print("    exit %lu: vCPU %u, TSC %lu, at %#lx, %s\n", n, m->v->index,
			  m->tsc, m->rip, report_reason(m->reason));
	}
}

static void print_registers(const struct vcpu *v)
{
	static const char *const names[GPR_COUNT] = {
		"rax", "rcx", "rdx", "rbx", "", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		"cr2",
	};

	for (unsigned reg = 0, shown = 0; reg < GPR_COUNT; reg++)
		if (reg != GPR_RSP)
			log_print("  %-3s %016lx%s", names[reg], v->gpr[reg],
				  ++shown % 4 == 0 ? "\n" : "");
}

/* The fields that an entry's checks and a handler's bugs are mostly about. */
static void print_fields(const struct vmx *x, const struct vcpu *v)
{
	unsigned shown = 0;

	for (enum vmcs_slot slot = 0; slot < VMCS_SLOTS; slot++) {
		if (!slot_test(x->supported, slot) || vmcs_fields[slot].change == VMCS_CHANGE_HOST || !v->vmcs[slot])
			continue;
		log_print("  %-28s %-18lx%s", vmcs_fields[slot].name, v->vmcs[slot],
			  ++shown % 2 == 0 ? "\n" : "");
	}
	if (shown % 2)
		log_print("\n");
}

void report_vcpu(struct vmx *x, struct vmx_cpu *c)
{
	const struct vcpu *v = c->v;
	uint64_t reason = v->vmcs[VMCS_EXIT_REASON];

	log_print("vexit: vCPU %u, exit reason %lu %s%s, qualification %#lx, at %#lx\n", v->index,
		  (reason & EXIT_REASON_BASIC), report_reason(reason),
		  reason & EXIT_REASON_ENTRY_FAILURE ? " (VM-entry failure)" : "",
		  v->vmcs[VMCS_EXIT_QUALIFICATION], v->vmcs[VMCS_GUEST_RIP]);
	print_registers(v);
	log_print("  VMCS (fields that aren't 0%s):\n",
		  x->tracer.level == TRACE_FULL ? "" : "; those that nobody asked for are of earlier exits");
	print_fields(x, v);
	print_history(&x->history);
}

/*
 * Where the time of the run went, as the recorder reads it: NAME=CYCLES. Wire and console are the polling
 * of their UARTs; `last_` is what the last frame took, after the run's end. What is in none of these is the
 * hypervisor's.
 */
static void report_time(const struct vmx *x)
{
	const struct tracer *t = &x->tracer;

	log_print("vexit: time total=%lu idle=%lu console=%lu", x86_rdtsc() - x->time.start, x->time.idle,
		  serial_console.cycles);
	if (t->level == TRACE_OFF)
		log_print(" guest=%lu", x->time.guest);
	else
		log_print(" zstd=%lu wire=%lu last_zstd=%lu last_wire=%lu", t->zstd_cycles, serial_trace.cycles,
			  t->zstd_cycles - t->zstd_before, serial_trace.cycles - t->wire_before);
	log_print("\n");
}

void report_totals(const struct vmx *x)
{
	log_print("vexit: %lu exits", x->history.count);
	for (unsigned reason = 0; reason < CLOSING_REASONS; reason++)
		if (x->tracer.encoder.reasons[reason])
			log_print(", %s %lu", report_reason(reason),
				  x->tracer.encoder.reasons[reason]);
	log_print("\n");
	report_time(x);
	/* For the recorder. What is still in the UART the guest has not seen. */
	if (x->input_taken > x->vm.uart.rx_count)
		log_print("vexit: input %lu\n", x->input_taken - x->vm.uart.rx_count);
}

static void panic_report(void)
{
	if (panicked->running)
		report_vcpu(panicked, panicked->running);
}

static void panic_flush(void)
{
	tracer_panic(panicked);
}

void report_init(struct vmx *x)
{
	static const struct panic_hooks hooks = { .report = panic_report, .flush = panic_flush };

	panicked = x;
	panic_set_hooks(&hooks);
}
