/*
 * platform.h: the machine that a guest of vexit sees: ports, addresses, hypercalls.
 *
 * Read by the device models (hv/dev), the exit handlers (hv/exit) and by guests
 * written in C or assembly, so it holds #defines alone.
 */
#ifndef VEXIT_PLATFORM_H
#define VEXIT_PLATFORM_H

/* ---- Port I/O ---- */
#define PORT_PIC_MASTER      0x20    /* 8259A, two ports; the slave's are at 0xa0, ELCR at 0x4d0, 0x4d1 */
#define PORT_PIC_SLAVE       0xa0
#define PORT_ELCR            0x4d0
#define PORT_PIT             0x40    /* 8254, four ports */
#define PORT_SYSTEM          0x61    /* gate and output of PIT channel 2 */
#define PORT_RTC             0x70    /* MC146818: index, data */
#define PORT_8042            0x64    /* keyboard controller: no keyboard; command 0xfe resets */
#define PORT_FAST_RESET      0x92    /* system control port A: bit 0 set resets */
#define PORT_PCI             0xcf8   /* configuration mechanism 1: address, data; the bus is empty */
#define PORT_PM1_EVENT       0x600   /* ACPI PM1a event block: status, enable */
#define PORT_UART            0x3f8   /* 16550, eight ports: the guest's console */
#define PORT_DEBUG_EXIT      0xf4    /* OUT ends the run; the value written is the guest's verdict (0 = success) */
#define PORT_RESET           0xcf9   /* reset control: bit 2 set on a write resets */
#define PORT_POWER_OFF       0x604   /* ACPI PM1a control: OUT of PORT_POWER_OFF_VALUE (16 bits) powers off: SLP_EN, and SLP_TYP 0 for S5 */
#define PORT_POWER_OFF_VALUE 0x2000

/* ---- Memory-mapped I/O (guest-physical addresses) ---- */
#define MMIO_CONSOLE         0xd0000000 /* one page: each byte written at offset 0 is printed; reads give 0 */
#define MMIO_IOAPIC          0xfec00000 /* I/O APIC, 24 pins: ISA IRQs, but IRQ 0 at pin 2 */
#define MMIO_LAPIC           0xfee00000 /* local APIC, xAPIC layout, one page */

/* ---- Hypercalls: VMCALL with the number in RAX, arguments in RBX, RCX, RDX, RSI (KVM's convention) ---- */
#define HYPERCALL_NOP        0       /* returns 0 */
#define HYPERCALL_PRINT      1       /* RBX = guest-linear address, RCX = bytes (at most HYPERCALL_PRINT_MAX) */
#define HYPERCALL_PRINT_MAX  4096

/* RAX on return: 0 or a count on success, otherwise one of these (negative, 64-bit) */
#define HYPERCALL_EPERM      (-1)    /* caller is not at CPL 0 */
#define HYPERCALL_EFAULT     (-14)   /* the string is not mapped, or lies outside the guest's memory; nothing is printed */
#define HYPERCALL_EINVAL     (-22)   /* too long */
#define HYPERCALL_ENOSYS     (-38)   /* no such hypercall */

/* ---- CPUID: hypervisor leaves ---- */
#define CPUID_HYPERVISOR     0x40000000 /* EAX = highest leaf; EBX, ECX, EDX = "vexitvexitvx" */
#define CPUID_HYPERVISOR_TSC 0x40000010 /* EAX = TSC frequency, EBX = local APIC timer frequency, both in kHz */
#define CPUID_SIGNATURE_EBX  0x69786576 /* "vexi" */
#define CPUID_SIGNATURE_ECX  0x78657674 /* "tvex" */
#define CPUID_SIGNATURE_EDX  0x78767469 /* "itvx" */
#define CPUID_KVM            0x40000100 /* KVM's leaves, for x2APIC in Linux (cpuid_policy.c): "KVMKVMKVM" and three zeros */
#define CPUID_KVM_FEATURES   0x40000101 /* EAX: KVM's feature bits */
#define CPUID_KVM_EBX        0x4b4d564b
#define CPUID_KVM_ECX        0x564b4d56
#define CPUID_KVM_EDX        0x4d

#endif
