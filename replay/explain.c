/*
 * explain.c: values in words: fields decoded, crossings, places, instructions. Called by compare.c, world.c
 * and report.c.
 */
#include <Zydis/Zydis.h>
#include <string.h>

#include "exit/exit.h"
#include "recorder/words.h"
#include "replay/replay.h"

const char *explain_gpr(unsigned reg)
{
	static const char *const names[GPR_COUNT] = {
		"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
		"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15", "CR2",
	};

	return reg < GPR_COUNT ? names[reg] : "?";
}

const char *explain_action(bool is_entry, unsigned value)
{
	static const char *const actions[] = { "RESUME", "RETIRE", "INJECT", "STOP" };
	static const char *const entries[] = { "ENTER", "WAIT", "STOP" };

	if (is_entry)
		return value < 3 ? entries[value] : "?";
	return value < 4 ? actions[value] : "?";
}

const char *explain_crossing_kind(unsigned kind)
{
	static const char *const names[CROSSING_KIND_COUNT] = {
#define X(number, name) [number] = #name,
		CROSSING_KINDS(X)
#undef X
	};

	return kind < CROSSING_KIND_COUNT ? names[kind] : "?";
}

void explain_device(char *text, size_t size, unsigned device)
{
	static const char *const names[VM_DEVICE_COUNT] = {
#define X(number, name, member) [number] = "vm->" #member,
		VM_DEVICES(X)
#undef X
	};

	if (device < VM_MAX_CPUS)
		snprintf(text, size, "vm->cpu[%u]", device);
	else
		snprintf(text, size, "%s", device < VM_DEVICE_COUNT && names[device] ? names[device] : "vm's own state");
}

/* ---- VMCS fields ---- */

struct bit_name {
	uint64_t bit;
	const char *name;
};

static const struct bit_name blocking_bits[] = {
	{ BLOCKING_STI, "STI" }, { BLOCKING_MOV_SS, "MOV SS" }, { BLOCKING_SMI, "SMI" },
	{ BLOCKING_NMI, "NMI" },
};
static const struct bit_name flag_bits[] = {
	{ 1u << 0, "CF" }, { 1u << 2, "PF" }, { 1u << 4, "AF" }, { 1u << 6, "ZF" }, { 1u << 7, "SF" },
	{ 1u << 8, "TF" }, { 1u << 9, "IF" }, { 1u << 10, "DF" }, { 1u << 11, "OF" }, { 1u << 14, "NT" },
	{ 1u << 16, "RF" }, { 1u << 17, "VM" }, { 1u << 18, "AC" }, { 1u << 21, "ID" },
};
static const struct bit_name cr0_bits[] = {
	{ 1u << 0, "PE" }, { 1u << 1, "MP" }, { 1u << 2, "EM" }, { 1u << 3, "TS" }, { 1u << 4, "ET" },
	{ 1u << 5, "NE" }, { 1u << 16, "WP" }, { 1u << 18, "AM" }, { 1u << 29, "NW" }, { 1u << 30, "CD" },
	{ 1u << 31, "PG" },
};
static const struct bit_name cr4_bits[] = {
	{ 1u << 0, "VME" }, { 1u << 1, "PVI" }, { 1u << 2, "TSD" }, { 1u << 3, "DE" }, { 1u << 4, "PSE" },
	{ 1u << 5, "PAE" }, { 1u << 6, "MCE" }, { 1u << 7, "PGE" }, { 1u << 8, "PCE" },
	{ 1u << 9, "OSFXSR" }, { 1u << 10, "OSXMMEXCPT" }, { 1u << 11, "UMIP" }, { 1u << 13, "VMXE" },
	{ 1u << 16, "FSGSBASE" }, { 1u << 17, "PCIDE" }, { 1u << 18, "OSXSAVE" }, { 1u << 20, "SMEP" },
	{ 1u << 21, "SMAP" }, { 1u << 22, "PKE" },
};
static const struct bit_name efer_bits[] = {
	{ 1u << 0, "SCE" }, { 1u << 8, "LME" }, { 1u << 10, "LMA" }, { 1u << 11, "NXE" },
};
static const struct bit_name proc_bits[] = {
	{ PROC_INTERRUPT_WINDOW, "interrupt window" }, { PROC_NMI_WINDOW, "NMI window" },
	{ PROC_HLT, "HLT" }, { PROC_MONITOR_TRAP, "monitor trap" },
	{ PROC_TSC_OFFSETTING, "TSC offsetting" },
};

