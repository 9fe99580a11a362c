/*
 * vm.h: what the hypervisor remembers of a VM beyond an exit, as plain data without pointers.
 *
 * After boot only the core writes it. Each member has a row in vm_fields[] (hv/dev/vm_fields.c), through
 * which it is written to session frames (config) and keyframes (the rest), and checked step by step. Device
 * code marks what it changed by vm_touch(); marks are not state.
 */
#ifndef VEXIT_VM_H
#define VEXIT_VM_H

#include "vcpu.h"

#define VM_MAX_CPUS		8
#define VM_MAX_CPUID		64
#define VM_MAX_CONTROLLERS	4

/* ---- Configuration: fixed at boot, in the session frame alone ---- */

struct vm_cpuid {		/* one row of the guest's CPUID policy */
	uint32_t leaf, subleaf;	/* subleaf is CPUID_ANY_SUBLEAF where the leaf has none */
	uint32_t eax, ebx, ecx, edx;
};
#define CPUID_ANY_SUBLEAF UINT32_MAX
#define CPUID_RANGES		4	/* basic, hypervisor (0x40000000), extended (0x80000000), KVM's (0x40000100) */
#define CPUID_RANGE_LEAVES	32	/* leaves at a range's start that may have rows */

struct vm_config {
	uint64_t memory_size;		/* bytes of guest memory, from GPA 0 */
	uint64_t tsc_khz;		/* the TSC's frequency, as told to the guest */
	uint32_t cpu_count;
	uint32_t preemption_timer_shift;/* the timer counts once in 2^shift TSC cycles (IA32_VMX_MISC bits 4:0) */
	uint32_t hide_tracing_time;
	uint32_t cpuid_count;
	uint64_t xcr0_allowed;		/* XCR0 bits that the guest may set */
	uint64_t xss_allowed;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint64_t tsc_start;		/* host TSC at the VM's time 0, just before its first entry */
	uint64_t rtc_start;		/* time of day at the VM's time 0: seconds since 1970 */
	uint32_t console_input;		/* somebody may type at the console: it is asked for input */
	uint32_t reserved;
	uint32_t host_random;		/* the guest may have RDRAND and RDSEED */
	/* Made by cpuid_build_policy(), for short paths. */
	uint32_t phys_bits;		/* MAXPHYADDR */
	uint64_t cr4_allowed;		/* CR4 bits that the guest may set: what its CPUID and VMX operation allow */
	uint64_t arch_capabilities;	/* IA32_ARCH_CAPABILITIES; 0: the guest hasn't that MSR */
	uint8_t cpuid_index[CPUID_RANGES * CPUID_RANGE_LEAVES]; /* a leaf's first row + 1, 0 = none */
	struct vm_cpuid cpuid[VM_MAX_CPUID]; /* rows of one leaf lie together */
};

/*
 * ---- State: in keyframes ----
 *
 * All times of devices are the VM's time: host TSC less what is hidden of it, vm_time(). Guest TSC, APIC
 * timers, PIT, RTC and console polling count it, so that they can't drift apart.
 */

enum cpu_activity {
	CPU_RUNNING,
	CPU_HALTED,		/* in HLT: an interrupt, NMI, INIT ends it */
	CPU_WAIT_SIPI,
	CPU_HALTED_MASKED,	/* in HLT with RFLAGS.IF clear: only NMI and INIT end it */
};

struct lapic {			/* local APIC (SDM, "Advanced Programmable Interrupt Controller"); its mode is apic_base's */
	uint32_t id;		/* in bits 31:24, in both modes */
	uint32_t tpr;
	uint32_t ldr, dfr, svr;
	uint32_t esr, esr_pending; /* as last written out; errors since */
	uint32_t icr_low, icr_high; /* xAPIC: destination in bits 31:24 of icr_high; x2APIC: all of it */
	uint32_t lvt_timer, lvt_thermal, lvt_perf, lvt_lint0, lvt_lint1, lvt_error;
	uint32_t divide, initial_count;
	uint32_t reserved;
	uint32_t isr[8], tmr[8], irr[8];
	uint64_t timer_base;	/* when the count began, or TIME_NONE: it stands still */
	uint64_t timer_deadline;/* of its next interrupt; TIME_NONE: none, or masked */
	uint64_t tsc_deadline;	/* IA32_TSC_DEADLINE: guest TSC; 0 = not armed, or not in that mode */
};

struct vm_cpu {
	uint32_t activity;	/* enum cpu_activity */
	uint32_t nmi_pending;
	uint32_t init_pending;
	uint32_t sipi_pending;	/* SIPI vector + 1, 0 = none */
	uint32_t attention;	/* 1: the next entry step must look at the events above and below, and at lapic.irr */
	uint32_t extint_pending;/* an ExtINT message of the I/O APIC: its vector is the 8259 pair's */
	uint64_t wake_at;	/* VM's time, as the last entry step left it; TIME_NONE = event only */
	uint64_t apic_base;	/* IA32_APIC_BASE */
	uint64_t xcr0;
	uint64_t xss;
	uint64_t misc_enable;
	uint64_t tsc_offset;	/* guest TSC - the VM's time */
	uint64_t pv_eoi;	/* MSR_KVM_EOI_EN, pv_eoi.h */
	uint64_t pv_eoi_offered;/* 1: an interrupt may have ended in the guest's word */
	uint64_t mtrr_def_type;
	uint64_t mtrr_fixed[11];
	uint64_t mtrr_var[16];
	struct lapic lapic;
};

