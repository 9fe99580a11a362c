/*
 * lapic_registers.c: the local APIC's registers, and its page in xAPIC mode.
 *
 * Called by mmio.c, and by lapic_x2apic.c for what both modes have.
 */
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "dev/lapic_registers.h"

#define VERSION			0x00050014	/* integrated, six LVT entries, no EOI-broadcast suppression */
#define ESR_REGISTER_ILLEGAL	(1u << 7)

uint32_t lapic_register_read(const struct lapic *l, uint32_t offset, uint64_t now)
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
	value = (uint64_t)lapic_register_read(&vm->cpu[self].lapic, offset & 0xff0, now) >> within * 8;
	return size >= 4 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

uint32_t lapic_writable(uint32_t offset)
{
	switch (offset) {
	case REG_TPR: return 0xff;
	case REG_LDR: return 0xff000000;
	case REG_DFR: return 0xf0000000;
	case REG_SVR: return 0x1ff;
	case REG_ICR_LOW: return 0xccfff;
	case REG_ICR_HIGH: return 0xff000000;
	case REG_LVT_TIMER: return LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE;
	case REG_LVT_THERMAL: case REG_LVT_PERF: return LVT_VECTOR | LVT_DELIVERY_MODE | LVT_MASKED;
	case REG_LVT_LINT0: case REG_LVT_LINT1: return 0x1a7ff;
	case REG_LVT_ERROR: return LVT_VECTOR | LVT_MASKED;
	case REG_INITIAL_COUNT: return UINT32_MAX;
	case REG_DIVIDE: return 0xb;
	default: return 0;
	}
}

/*
 * SDM, "Spurious-Interrupt Vector Register": while the APIC is disabled in software, all LVT mask bits are
 * set. What the I/O APIC couldn't deliver until now, it can.
 */
static void svr_write(struct vm *vm, struct world *w, unsigned self, uint32_t value, uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;
	bool was_enabled = l->svr & SVR_ENABLE;

	l->svr = value;
	vm_touch_cpu(vm, self);
	if (l->svr & SVR_ENABLE) {
		if (!was_enabled)
			ioapic_retry(vm, w, self);
		return;
	}
	l->lvt_thermal |= LVT_MASKED;
	l->lvt_perf |= LVT_MASKED;
	l->lvt_lint0 |= LVT_MASKED;
	l->lvt_lint1 |= LVT_MASKED;
	l->lvt_error |= LVT_MASKED;
	lapic_timer_set_lvt(vm, self, l->lvt_timer | LVT_MASKED, now);
}

/* What is written to an LVT entry, as it is kept. */
static uint32_t lvt_value(const struct lapic *l, uint32_t value)
{
	return l->svr & SVR_ENABLE ? value : value | LVT_MASKED;
}

static void lvt_write(struct vm *vm, unsigned self, uint32_t *lvt, uint32_t value)
{
	*lvt = lvt_value(&vm->cpu[self].lapic, value);
	vm_touch_cpu(vm, self);
}

/* Its remote IRR is that of a level-triggered interrupt; the pin may be high when it is unmasked. */
static void lint0_write(struct vm *vm, struct world *w, unsigned self, uint32_t value)
{
	uint32_t *lvt = &vm->cpu[self].lapic.lvt_lint0;

	lvt_write(vm, self, lvt, value | (value & LVT_LEVEL ? *lvt & LVT_REMOTE_IRR : 0));
	lapic_lint0(vm, w, self, self, false);
}

static void esr_write(struct vm *vm, unsigned self)
{
	struct lapic *l = &vm->cpu[self].lapic;

	l->esr = l->esr_pending;
	l->esr_pending = 0;
	vm_touch_cpu(vm, self);
}

void lapic_register_write(struct vm *vm, struct world *w, unsigned self, uint32_t offset, uint32_t value,
			  uint64_t now)
{
	struct lapic *l = &vm->cpu[self].lapic;

	value &= lapic_writable(offset);
	switch (offset) {
	case REG_TPR: lapic_set_tpr(vm, self, value); break;
	case REG_EOI: lapic_end_of_interrupt(vm, w, self); break;
	case REG_LDR: l->ldr = value; vm_touch_cpu(vm, self); break;
	case REG_DFR: l->dfr = value | 0x0fffffff; vm_touch_cpu(vm, self); break;
	case REG_SVR: svr_write(vm, w, self, value, now); break;
	case REG_ESR: esr_write(vm, self); break;
	case REG_ICR_LOW: lapic_command(vm, w, self, value); break;
	case REG_ICR_HIGH: l->icr_high = value; vm_touch_cpu(vm, self); break;
	case REG_LVT_TIMER: lapic_timer_set_lvt(vm, self, lvt_value(l, value), now); break;
	case REG_LVT_THERMAL: lvt_write(vm, self, &l->lvt_thermal, value); break;
	case REG_LVT_PERF: lvt_write(vm, self, &l->lvt_perf, value); break;
	case REG_LVT_LINT0: lint0_write(vm, w, self, value); break;
	case REG_LVT_LINT1: lvt_write(vm, self, &l->lvt_lint1, value); break;
	case REG_LVT_ERROR: lvt_write(vm, self, &l->lvt_error, value); break;
	case REG_INITIAL_COUNT: lapic_timer_set_initial(vm, self, value, now); break;
	case REG_DIVIDE: lapic_timer_set_divide(vm, self, value, now); break;
	case REG_ID: case REG_VERSION: case REG_APR: case REG_PPR: case REG_CURRENT_COUNT:
	case REG_ISR ... REG_IRR + 0x7f:
		break;	/* read-only; the ID, too, on current processors */
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
	lapic_register_write(vm, w, self, offset & 0xff0, (uint32_t)value, now);
}
