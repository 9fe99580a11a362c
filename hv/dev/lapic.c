/*
 * lapic.c: the local APIC's requests, priorities, pins and ends of interrupts.
 *
 * Called by entry steps, by the I/O APIC and the 8259 pair, and by the local APIC's other files: registers
 * (lapic_registers.c), their MSRs (lapic_x2apic.c), interrupt commands (lapic_icr.c), the timer
 * (lapic_timer.c). Marks a vCPU as touched only when something of it changed.
 */
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "dev/lapic_registers.h"

#define ESR_RECEIVE_ILLEGAL	(1u << 6)

void lapic_reset(struct lapic *l, uint32_t id)
{
	/* SDM, "Local APIC State After Power-Up or Reset" */
	*l = (struct lapic){
		.id = id << 24,
		.dfr = UINT32_MAX,
		.svr = 0xff,
		.lvt_timer = LVT_MASKED,
		.lvt_thermal = LVT_MASKED,
		.lvt_perf = LVT_MASKED,
		.lvt_lint0 = LVT_MASKED,
		.lvt_lint1 = LVT_MASKED,
		.lvt_error = LVT_MASKED,
		.timer_base = TIME_NONE,
		.timer_deadline = TIME_NONE,
	};
}

/* MultiProcessor Specification, "Virtual Wire Mode" */
void lapic_virtual_wire(struct lapic *l)
{
	l->svr |= SVR_ENABLE;
	l->lvt_lint0 = ICR_MODE_EXTINT;
}

/* ---- Requests and priorities ---- */

static void bit_set(uint32_t *set, unsigned vector)
{
	set[vector / 32] |= 1u << vector % 32;
}

static void bit_clear(uint32_t *set, unsigned vector)
{
	set[vector / 32] &= ~(1u << vector % 32);
}

static bool bit_test(const uint32_t *set, unsigned vector)
{
	return set[vector / 32] >> vector % 32 & 1;
}

/* Vectors are priorities: the highest, or -1. */
static int bit_highest(const uint32_t *set)
{
	for (int i = 7; i >= 0; i--) {
		if (set[i])
			return i * 32 + 31 - __builtin_clz(set[i]);
	}
	return -1;
}

int lapic_in_service(const struct lapic *l)
{
	return bit_highest(l->isr);
}

/* SDM, "Task and Processor Priorities" */
uint32_t lapic_ppr(const struct lapic *l)
{
	int in_service = bit_highest(l->isr);
	uint32_t class = in_service < 0 ? 0 : (uint32_t)in_service & 0xf0;

	return (l->tpr & 0xf0) >= class ? l->tpr : class;
}

int lapic_pending(const struct vm_cpu *cpu)
{
	int vector = bit_highest(cpu->lapic.irr);

	if (vector < 0 || !lapic_enabled(cpu) || !(cpu->lapic.svr & SVR_ENABLE))
		return -1;
	return ((uint32_t)vector & 0xf0) > (lapic_ppr(&cpu->lapic) & 0xf0) ? vector : -1;
}

bool lapic_requested(const struct lapic *l)
{
	return bit_highest(l->irr) >= 0;
}

void lapic_accept(struct vm *vm, unsigned self, unsigned vector)
{
	struct lapic *l = &vm->cpu[self].lapic;

	bit_clear(l->irr, vector);
	bit_set(l->isr, vector);
	vm_touch_cpu(vm, self);
}

void lapic_notify(struct vm *vm, struct world *w, unsigned self, unsigned target)
{
	vm->cpu[target].attention = 1;
	vm_touch_cpu(vm, target);
	if (target != self)
		w->ops->kick(w, target);
}

/* SDM, "Error Handling": an error is latched for the next write to ESR, and may itself interrupt. */
void lapic_error(struct vm *vm, struct world *w, unsigned self, unsigned target, uint32_t bits)
{
	struct lapic *l = &vm->cpu[target].lapic;
	bool raised = l->esr_pending & bits;
	uint32_t lvt = l->lvt_error;

	l->esr_pending |= bits;
	vm_touch_cpu(vm, target);
	/* An error vector that is itself illegal ends here: no error about the error. */
	if (!raised && !(lvt & LVT_MASKED) && (lvt & LVT_VECTOR) >= 16)
		lapic_request(vm, w, self, target, lvt & LVT_VECTOR, false);
}