static const struct {
	uint16_t slot;
	uint16_t count;
	const struct bit_name *bits;
} bit_fields[] = {
#define BITS(slot, list) { slot, sizeof(list) / sizeof(list[0]), list }
	BITS(VMCS_GUEST_INTERRUPTIBILITY, blocking_bits),
	BITS(VMCS_GUEST_RFLAGS, flag_bits),
	BITS(VMCS_GUEST_CR0, cr0_bits),
	BITS(VMCS_CR0_READ_SHADOW, cr0_bits),
	BITS(VMCS_GUEST_CR4, cr4_bits),
	BITS(VMCS_CR4_READ_SHADOW, cr4_bits),
	BITS(VMCS_GUEST_EFER, efer_bits),
	BITS(VMCS_PROC_CONTROLS, proc_bits),
#undef BITS
};

/* Interruption information (SDM, "VM-Entry Controls for Event Injection"). */
static void explain_event(char *text, size_t size, uint64_t value)
{
	static const char *const types[] = {
		"external interrupt", "type 1", "NMI", "exception", "INT", "INT1", "INT3/INTO", "other event",
	};
	unsigned vector = value & INTR_INFO_VECTOR, type = value >> 8 & 7;

	if (!(value & INTR_INFO_VALID))
		snprintf(text, size, "%#lx (no event)", (unsigned long)value);
	else if (type == INTR_TYPE_HARDWARE >> 8 && exception_name(vector))
		snprintf(text, size, "%#lx (exception %s)", (unsigned long)value, exception_name(vector));
	else
		snprintf(text, size, "%#lx (%s %#x)", (unsigned long)value, types[type], vector);
}

static void explain_bits(char *text, size_t size, uint64_t value, const struct bit_name *bits, unsigned count)
{
	size_t used = (size_t)snprintf(text, size, "%#lx", (unsigned long)value);
	const char *before = " (";

	for (unsigned i = 0; i < count && used < size; i++)
		if (value & bits[i].bit) {
			used += (size_t)snprintf(text + used, size - used, "%s%s", before, bits[i].name);
			before = " ";
		}
	if (used < size && *before && before[1] == '\0')
		snprintf(text + used, size - used, ")");
}

void explain_slot(char *text, size_t size, unsigned slot, uint64_t value)
{
	static const char *const activities[] = { "active", "HLT", "shutdown", "wait for SIPI" };

	if (slot == VMCS_ENTRY_INTR_INFO || slot == VMCS_EXIT_INTR_INFO || slot == VMCS_IDT_VECTORING_INFO) {
		explain_event(text, size, value);
		return;
	}
	if (slot == VMCS_GUEST_ACTIVITY_STATE && value < 4) {
		snprintf(text, size, "%#lx (%s)", (unsigned long)value, activities[value]);
		return;
	}
	for (size_t i = 0; i < sizeof(bit_fields) / sizeof(bit_fields[0]); i++)
		if (bit_fields[i].slot == slot) {
			explain_bits(text, size, value, bit_fields[i].bits, bit_fields[i].count);
			return;
		}
	snprintf(text, size, "%#lx", (unsigned long)value);
}

/* ---- Crossings ---- */

