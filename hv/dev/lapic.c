/*
 * lapic.c: the local APIC's registers, interrupt requests and priorities.
 *
 * Called by the handlers of MMIO, CR8 and MSRs, by the UART's line and by entry steps. Marks a vCPU as
 * touched only when something of it changed. Interrupt commands are lapic_icr.c, the timer is lapic_timer.c.
 */
#include "dev/lapic.h"
#include "dev/lapic_icr.h"

/* SDM, "Local APIC Register Address Map" */
enum {
	REG_ID = 0x020, REG_VERSION = 0x030, REG_TPR = 0x080, REG_APR = 0x090, REG_PPR = 0x0a0, REG_EOI = 0xb0,
	REG_LDR = 0x0d0, REG_DFR = 0x0e0, REG_SVR = 0x0f0, REG_ISR = 0x100, REG_TMR = 0x180, REG_IRR = 0x200,
	REG_ESR = 0x280, REG_ICR_LOW = 0x300, REG_ICR_HIGH = 0x310, REG_LVT_TIMER = 0x320,
	REG_LVT_THERMAL = 0x330, REG_LVT_PERF = 0x340, REG_LVT_LINT0 = 0x350, REG_LVT_LINT1 = 0x360, REG_LVT_ERROR = 0x370,
	REG_INITIAL_COUNT = 0x380, REG_CURRENT_COUNT = 0x390, REG_DIVIDE = 0x3e0,
};

#define VERSION			0x00050014	/* integrated, six LVT entries, no EOI-broadcast suppression */
#define SVR_WRITABLE		0x1ffu
#define LVT_WRITABLE_TIMER	0x300ffu
#define LVT_WRITABLE_LINT	0x1a7ffu
#define LVT_WRITABLE_LOCAL	0x107ffu
#define LVT_WRITABLE_ERROR	0x100ffu
#define ESR_RECEIVE_ILLEGAL	(1u << 6)
#define ESR_REGISTER_ILLEGAL	(1u << 7)

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

/* ---- Requests and priorities ---- */

static void bit_set(uint32_t *set, unsigned vector)
{
	set[vector / 32] |= 1u << vector % 32;
}

static void bit_clear(uint32_t *set, unsigned vector)
{
	set[vector / 32] &= ~(1u << vector % 32);
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
		lapic_request(vm, w, self, target, lvt & LVT_VECTOR);
}

void lapic_request(struct vm *vm, struct world *w, unsigned self, unsigned target, unsigned vector)
{
	struct lapic *l = &vm->cpu[target].lapic;

	if (!lapic_enabled(&vm->cpu[target]) || !(l->svr & SVR_ENABLE))
		return;
	if (vector < 16) {
		lapic_error(vm, w, self, target, ESR_RECEIVE_ILLEGAL);
		return;
	}
	bit_set(l->irr, vector);
	bit_clear(l->tmr, vector);	/* all our sources are edges */
	lapic_notify(vm, w, self, target);
}

void lapic_pin(struct vm *vm, struct world *w, unsigned self, unsigned target, unsigned pin)
{
	struct vm_cpu *cpu = &vm->cpu[target];
	uint32_t lvt = pin == 0 ? cpu->lapic.lvt_lint0 : cpu->lapic.lvt_lint1;

	if (lvt & LVT_MASKED)
		return;
	switch (lvt & LVT_DELIVERY_MODE) {
	case ICR_MODE_FIXED:
		lapic_request(vm, w, self, target, lvt & LVT_VECTOR);
		break;
	case ICR_MODE_NMI:
		cpu->nmi_pending = 1;
		lapic_notify(vm, w, self, target);
		break;
	default:	/* SMI, INIT by a pin, ExtINT: there is no such source here */
		break;
	}
}

static void end_of_interrupt(struct vm *vm, unsigned self)
{
	int vector = bit_highest(vm->cpu[self].lapic.isr);

	if (vector < 0)
		return;
	bit_clear(vm->cpu[self].lapic.isr, (unsigned)vector);
	vm_touch_cpu(vm, self);
}

void lapic_set_tpr(struct vm *vm, unsigned self, uint32_t tpr)
{
	if (vm->cpu[self].lapic.tpr == tpr)
		return;
	vm->cpu[self].lapic.tpr = tpr;
	vm_touch_cpu(vm, self);
}

/* ---- Registers ---- */

static uint32_t register_read(const struct lapic *l, uint32_t offset, uint64_t now)
{
	switch (offset) {
	case REG_ID: return l->id;
	case REG_VERSION: return VERSION;
	case REG_TPR: return l->tpr;
	case REG_PPR: return lapic_ppr(l);
	case REG_LDR: return l->ldr;
	case REG_DFR: return l->dfr;
	case REG_SVR: return l->svr;
	case REG_ISR ... REG_ISR + 0x7f: return l->isr[offset >> 4 & 7];
	case REG_TMR ... REG_TMR + 0x7f: return l->tmr[offset >> 4 & 7];
	case REG_IRR ... REG_IRR + 0x7f: return l->irr[offset >> 4 & 7];
	case REG_ESR: return l->esr;
	case REG_ICR_LOW: return l->icr_low;
	case REG_ICR_HIGH: return l->icr_high;
	case REG_LVT_TIMER: return l->lvt_timer;
	case REG_LVT_THERMAL: return l->lvt_thermal;
	case REG_LVT_PERF: return l->lvt_perf;
	case REG_LVT_LINT0: return l->lvt_lint0;
	case REG_LVT_LINT1: return l->lvt_lint1;
	case REG_LVT_ERROR: return l->lvt_error;
	case REG_INITIAL_COUNT: return l->initial_count;
	case REG_CURRENT_COUNT: return lapic_timer_current(l, now);
	case REG_DIVIDE: return l->divide;
	default: return 0;
	}
}