bool lapic_request(struct vm *vm, struct world *w, unsigned self, unsigned target, unsigned vector, bool level)
{
	struct lapic *l = &vm->cpu[target].lapic;

	if (!lapic_enabled(&vm->cpu[target]) || !(l->svr & SVR_ENABLE))
		return false;
	if (vector < 16) {
		lapic_error(vm, w, self, target, ESR_RECEIVE_ILLEGAL);
		return false;
	}
	bit_set(l->irr, vector);
	/* SDM, "Interrupt Acceptance for Fixed Interrupts": TMR tells at its end which kind it was. */
	if (level)
		bit_set(l->tmr, vector);
	else
		bit_clear(l->tmr, vector);
	lapic_notify(vm, w, self, target);
	return true;
}

/* ---- LINT0: the 8259 pair's output (SDM, "Local Vector Table") ---- */

static bool takes_extint(const struct vm_cpu *cpu)
{
	/* SDM, "Enabling or Disabling the Local APIC": without the APIC, LINT0 is the processor's INTR pin. */
	return !lapic_enabled(cpu) ||
	       (cpu->lapic.lvt_lint0 & (LVT_MASKED | LVT_DELIVERY_MODE)) == ICR_MODE_EXTINT;
}

bool lapic_extint(const struct vm *vm, const struct vm_cpu *cpu)
{
	return cpu->extint_pending || (vm->pic.intr && takes_extint(cpu));
}

void lapic_lint0(struct vm *vm, struct world *w, unsigned self, unsigned target, bool rose)
{
	struct vm_cpu *cpu = &vm->cpu[target];
	uint32_t *lvt = &cpu->lapic.lvt_lint0;

	if (!vm->pic.intr)
		return;
	if (takes_extint(cpu)) {
		lapic_notify(vm, w, self, target);
		return;
	}
	if (*lvt & LVT_MASKED)
		return;
	switch (*lvt & LVT_DELIVERY_MODE) {
	case ICR_MODE_FIXED:
		if (*lvt & LVT_LEVEL) {
			if (!(*lvt & LVT_REMOTE_IRR) && lapic_request(vm, w, self, target, *lvt & LVT_VECTOR, true))
				*lvt |= LVT_REMOTE_IRR;
		} else if (rose) {
			lapic_request(vm, w, self, target, *lvt & LVT_VECTOR, false);
		}
		break;
	case ICR_MODE_NMI:
		if (!rose)
			break;
		cpu->nmi_pending = 1;
		lapic_notify(vm, w, self, target);
		break;
	default:	/* SMI and INIT by this pin: no machine is wired so */
		break;
	}
}

/* ---- Ends of interrupts ---- */

/* SDM, "Signaling Interrupt Servicing Completion": that of a level-triggered one goes to its source, too. */
void lapic_end_of_interrupt(struct vm *vm, struct world *w, unsigned self)
{
	struct lapic *l = &vm->cpu[self].lapic;
	int vector = bit_highest(l->isr);

	if (vector < 0)
		return;
	bit_clear(l->isr, (unsigned)vector);
	vm_touch_cpu(vm, self);
	if (!bit_test(l->tmr, (unsigned)vector))
		return;
	if ((l->lvt_lint0 & LVT_REMOTE_IRR) && (l->lvt_lint0 & LVT_VECTOR) == (uint32_t)vector) {
		l->lvt_lint0 &= ~LVT_REMOTE_IRR;
		lapic_lint0(vm, w, self, self, false);
	}
	ioapic_eoi(vm, w, self, (uint8_t)vector);
}

void lapic_set_tpr(struct vm *vm, unsigned self, uint32_t tpr)
{
	if (vm->cpu[self].lapic.tpr == tpr)
		return;
	vm->cpu[self].lapic.tpr = tpr;
	vm_touch_cpu(vm, self);
}
