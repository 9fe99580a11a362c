/*
 * lapic_x2apic.c: the local APIC in x2APIC mode: its MSRs, and how a vCPU comes into the mode and out of it
 * (SDM, "Extended XAPIC (x2APIC)").
 *
 * Called by msr.c. What a register does is lapic_registers.c's; here is which of them exist, and what gives
 * #GP.
 */
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "dev/lapic_registers.h"
#include "dev/timers.h"

#define MODE (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)

static uint32_t offset_of(uint32_t msr)
{
	return (msr - LAPIC_MSR_FIRST) << 4;
}

/* SDM, "Local APIC Register Address Map Supported by x2APIC" */
static bool is_readable(uint32_t offset)
{
	switch (offset) {
	case REG_ID: case REG_VERSION: case REG_TPR: case REG_PPR: case REG_LDR: case REG_SVR: case REG_ESR:
	case REG_ICR_LOW: case REG_INITIAL_COUNT: case REG_CURRENT_COUNT: case REG_DIVIDE:
	case REG_ISR ... REG_IRR + 0x7f:
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		return true;
	default:
		return false;
	}
}

static bool is_writable(uint32_t offset)
{
	switch (offset) {
	case REG_TPR: case REG_EOI: case REG_SVR: case REG_ESR: case REG_ICR_LOW: case REG_INITIAL_COUNT:
	case REG_DIVIDE: case REG_SELF_IPI:
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		return true;
	default:
		return false;
	}
}

bool lapic_msr_read(const struct vm *vm, unsigned self, uint32_t msr, uint64_t *value, uint64_t now)
{
	const struct lapic *l = &vm->cpu[self].lapic;
	uint32_t offset = offset_of(msr);

	if (!lapic_is_x2apic(&vm->cpu[self]) || !is_readable(offset))
		return false;
	switch (offset) {
	case REG_ID:
		*value = l->id >> 24;
		break;
	case REG_LDR:
		*value = lapic_x2apic_ldr(l);
		break;
	case REG_ICR_LOW:
		*value = (uint64_t)l->icr_high << 32 | l->icr_low;
		break;
	default:
		*value = lapic_register_read(l, offset, now);
		break;
	}
	return true;
}

/*
 * SDM, "Reserved Bit Checking": all but these must be 0. The status bits of an LVT entry are read-only, not
 * reserved.
 */
static uint64_t accepted(uint32_t offset)
{
	switch (offset) {
	case REG_ICR_LOW: return UINT64_C(0xffffffff00000000) | lapic_writable(offset);
	case REG_SELF_IPI: return 0xff;
	case REG_LVT_LINT0: case REG_LVT_LINT1: return lapic_writable(offset) | LVT_STATUS | LVT_REMOTE_IRR;
	case REG_LVT_TIMER: case REG_LVT_THERMAL: case REG_LVT_PERF: case REG_LVT_ERROR:
		return lapic_writable(offset) | LVT_STATUS;
	default: return lapic_writable(offset);
	}
}

bool lapic_msr_write(struct vm *vm, struct world *w, unsigned self, uint32_t msr, uint64_t value, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;
	uint32_t offset = offset_of(msr);

	if (!lapic_is_x2apic(&vm->cpu[self]) || !is_writable(offset) || (value & ~accepted(offset)))
		return false;
	switch (offset) {
	case REG_ICR_LOW:
		l->icr_high = value >> 32;
		lapic_command(vm, w, self, (uint32_t)value);
		break;
	case REG_SELF_IPI:
		/* SDM, "SELF IPI Register": as a fixed, edge-triggered command to itself, past the ICR. */
		if (value < 16)
			lapic_error(vm, w, self, self, ESR_SEND_ILLEGAL);
		else
			lapic_request(vm, w, self, self, (unsigned)value, false);
		break;
	default:
		lapic_register_write(vm, w, self, offset, (uint32_t)value, now);
		break;
	}
	return true;
}

/* SDM, "x2APIC State Transitions": into x2APIC mode from xAPIC mode alone, and out of it only by disabling. */
static bool is_transition(uint64_t from, uint64_t to)
{
	if (to == LAPIC_BASE_X2APIC)
		return false;
	if (from == MODE)
		return to == MODE || to == 0;
	return to != MODE || from == LAPIC_BASE_ENABLE;
}

bool lapic_set_base(struct vm *vm, struct world *w, unsigned self, uint64_t base)
{
	struct vm_cpu *cpu = &vm->cpu[self];
	uint64_t from = cpu->apic_base & MODE, to = base & MODE;

	if (!is_transition(from, to))
		return false;
	cpu->apic_base = base;
	vm_touch_cpu(vm, self);
	if (from == to)
		return true;
	if (to == 0) {
		/* SDM, "Enabling or Disabling the Local APIC": its state is lost. */
		lapic_reset(&cpu->lapic, cpu->lapic.id >> 24);
		timers_update(vm);
		lapic_lint0(vm, w, self, self, false);
	} else if (to == MODE) {
		/* SDM, "State Changes From xAPIC Mode to x2APIC Mode": the rest stays. */
		cpu->lapic.icr_high = 0;
	}
	return true;
}