uint64_t lapic_read(const struct vm *vm, unsigned self, uint32_t offset, uint32_t size, uint64_t now)
{
	/* SDM: registers are 32 bits at multiples of 16. Parts of one can be read; what lies between is 0. */
	uint32_t within = offset & 15;
	uint64_t value;

	if (within >= 4)
		return 0;
	value = (uint64_t)register_read(&vm->cpu[self].lapic, offset & 0xff0, now) >> within * 8;
	return size >= 4 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

/*
 * SDM, "Spurious-Interrupt Vector Register": while the APIC is disabled in software, all LVT mask bits are
 * set.
 */
static void svr_write(struct vm *vm, unsigned self, uint32_t value, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;

	l->svr = value & SVR_WRITABLE;
	vm_touch_cpu(vm, self);
	if (l->svr & SVR_ENABLE)
		return;
	l->lvt_thermal |= LVT_MASKED;
	l->lvt_perf |= LVT_MASKED;
	l->lvt_lint0 |= LVT_MASKED;
	l->lvt_lint1 |= LVT_MASKED;
	l->lvt_error |= LVT_MASKED;
	lapic_timer_set_lvt(vm, self, l->lvt_timer | LVT_MASKED, now);
}

static void lvt_write(struct vm *vm, unsigned self, uint32_t *lvt, uint32_t value)
{
	if (!(vm->cpu[self].lapic.svr & SVR_ENABLE))
		value |= LVT_MASKED;
	*lvt = value;
	vm_touch_cpu(vm, self);
}

static void esr_write(struct vm *vm, unsigned self)
{
	struct lapic *l = &vm->cpu[self].lapic;

	l->esr = l->esr_pending;
	l->esr_pending = 0;
	vm_touch_cpu(vm, self);
}

static void register_write(struct vm *vm, struct world *w, unsigned self, uint32_t offset, uint32_t value,
			   uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;

	switch (offset) {
	case REG_ID: break;	/* read-only, as on current processors */
	case REG_TPR: lapic_set_tpr(vm, self, value & 0xff); break;
	case REG_EOI: end_of_interrupt(vm, self); break;
	case REG_LDR: l->ldr = value & 0xff000000; vm_touch_cpu(vm, self); break;
	case REG_DFR: l->dfr = value | 0x0fffffff; vm_touch_cpu(vm, self); break;
	case REG_SVR: svr_write(vm, self, value, now); break;
	case REG_ESR: esr_write(vm, self); break;
	case REG_ICR_LOW: lapic_command(vm, w, self, value); break;
	case REG_ICR_HIGH: l->icr_high = value & 0xff000000; vm_touch_cpu(vm, self); break;
	case REG_LVT_TIMER:
		value &= LVT_WRITABLE_TIMER;
		lapic_timer_set_lvt(vm, self, l->svr & SVR_ENABLE ? value : value | LVT_MASKED, now);
		break;
	case REG_LVT_THERMAL: lvt_write(vm, self, &l->lvt_thermal, value & LVT_WRITABLE_LOCAL); break;
	case REG_LVT_PERF: lvt_write(vm, self, &l->lvt_perf, value & LVT_WRITABLE_LOCAL); break;
	case REG_LVT_LINT0: lvt_write(vm, self, &l->lvt_lint0, value & LVT_WRITABLE_LINT); break;
	case REG_LVT_LINT1: lvt_write(vm, self, &l->lvt_lint1, value & LVT_WRITABLE_LINT); break;
	case REG_LVT_ERROR: lvt_write(vm, self, &l->lvt_error, value & LVT_WRITABLE_ERROR); break;
	case REG_INITIAL_COUNT: lapic_timer_set_initial(vm, self, value, now); break;
	case REG_DIVIDE: lapic_timer_set_divide(vm, self, value & 0xb, now); break;
	case REG_VERSION: case REG_APR: case REG_PPR: case REG_CURRENT_COUNT:
	case REG_ISR ... REG_IRR + 0x7f:
		break;	/* read-only */
	default:
		lapic_error(vm, w, self, self, ESR_REGISTER_ILLEGAL);
		break;
	}
}

void lapic_write(struct vm *vm, struct world *w, unsigned self, uint32_t offset, uint32_t size,
		 uint64_t value, uint64_t now)
{
	/*
	 * SDM: software must write 32 bits at a register's start; other writes do nothing that can be
	 * relied on.
	 */
	if (offset & 15 || size < 4)
		return;
	register_write(vm, w, self, offset & 0xff0, (uint32_t)value, now);
}
