/*
 * rows.c: one exit as a row of the table `exits`. Called by import.c.
 */
#include <Zydis/Zydis.h>
#include <string.h>

#include "analyzer/rows.h"
#include "dev/mmio.h"
#include "dev/ports.h"
#include "exit/exit.h"

static void set(struct exit_row *row, enum exit_column column, uint64_t value)
{
	row->value[column] = value;
	row->nulls &= ~(UINT64_C(1) << column);
}

/*
 * A VMCS field as the handler got it; NULL where the trace doesn't have it (level `touched`, or no such
 * field).
 */
static void set_slot(struct exit_row *row, enum exit_column column, const struct vcpu *v, enum vmcs_slot slot)
{
	if (slot_test(v->loaded, slot))
		set(row, column, v->vmcs[slot]);
}

/* SDM, "Modes of Operation": by CR0.PE, RFLAGS.VM, EFER.LMA and CS.L. */
static const char *processor_mode(const struct vcpu *v)
{
	uint64_t rights = v->vmcs[VMCS_GUEST_CS_ACCESS_RIGHTS];

	if (!slot_test(v->loaded, VMCS_GUEST_CR0) || !slot_test(v->loaded, VMCS_GUEST_RFLAGS) ||
	    !slot_test(v->loaded, VMCS_GUEST_EFER) || !slot_test(v->loaded, VMCS_GUEST_CS_ACCESS_RIGHTS))
		return NULL;
	if (!(v->vmcs[VMCS_GUEST_CR0] & 1))
		return "real";
	if (v->vmcs[VMCS_GUEST_EFER] & 1u << 10)
		return rights & AR_LONG ? "long" : "compat";
	return v->vmcs[VMCS_GUEST_RFLAGS] & 1u << 17 ? "vm86" : "protected";
}

static void fill_fields(struct exit_row *row, const struct vcpu *v)
{
	static const struct {
		uint8_t column, slot;
	} fields[] = {
		{ EXIT_qualification, VMCS_EXIT_QUALIFICATION },
		{ EXIT_instr_len, VMCS_EXIT_INSTRUCTION_LEN },
		{ EXIT_instr_info, VMCS_EXIT_INSTRUCTION_INFO }, { EXIT_intr_info, VMCS_EXIT_INTR_INFO },
		{ EXIT_intr_error, VMCS_EXIT_INTR_ERROR_CODE }, { EXIT_idt_info, VMCS_IDT_VECTORING_INFO },
		{ EXIT_idt_error, VMCS_IDT_VECTORING_ERROR_CODE }, { EXIT_gpa, VMCS_GUEST_PHYSICAL_ADDR },
		{ EXIT_gla, VMCS_GUEST_LINEAR_ADDR }, { EXIT_rip, VMCS_GUEST_RIP },
		{ EXIT_rsp, VMCS_GUEST_RSP }, { EXIT_rflags, VMCS_GUEST_RFLAGS },
		{ EXIT_cr0, VMCS_GUEST_CR0 }, { EXIT_cr3, VMCS_GUEST_CR3 }, { EXIT_cr4, VMCS_GUEST_CR4 },
		{ EXIT_efer, VMCS_GUEST_EFER }, { EXIT_cs, VMCS_GUEST_CS_SELECTOR },
		{ EXIT_interruptibility, VMCS_GUEST_INTERRUPTIBILITY },
		{ EXIT_activity, VMCS_GUEST_ACTIVITY_STATE },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		set_slot(row, fields[i].column, v, fields[i].slot);
	if (slot_test(v->loaded, VMCS_EXIT_REASON)) {
		set(row, EXIT_reason, v->vmcs[VMCS_EXIT_REASON] & EXIT_REASON_BASIC);
		set(row, EXIT_entry_failure, v->vmcs[VMCS_EXIT_REASON] >> 31 & 1);
	}
	if (slot_test(v->loaded, VMCS_GUEST_SS_ACCESS_RIGHTS))
		set(row, EXIT_cpl, (v->vmcs[VMCS_GUEST_SS_ACCESS_RIGHTS] & AR_DPL) >> 5);
	row->mode = processor_mode(v);
}

static void fill_registers(struct exit_row *row, const struct vcpu *v)
{
	static const struct {
		uint8_t column, gpr;
	} registers[] = {
		{ EXIT_rax, GPR_RAX }, { EXIT_rcx, GPR_RCX }, { EXIT_rdx, GPR_RDX }, { EXIT_rbx, GPR_RBX },
		{ EXIT_rbp, GPR_RBP }, { EXIT_rsi, GPR_RSI }, { EXIT_rdi, GPR_RDI }, { EXIT_r8, GPR_R8 },
		{ EXIT_r9, GPR_R9 }, { EXIT_r10, GPR_R10 }, { EXIT_r11, GPR_R11 }, { EXIT_r12, GPR_R12 },
		{ EXIT_r13, GPR_R13 }, { EXIT_r14, GPR_R14 }, { EXIT_r15, GPR_R15 }, { EXIT_cr2, GPR_CR2 },
	};

	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		set(row, registers[i].column, v->gpr[registers[i].gpr]);
}

/*
 * Whether the guest reached for a port or an address where nothing is, by this build's devices. Where the
 * APIC's page is, the keyframe says.
 */
static void fill_absent(struct exit_row *row, const struct decoder *d, const struct vcpu *v)
{
	uint64_t qualification = v->vmcs[VMCS_EXIT_QUALIFICATION], gpa = v->vmcs[VMCS_GUEST_PHYSICAL_ADDR];
	unsigned size = (qualification & 7) + 1;

	if (row->nulls >> EXIT_reason & 1)
		return;
	switch (row->value[EXIT_reason]) {
	case REASON_IO_INSTRUCTION:
		if (slot_test(v->loaded, VMCS_EXIT_QUALIFICATION))
			set(row, EXIT_absent, !port_exists((uint16_t)(qualification >> 16), size));
		break;
	case REASON_EPT_VIOLATION:
		if (slot_test(v->loaded, VMCS_GUEST_PHYSICAL_ADDR))
			set(row, EXIT_absent, !physical_exists(&d->vm, d->step.vcpu, gpa));
		break;
	default:
		break;
	}
}

/* The tracer notes 15 bytes, or what it could fetch: keep those of the instruction, if they are one. */
static unsigned instruction_length(const struct step *s, const struct vcpu *v, const char *mode)
{
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	/* By CS.L and CS.D/B (SDM, "Segment Descriptors"). */
	if (mode && !strcmp(mode, "long"))
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	else if (v->vmcs[VMCS_GUEST_CS_ACCESS_RIGHTS] & AR_DB)
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	else
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, s->insn, s->insn_len, &insn)))
		return insn.length;
	return s->insn_len;
}