struct uart {			/* 16550, as the guest sees it; LSR, IIR and MSR follow from these */
	uint64_t poll_at;	/* when an entry step asks for input next, as a timer; TIME_NONE: never */
	uint8_t ier, lcr, mcr, fcr, scratch;
	uint8_t dll, dlm;
	uint8_t rx_count;
	uint8_t rx[16];		/* receive FIFO, oldest first */
	uint8_t thr_empty_pending; /* THRE interrupt not yet acknowledged by an IIR read */
	uint8_t line;		/* its interrupt request, IRQ 4 */
	uint8_t reserved[6];
};

struct pit_channel {		/* a counter of the 8254; clocks are its own, counted from the VM's time 0 */
	uint64_t base;		/* clock at which the count was loaded, or all ones: it wasn't */
	uint64_t stopped;	/* clocks counted when the gate went low, or all ones: it counts */
	uint64_t next_at, next_base; /* clock from which `next` counts, and its base then */
	uint64_t deadline;	/* VM's time at which the output rises next; channel 0's alone */
	uint32_t count;		/* 1 to 65536; 0: none was written */
	uint32_t next;		/* one that was written while another runs; 0: none */
	uint16_t latch;		/* count as latched */
	uint8_t control;	/* control word, bits 5:0 */
	uint8_t status;		/* status byte as latched */
	uint8_t gate;
	uint8_t low_byte;	/* of a count half written */
	uint8_t latched_bytes;	/* of `latch` still to be read */
	uint8_t status_latched;
	uint8_t half_written, half_read; /* the next byte is the high one */
	uint8_t reserved[6];
};

struct pit {
	struct pit_channel channel[3];
	uint8_t system_control;	/* port 0x61, bits 3:0 */
	uint8_t reserved[7];
};

#define RTC_CMOS 128

struct rtc {			/* MC146818; its clock counts 32768 Hz from the VM's time 0 */
	uint64_t second;	/* since 1970, */
	uint64_t origin;	/* and the clock at which it began */
	uint64_t flags_since;	/* clock up to which events are in `flags` */
	uint64_t deadline;	/* VM's time of the next interrupt */
	uint8_t cmos[RTC_CMOS];	/* by address; time of day only while the clock is held still */
	uint8_t index;
	uint8_t flags;		/* register C without IRQF */
	uint8_t reserved[6];
};

struct chipset {		/* what is too small for a device of its own */
	uint32_t pci_address;
	uint16_t pm1_status, pm1_enable, pm1_control;
	uint8_t reset_control;	/* port 0xcf9 */
	uint8_t i8042_command, i8042_status, i8042_data;
	uint8_t i8042_awaits;	/* the command whose data comes next; 0: none */
	uint8_t reserved;
};

#define IOAPIC_PINS 24

struct ioapic {			/* 82093AA, with the EOI register of later ones */
	uint64_t redirection[IOAPIC_PINS];
	uint32_t id;		/* as its register has it: in bits 27:24 */
	uint32_t select;
	uint32_t lines;		/* ISA IRQs by number: what devices request now; the 8259 pair has the same wires */
	uint32_t reserved;
};

struct pic {			/* the 8259A pair; requests follow from ioapic.lines */
	struct pic_chip {
		uint8_t imr, isr;
		uint8_t seen;	/* edges that were served, or don't count: the line must fall first */
		uint8_t elcr;	/* level-triggered inputs */
		uint8_t base;	/* vector of IR0 */
		uint8_t step;	/* initialization word that comes next, 2 to 4; 0: initialized */
		uint8_t lowest;	/* the input of lowest priority */
		uint8_t flags;	/* PIC_… in pic.c */
	} chip[2];
	uint8_t intr;		/* the master's output, wired to every LINT0 and to pin 0 of the I/O APIC */
	uint8_t reserved[7];
};

/* How the VM ends. The log's `vexit: verdict KIND VALUE` and the closing frame have these. */
#define STOP_KINDS(X)                                                    \
	X(0, NONE, "none")                                               \
	X(1, DEBUG_EXIT, "debug-exit")	/* value written to port 0xf4 */ \
	X(2, POWER_OFF, "power-off")                                     \
	X(3, RESET, "reset")                                             \
	X(4, TRIPLE_FAULT, "triple-fault")                               \
	X(5, UNHANDLED, "unhandled")	/* value: exit reason */         \
	X(6, ENTRY_FAILURE, "entry-failure") /* value: qualification */  \
	X(7, DEADLOCK, "deadlock")	/* no vCPU can ever run again */ \
	X(8, STOPPED, "stopped")	/* the recorder asked; metal */  \
	X(9, PANIC, "panic")		/* metal */                      \
	X(10, HOST_ERROR, "host-error")	/* metal */
