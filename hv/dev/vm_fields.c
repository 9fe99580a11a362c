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
#define PIT_CHANNEL(n, member, size)                                                             \
	ROW("pit.channel" #n "." #member, VM_DEVICE_PIT, struct pit_channel,                     \
	    offsetof(struct vm, pit.channel[n]), member, size, sizeof(((struct pit_channel *)0)->member) / size)
#define PIT_CHANNEL_ROWS(n)                                                                      \
	PIT_CHANNEL(n, base, 8), PIT_CHANNEL(n, stopped, 8), PIT_CHANNEL(n, next_at, 8),         \
	PIT_CHANNEL(n, next_base, 8), PIT_CHANNEL(n, deadline, 8), PIT_CHANNEL(n, count, 4),     \
	PIT_CHANNEL(n, next, 4), PIT_CHANNEL(n, latch, 2), PIT_CHANNEL(n, control, 1),           \
	PIT_CHANNEL(n, status, 1), PIT_CHANNEL(n, gate, 1), PIT_CHANNEL(n, low_byte, 1),         \
	PIT_CHANNEL(n, latched_bytes, 1), PIT_CHANNEL(n, status_latched, 1),                     \
	PIT_CHANNEL(n, half_written, 1), PIT_CHANNEL(n, half_read, 1), PIT_CHANNEL(n, reserved, 1)
#define PIT(member, size, count) \
	ROW("pit." #member, VM_DEVICE_PIT, struct pit, offsetof(struct vm, pit), member, size, count)
#define RTC(member, size, count) \
	ROW("rtc." #member, VM_DEVICE_RTC, struct rtc, offsetof(struct vm, rtc), member, size, count)
#define CHIPSET(member, size, count) \
	ROW("chipset." #member, VM_DEVICE_CHIPSET, struct chipset, offsetof(struct vm, chipset), member, size, count)
#define IOAPIC(member, size, count) \
	ROW("ioapic." #member, VM_DEVICE_IOAPIC, struct ioapic, offsetof(struct vm, ioapic), member, size, count)
#define PIC(member, size, count) \
	ROW("pic." #member, VM_DEVICE_PIC, struct pic, offsetof(struct vm, pic), member, size, count)
#define PIC_CHIP(chip, index, member)                                                             \
	ROW("pic." chip "." #member, VM_DEVICE_PIC, struct pic_chip,                              \
	    offsetof(struct vm, pic) + index * sizeof(struct pic_chip), member, 1, 1)
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
	CONFIG(tsc_start, 8, 1),
	CONFIG(rtc_start, 8, 1),
	CONFIG(console_input, 4, 1),
	CONFIG(reserved, 4, 1),
	CONFIG(host_random, 4, 1),
	CONFIG(phys_bits, 4, 1),
	CONFIG(cr4_allowed, 8, 1),
	CONFIG(arch_capabilities, 8, 1),
	CONFIG(cpuid_index, 1, CPUID_RANGES * CPUID_RANGE_LEAVES),
	CONFIG(cpuid, 4, VM_MAX_CPUID * sizeof(struct vm_cpuid) / 4),

	CPU(activity, 4, 1),
	CPU(nmi_pending, 4, 1),
	CPU(init_pending, 4, 1),
	CPU(sipi_pending, 4, 1),
	CPU(attention, 4, 1),
	CPU(extint_pending, 4, 1),
	CPU(wake_at, 8, 1),
	CPU(apic_base, 8, 1),
	CPU(xcr0, 8, 1),
	CPU(xss, 8, 1),
	CPU(misc_enable, 8, 1),
	CPU(tsc_offset, 8, 1),
	CPU(pv_eoi, 8, 1),
	CPU(pv_eoi_offered, 8, 1),
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
	LAPIC(tsc_deadline, 8, 1),

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

	PIT_CHANNEL_ROWS(0),
	PIT_CHANNEL_ROWS(1),
	PIT_CHANNEL_ROWS(2),
	PIT(system_control, 1, 1),
	PIT(reserved, 1, 7),

	RTC(second, 8, 1),
	RTC(origin, 8, 1),
	RTC(flags_since, 8, 1),
	RTC(deadline, 8, 1),
	RTC(cmos, 1, RTC_CMOS),
	RTC(index, 1, 1),
	RTC(flags, 1, 1),
	RTC(reserved, 1, 6),

	CHIPSET(pci_address, 4, 1),
	CHIPSET(pm1_status, 2, 1),
	CHIPSET(pm1_enable, 2, 1),
	CHIPSET(pm1_control, 2, 1),
	CHIPSET(reset_control, 1, 1),
	CHIPSET(i8042_command, 1, 1),
	CHIPSET(i8042_status, 1, 1),
	CHIPSET(i8042_data, 1, 1),
	CHIPSET(i8042_awaits, 1, 1),
	CHIPSET(reserved, 1, 1),

	IOAPIC(redirection, 8, IOAPIC_PINS),
	IOAPIC(id, 4, 1),
	IOAPIC(select, 4, 1),
	IOAPIC(lines, 4, 1),
	IOAPIC(reserved, 4, 1),

	PIC_CHIP("master", 0, imr),
	PIC_CHIP("master", 0, isr),
	PIC_CHIP("master", 0, seen),
	PIC_CHIP("master", 0, elcr),
	PIC_CHIP("master", 0, base),
	PIC_CHIP("master", 0, step),
	PIC_CHIP("master", 0, lowest),
	PIC_CHIP("master", 0, flags),
	PIC_CHIP("slave", 1, imr),
	PIC_CHIP("slave", 1, isr),
	PIC_CHIP("slave", 1, seen),
	PIC_CHIP("slave", 1, elcr),
	PIC_CHIP("slave", 1, base),
	PIC_CHIP("slave", 1, step),
	PIC_CHIP("slave", 1, lowest),
	PIC_CHIP("slave", 1, flags),
	PIC(intr, 1, 1),
	PIC(reserved, 1, 7),

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