void exit_row_fill(struct exit_row *row, const struct decoder *d, sqlite3_int64 trace_id)
{
	static const char *const actions[] = { "resume", "retire", "inject", "stop" };
	const struct step *s = &d->step;
	const struct vcpu *v = &d->cpu[s->vcpu];

	row->filled = true;
	row->nulls = UINT64_MAX;
	set(row, EXIT_trace_id, (uint64_t)trace_id);
	set(row, EXIT_seq, s->seq);
	set(row, EXIT_step, s->number);
	set(row, EXIT_vcpu, s->vcpu);
	set(row, EXIT_tsc_exit, s->tsc);
	fill_fields(row, v);
	fill_registers(row, v);
	fill_absent(row, d, v);
	row->action = s->unfinished || s->action > ACTION_STOP ? NULL : actions[s->action];
	if (!s->unfinished) {
		set(row, EXIT_handler_cycles, s->handler_cycles);
		if (s->tsc_entry) {
			set(row, EXIT_tsc_entry, s->tsc_entry);
			set(row, EXIT_guest_cycles, s->tsc - s->tsc_entry);
		}
	}
	row->insn_len = s->insn_len ? (uint8_t)instruction_length(s, v, row->mode) : 0;
	memcpy(row->insn, s->insn, s->insn_len);
}

void exit_row_complete(struct exit_row *row, const struct step *next)
{
	uint64_t handled = row->value[EXIT_tsc_exit] + row->value[EXIT_handler_cycles];

	if (next->unfinished || !next->tsc_entry || row->nulls >> EXIT_handler_cycles & 1)
		return;
	set(row, EXIT_tracer_cycles, next->tracer_cycles);
	set(row, EXIT_wait_cycles, next->tsc_entry - handled - next->tracer_cycles);
}

static void bind_text(sqlite3_stmt *insert, enum exit_column column, const char *text, const char **bound)
{
	if (text == *bound)
		return;
	*bound = text;
	sqlite3_bind_text(insert, column + 1, text, -1, SQLITE_STATIC);	/* NULL binds NULL */
}

static void bind_numbers(const struct exit_row *row, sqlite3_stmt *insert, struct exit_row *bound)
{
	uint64_t news = row->nulls ^ bound->nulls;

	for (unsigned i = 0; i < EXIT_COLUMN_COUNT; i++)
		if (row->value[i] != bound->value[i])
			news |= UINT64_C(1) << i;
	bound->nulls = row->nulls;
	for (; news; news &= news - 1) {
		int i = __builtin_ctzll(news);

		bound->value[i] = row->value[i];
		if (row->nulls >> i & 1)
			sqlite3_bind_null(insert, i + 1);
		else
			sqlite3_bind_int64(insert, i + 1, (sqlite3_int64)row->value[i]);
	}
}

int exit_row_insert(const struct exit_row *row, sqlite3_stmt *insert, struct exit_row *bound)
{
	bind_numbers(row, insert, bound);
	bind_text(insert, EXIT_mode, row->mode, &bound->mode);
	bind_text(insert, EXIT_action, row->action, &bound->action);
	if (row->insn_len || bound->insn_len)
		sqlite3_bind_blob(insert, EXIT_insn + 1, row->insn_len ? row->insn : NULL, row->insn_len,
				  SQLITE_STATIC);
	bound->insn_len = row->insn_len;
	/* The rowid is the exit's number, so that a scan comes in order, though vCPUs' rows are late. */
	sqlite3_bind_int64(insert, EXIT_COLUMN_COUNT + 1, (sqlite3_int64)row->value[EXIT_seq] + 1);
	sqlite3_step(insert);
	return sqlite3_reset(insert);
}
