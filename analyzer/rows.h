/*
 * rows.h: the columns of the table `exits` in the order they are bound, and the exit's values in them.
 * import.c only.
 *
 * A row of exits isn't complete when its exit is read: tracer_cycles and wait_cycles end with the vCPU's next
 * entry. So it waits in a struct exit_row of its vCPU until that vCPU's next exit.
 */
#ifndef VEXIT_ROWS_H
#define VEXIT_ROWS_H

#include "analyzer/database.h"

#define EXIT_COLUMNS(X)                                                                         \
	X(trace_id) X(seq) X(step) X(vcpu) X(tsc_exit) X(tsc_entry) X(reason) X(entry_failure)         \
	X(qualification) X(instr_len) X(instr_info) X(intr_info) X(intr_error) X(idt_info) X(idt_error)\
	X(gpa) X(gla) X(rip) X(rsp) X(rflags) X(cr0) X(cr2) X(cr3) X(cr4) X(efer) X(cs) X(cpl) X(mode) \
	X(interruptibility) X(activity) X(absent)                                                      \
	X(rax) X(rcx) X(rdx) X(rbx) X(rbp) X(rsi) X(rdi) X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15)\
	X(action) X(handler_cycles) X(tracer_cycles) X(wait_cycles) X(guest_cycles) X(insn)

enum exit_column {
#define X(name) EXIT_##name,
	EXIT_COLUMNS(X)
#undef X
	EXIT_COLUMN_COUNT
};
_Static_assert(EXIT_COLUMN_COUNT <= 64, "nulls has a bit a column");

struct exit_row {
	bool filled;
	uint64_t nulls;			/* by column */
	uint64_t value[EXIT_COLUMN_COUNT];
	const char *mode, *action;
	uint8_t insn_len, insn[STEP_INSN_MAX];
};

/* From the step in hand of `d`, an exit. */
void exit_row_fill(struct exit_row *row, const struct decoder *d, sqlite3_int64 trace_id);
/* The vCPU's next exit: now tracer_cycles and wait_cycles are known. */
void exit_row_complete(struct exit_row *row, const struct step *next);
/*
 * Insert. SQLite keeps what is bound, and most columns of an exit are as they were: `bound` is what the
 * statement has, all NULL (nulls = UINT64_MAX) at first. SQLite's result code of the reset.
 */
int exit_row_insert(const struct exit_row *row, sqlite3_stmt *insert, struct exit_row *bound);

#endif
