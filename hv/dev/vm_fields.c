/*
 * vm_fields.c: struct vm, described row by row, for the trace.
 *
 * Read by the codec (session frames, keyframes, check bytes) through vm_fields[]. A member of struct vm
 * that has no row here is lost between a recording and its replay: test/unit/vm_fields_test.c fails then.
 */
#include <stddef.h>

#include "vm.h"

#define MEMBER_SIZE(type, member) sizeof(((type *)0)->member)

/* `count` elements of `size` bytes, which together are the whole member. */
#define ROW(text, device, type, base, member, size, count)                                       \
	{                                                                                        \
		text, (base) + offsetof(type, member), size, device,                             \
		(count) + 0 * sizeof(char[MEMBER_SIZE(type, member) == (size) * (count) ? 1 : -1]) \
	}

#define CONFIG(member, size, count) \
	ROW("config." #member, VM_DEVICE_CONFIG, struct vm_config, offsetof(struct vm, config), member, size, count)
#define CPU(member, size, count) \
	ROW("cpu." #member, VM_DEVICE_CPU0, struct vm_cpu, offsetof(struct vm, cpu), member, size, count)
#define LAPIC(member, size, count)                                                               \
	ROW("cpu.lapic." #member, VM_DEVICE_CPU0, struct lapic,                                  \
	    offsetof(struct vm, cpu) + offsetof(struct vm_cpu, lapic), member, size, count)
#define UART(member, size, count) \
	ROW("uart." #member, VM_DEVICE_UART, struct uart, offsetof(struct vm, uart), member, size, count)
#define STOP(member, size, count) \
	ROW("vm.stop." #member, VM_DEVICE_VM, struct vm_stop, offsetof(struct vm, stop), member, size, count)
#define VM(member, size, count) \
	ROW("vm." #member, VM_DEVICE_VM, struct vm, 0, member, size, count)

const struct vm_field vm_fields[] = {
	CONFIG(memory_size, 8, 1),
	CONFIG(tsc_khz, 8, 1),
	CONFIG(cpu_count, 4, 1),
	CONFIG(preemption_timer_shift, 4, 1),
	CONFIG(hide_tracing_time, 4, 1),
	CONFIG(cpuid_count, 4, 1),
	CONFIG(xcr0_allowed, 8, 1),
	CONFIG(xss_allowed, 8, 1),
	CONFIG(cr0_fixed0, 8, 1),
	CONFIG(cr0_fixed1, 8, 1),
	CONFIG(cr4_fixed0, 8, 1),
	CONFIG(cr4_fixed1, 8, 1),
	CONFIG(host_random, 4, 1),
	CONFIG(phys_bits, 4, 1),
	CONFIG(cr4_allowed, 8, 1),
	CONFIG(cpuid_index, 1, CPUID_RANGES * CPUID_RANGE_LEAVES),
	CONFIG(cpuid, 4, VM_MAX_CPUID * sizeof(struct vm_cpuid) / 4),

	CPU(activity, 4, 1),
	CPU(nmi_pending, 4, 1),
	CPU(init_pending, 4, 1),
	CPU(sipi_pending, 4, 1),
	CPU(attention, 4, 1),
	CPU(reserved, 4, 1),
	CPU(wake_at, 8, 1),
	CPU(apic_base, 8, 1),
	CPU(xcr0, 8, 1),
	CPU(xss, 8, 1),
	CPU(misc_enable, 8, 1),
	CPU(tsc_offset, 8, 1),
	CPU(mtrr_def_type, 8, 1),
	CPU(mtrr_fixed, 8, 11),
	CPU(mtrr_var, 8, 16),

	LAPIC(id, 4, 1),
	LAPIC(tpr, 4, 1),
	LAPIC(ldr, 4, 1),
	LAPIC(dfr, 4, 1),
	LAPIC(svr, 4, 1),
	LAPIC(esr, 4, 1),
	LAPIC(esr_pending, 4, 1),
	LAPIC(icr_low, 4, 1),
	LAPIC(icr_high, 4, 1),
	LAPIC(lvt_timer, 4, 1),
	LAPIC(lvt_thermal, 4, 1),
	LAPIC(lvt_perf, 4, 1),
	LAPIC(lvt_lint0, 4, 1),
	LAPIC(lvt_lint1, 4, 1),
	LAPIC(lvt_error, 4, 1),
	LAPIC(divide, 4, 1),
	LAPIC(initial_count, 4, 1),
	LAPIC(reserved, 4, 1),
	LAPIC(isr, 4, 8),
	LAPIC(tmr, 4, 8),
	LAPIC(irr, 4, 8),
	LAPIC(timer_base, 8, 1),
	LAPIC(timer_deadline, 8, 1),

	UART(poll_at, 8, 1),
	UART(ier, 1, 1),
	UART(lcr, 1, 1),
	UART(mcr, 1, 1),
	UART(fcr, 1, 1),
	UART(scratch, 1, 1),
	UART(dll, 1, 1),
	UART(dlm, 1, 1),
	UART(rx_count, 1, 1),
	UART(rx, 1, 16),
	UART(thr_empty_pending, 1, 1),
	UART(line, 1, 1),
	UART(reserved, 1, 6),

	STOP(kind, 4, 1),
	STOP(reserved, 4, 1),
	STOP(value, 8, 1),
	VM(absent_io, 8, 1),
	VM(timer_next, 8, 1),
	VM(hidden, 8, 1),
	VM(chain, 1, VM_MAX_CONTROLLERS),
	VM(reserved, 1, 4),
};

const unsigned vm_field_count = sizeof(vm_fields) / sizeof(vm_fields[0]);
