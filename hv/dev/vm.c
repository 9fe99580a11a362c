/*
 * vm.c: struct vm as a whole: its reset, its end, and how a deadline becomes a preemption timer's start
 * value.
 *
 * Called by metal and tests at set-up, by handlers and entry steps. Pure: no world, no memory but struct vm.
 */
#include "dev/i8042.h"
#include "dev/irq.h"
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "dev/pic.h"
#include "dev/pit.h"
#include "dev/pm.h"
#include "dev/rtc.h"
#include "dev/uart.h"
#include "dev/vm_state.h"

#define MISC_ENABLE_RESET	0x1801	/* fast strings; no BTS, no PEBS (SDM, "IA32_MISC_ENABLE") */

static void cpu_reset(struct vm_cpu *cpu, unsigned index)
{
	*cpu = (struct vm_cpu){
		.activity = index == 0 ? CPU_RUNNING : CPU_WAIT_SIPI,
		.wake_at = TIME_NONE,
		.apic_base = LAPIC_BASE_RESET | (index == 0 ? LAPIC_BASE_BSP : 0),
		.xcr0 = 1,	/* x87 state, which is always on (SDM, "XSETBV") */
		.misc_enable = MISC_ENABLE_RESET,
	};
	lapic_reset(&cpu->lapic, index);
	if (index == 0)
		lapic_virtual_wire(&cpu->lapic);
}

void vm_reset(struct vm *vm)
{
	for (unsigned i = 0; i < VM_MAX_CPUS; i++)
		cpu_reset(&vm->cpu[i], i);
	uart_reset(&vm->uart, vm->config.console_input);
	pit_reset(&vm->pit);
	rtc_reset(vm);
	vm->chipset = (struct chipset){ 0 };
	pm_reset(&vm->chipset);
	i8042_reset(&vm->chipset);
	ioapic_reset(&vm->ioapic);
	pic_reset(&vm->pic);
	/* The 8254's output is high from the start, and that is no edge. */
	vm->ioapic.lines = 1u << IRQ_PIT;
	vm->pic.chip[0].seen = 1u << IRQ_PIT;
	vm->stop = (struct vm_stop){ .kind = STOP_NONE };
	vm->absent_io = 0;
	vm->timer_next = vm->uart.poll_at;
	vm->hidden = vm->config.tsc_start;
	for (unsigned i = 0; i < VM_MAX_CONTROLLERS; i++)
		vm->chain[i] = 0;
	for (unsigned i = 0; i < sizeof(vm->reserved); i++)
		vm->reserved[i] = 0;
	vm->touched = 0;
}

void vm_end(struct vm *vm, enum stop_kind kind, uint64_t value)
{
	vm->stop = (struct vm_stop){ .kind = kind, .value = value };
	vm_touch(vm, VM_DEVICE_VM);
}

void vm_count_absent(struct vm *vm)
{
	vm->absent_io++;
	vm_touch(vm, VM_DEVICE_VM);
}

uint64_t vm_preemption_timer(const struct vm_config *config, uint64_t deadline, uint64_t now)
{
	return vm_timer_value(config, deadline, now);
}