enum stop_kind {
#define X(number, name, text) STOP_##name = number,
	STOP_KINDS(X)
#undef X
};

struct vm_stop {
	uint32_t kind;		/* enum stop_kind */
	uint32_t reserved;
	uint64_t value;
};

struct vm {
	struct vm_config config;
	struct vm_cpu cpu[VM_MAX_CPUS];
	struct uart uart;
	struct pit pit;
	struct rtc rtc;
	struct chipset chipset;
	struct ioapic ioapic;
	struct pic pic;
	struct vm_stop stop;
	uint64_t absent_io;	/* accesses to ports and addresses where nothing is */
	uint64_t timer_next;	/* the nearest deadline of all timers: timers.c */
	uint64_t hidden;	/* host TSC cycles that the VM's time leaves out: before it, and with hide_tracing_time the tracer's */
	uint8_t chain[VM_MAX_CONTROLLERS]; /* extra controllers asked before exits.def's handler: indexes into exit_controllers[], 0 ends */
	uint8_t reserved[4];
	uint64_t touched;	/* devices that this step changed: 1 << enum vm_device; not state */
};

/*
 * The PC's devices: X(number, NAME, member of struct vm), in ascending order. Each is a struct of whole words.
 */
#define VM_DEVICES(X)       \
	X(8, UART, uart)      \
	X(10, IOAPIC, ioapic) \
	X(11, PIC, pic)       \
	X(12, PIT, pit)       \
	X(13, RTC, rtc)       \
	X(14, CHIPSET, chipset)

/* What has a check byte of its own. Bits of vm->touched; the trace's numbers. */
enum vm_device {
	VM_DEVICE_CPU0 = 0,			/* vm->cpu[i] is VM_DEVICE_CPU0 + i */
	VM_DEVICE_VM = VM_MAX_CPUS + 1,		/* stop, counters, chain */
#define X(number, name, member) VM_DEVICE_##name = number,
	VM_DEVICES(X)
#undef X
	VM_DEVICE_END,
	VM_DEVICE_COUNT = VM_DEVICE_END > VM_DEVICE_VM ? (int)VM_DEVICE_END : VM_DEVICE_VM + 1,
	VM_DEVICE_CONFIG = 0xff,		/* rows of the session frame; never touched */
};

static inline void vm_touch(struct vm *vm, unsigned device)
{
	vm->touched |= UINT64_C(1) << device;
}

static inline void vm_touch_cpu(struct vm *vm, unsigned index)
{
	vm_touch(vm, VM_DEVICE_CPU0 + index);
}

/* The VM's time in a step at host time `tsc`, in TSC cycles. */
static inline uint64_t vm_time(const struct vm *vm, uint64_t tsc)
{
	return tsc - vm->hidden;
}

static inline bool vm_has_memory(const struct vm *vm, uint64_t gpa, uint64_t len)
{
	return len <= vm->config.memory_size && gpa <= vm->config.memory_size - len;
}

/*
 * struct vm, described: a row is `count` elements of `size` (1, 2, 4 or 8) bytes at `offset`. The rows of
 * VM_DEVICE_CPU0 hold for each cpu[i], `sizeof(struct vm_cpu)` further. vm_fields[], in order, is what a
 * session frame carries by name, what a keyframe holds, and what check bytes are computed over.
 */
struct vm_field {
	const char *name;	/* "uart.ier", "cpu.wake_at", "config.tsc_khz" */
	uint32_t offset;
	uint8_t size;
	uint8_t device;		/* enum vm_device */
	uint16_t count;
};

extern const struct vm_field vm_fields[];	/* hv/dev/vm_fields.c */
extern const unsigned vm_field_count;

/* Reset values of everything but config, which must be set before. hv/dev/vm.c */
void vm_reset(struct vm *vm);

/*
 * The preemption timer's start value for a deadline, both in host TSC cycles: at most half a second
 * ahead (which TIME_NONE gives), so that a guest without exits can't keep a frame open. The codec
 * predicts the VMCS field by this; FORMAT.md states it. hv/dev/vm.c
 */
uint64_t vm_preemption_timer(const struct vm_config *config, uint64_t deadline, uint64_t now);

/* What the host's processor offers, for the guest's policy; read by metal at boot, once. */
struct host_cpuid {
	uint32_t leaf, subleaf, eax, ebx, ecx, edx;
};

/*
 * Fill config->cpuid from what the host has: known features alone, VMX and what we don't handle masked, our
 * hypervisor leaves added. `arch_capabilities` is the host's MSR of that name, 0 where it has none. Needs
 * cpu_count, tsc_khz and the allowed masks set. hv/exit/cpuid_policy.c
 */
void cpuid_build_policy(struct vm_config *config, const struct host_cpuid *host, unsigned count,
			uint64_t arch_capabilities);

#endif