static void explain_bytes(char *text, size_t size, const uint8_t *bytes, uint32_t len)
{
	size_t used = 0;

	for (uint32_t i = 0; i < len && used + 8 < size; i++) {
		uint8_t c = bytes[i];

		if (c >= 0x20 && c < 0x7f)
			used += (size_t)snprintf(text + used, size - used, "%c", c);
		else
			used += (size_t)snprintf(text + used, size - used, c == '\n' ? "\\n" : "\\x%02x", c);
	}
	if (used + 8 >= size)
		snprintf(text + used, size - used, "…");
}

void explain_crossing(char *text, size_t size, const struct crossing *c)
{
	const char *kind = explain_crossing_kind(c->kind);
	unsigned long addr = (unsigned long)c->addr, value = (unsigned long)c->value;
	char bytes[64] = "";

	switch (c->kind) {
	case CROSSING_CONSOLE_OUT:
		explain_bytes(bytes, sizeof(bytes), c->size > 8 ? c->bytes : (const uint8_t *)&c->value,
			      c->size);
		snprintf(text, size, "%s of %u bytes \"%s\"", kind, c->size, bytes);
		return;
	case CROSSING_MEM_READ:
	case CROSSING_MEM_WRITE:
		if (c->size > 8 || !c->bytes)
			snprintf(text, size, "%s of %u bytes at GPA %#lx", kind, c->size, addr);
		else
			snprintf(text, size, "%s of %u bytes at GPA %#lx: %#lx", kind, c->size, addr, value);
		return;
	case CROSSING_CONSOLE_IN:
	case CROSSING_SLICE_END:
	case CROSSING_TRACER_CYCLES:
		snprintf(text, size, "%s", kind);
		return;
	case CROSSING_KICK:
		snprintf(text, size, "%s of vCPU %lu", kind, addr);
		return;
	case CROSSING_MSR_READ:
	case CROSSING_DR_READ:
	case CROSSING_MEM_FOUND:
		snprintf(text, size, "%s %#lx", kind, addr);
		return;
	default:
		snprintf(text, size, "%s %#lx: %#lx", kind, addr, value);
	}
}

/* ---- Places ---- */

void explain_instruction(char *text, size_t size, unsigned bits, uint64_t rip, const uint8_t *bytes,
			 unsigned len)
{
	ZydisDisassembledInstruction insn;
	ZydisMachineMode mode = bits == 64 ? ZYDIS_MACHINE_MODE_LONG_64 :
				bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16;
	size_t used = 0;

	text[0] = '\0';
	if (!len)
		return;
	if (ZYAN_SUCCESS(ZydisDisassembleIntel(mode, rip, bytes, len, &insn))) {
		snprintf(text, size, "%s", insn.text);
		return;
	}
	for (unsigned i = 0; i < len && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%02x", i ? " " : "bytes ", bytes[i]);
}

void explain_place(char *text, size_t size, const struct divergence *d)
{
	char insn[96], exit[64] = "";

	if (d->kind == DIVERGE_KEYFRAME) {
		snprintf(text, size, "struct vm before step %lu, as the keyframe of frame %lu has it",
			 (unsigned long)d->step, (unsigned long)d->frame);
		return;
	}
	if (d->is_entry) {
		if (d->seq != SEQ_NONE)
			snprintf(exit, sizeof(exit), " after exit %lu (%s)", (unsigned long)d->seq,
				 exit_reason_name(d->reason));
		snprintf(text, size, "entry step %lu, vCPU %u,%s to RIP %#lx", (unsigned long)d->step,
			 d->vcpu, exit, (unsigned long)d->rip);
		return;
	}
	explain_instruction(insn, sizeof(insn), d->bits, d->rip, d->insn, d->insn_len);
	snprintf(text, size, "exit %lu (step %lu), vCPU %u, %s%s%s at RIP %#lx%s%s", (unsigned long)d->seq,
		 (unsigned long)d->step, d->vcpu, exit_reason_name(d->reason), d->subject[0] ? " of " : "",
		 d->subject, (unsigned long)d->rip, insn[0] ? ": " : "", insn);
}
