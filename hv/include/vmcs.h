/*
 * vmcs.h: VMCS fields by name, and the bits of those that handlers read.
 *
 * A field is named by its slot: its row in vmcs.def. `vmcs_encoding[]` gives what VMREAD takes.
 * Bit names follow the SDM, chapter "Virtual-Machine Control Structures".
 */
#ifndef VEXIT_VMCS_H
#define VEXIT_VMCS_H

#include <stdbool.h>
#include <stdint.h>

enum vmcs_slot {
#define VMCS(name, encoding, change) VMCS_##name,
#include "vmcs.def"
#undef VMCS
	VMCS_SLOTS
};

/* Who changes a field: see vmcs.def. */
enum vmcs_change { VMCS_CHANGE_GUEST, VMCS_CHANGE_INFO, VMCS_CHANGE_OPTION, VMCS_CHANGE_KEPT, VMCS_CHANGE_HOST };

enum vmcs_width { VMCS_WIDTH_16, VMCS_WIDTH_64, VMCS_WIDTH_32, VMCS_WIDTH_NATURAL };	/* bits 14:13 */
enum vmcs_class { VMCS_CLASS_CONTROL, VMCS_CLASS_INFO, VMCS_CLASS_GUEST, VMCS_CLASS_HOST }; /* bits 11:10 */

struct vmcs_field {
	uint16_t encoding;
	uint8_t change;		/* enum vmcs_change */
	const char *name;	/* "GUEST_RIP" */
};

extern const struct vmcs_field vmcs_fields[VMCS_SLOTS];	/* hv/trace/tables.c */

static inline enum vmcs_width vmcs_encoding_width(uint16_t encoding)
{
	return encoding >> 13 & 3;
}

static inline enum vmcs_class vmcs_encoding_class(uint16_t encoding)
{
	return encoding >> 10 & 3;
}

/* One bit a slot, as words. */
#define VMCS_WORDS ((VMCS_SLOTS + 63) / 64)

/* ---- Pin-based VM-execution controls ---- */
#define PIN_EXTERNAL_INTERRUPT	(1u << 0)
#define PIN_NMI			(1u << 3)
#define PIN_VIRTUAL_NMIS	(1u << 5)
#define PIN_PREEMPTION_TIMER	(1u << 6)

/* ---- Primary processor-based VM-execution controls ---- */
#define PROC_INTERRUPT_WINDOW	(1u << 2)
#define PROC_TSC_OFFSETTING	(1u << 3)
#define PROC_HLT		(1u << 7)
#define PROC_INVLPG		(1u << 9)
#define PROC_MWAIT		(1u << 10)
#define PROC_RDPMC		(1u << 11)
#define PROC_RDTSC		(1u << 12)
#define PROC_CR3_LOAD		(1u << 15)
#define PROC_CR3_STORE		(1u << 16)
#define PROC_CR8_LOAD		(1u << 19)
#define PROC_CR8_STORE		(1u << 20)
#define PROC_TPR_SHADOW		(1u << 21)
#define PROC_NMI_WINDOW		(1u << 22)
#define PROC_MOV_DR		(1u << 23)
#define PROC_UNCONDITIONAL_IO	(1u << 24)
#define PROC_IO_BITMAPS		(1u << 25)
#define PROC_MONITOR_TRAP	(1u << 27)
#define PROC_MSR_BITMAPS	(1u << 28)
#define PROC_MONITOR		(1u << 29)
#define PROC_PAUSE		(1u << 30)
#define PROC_SECONDARY		(1u << 31)

/* ---- Secondary processor-based VM-execution controls ---- */
#define PROC2_VIRTUALIZE_APIC	(1u << 0)
#define PROC2_EPT		(1u << 1)
#define PROC2_DESCRIPTOR_TABLE	(1u << 2)
#define PROC2_RDTSCP		(1u << 3)
#define PROC2_VIRTUALIZE_X2APIC	(1u << 4)
#define PROC2_VPID		(1u << 5)
#define PROC2_WBINVD		(1u << 6)
#define PROC2_UNRESTRICTED	(1u << 7)
#define PROC2_APIC_REGISTERS	(1u << 8)
#define PROC2_VIRTUAL_INTR	(1u << 9)
#define PROC2_PAUSE_LOOP	(1u << 10)
#define PROC2_RDRAND		(1u << 11)
#define PROC2_INVPCID		(1u << 12)
#define PROC2_VMFUNC		(1u << 13)
#define PROC2_RDSEED		(1u << 16)
#define PROC2_XSAVES		(1u << 20)

/* ---- VM-exit and VM-entry controls ---- */
#define EXIT_SAVE_DEBUG		(1u << 2)
#define EXIT_HOST_64		(1u << 9)
#define EXIT_ACK_INTERRUPT	(1u << 15)
#define EXIT_SAVE_PAT		(1u << 18)
#define EXIT_LOAD_PAT		(1u << 19)
#define EXIT_SAVE_EFER		(1u << 20)
#define EXIT_LOAD_EFER		(1u << 21)
#define ENTRY_LOAD_DEBUG	(1u << 2)
#define ENTRY_IA32E		(1u << 9)
#define ENTRY_LOAD_PAT		(1u << 14)
#define ENTRY_LOAD_EFER		(1u << 15)

/* ---- Interruption information: VM-entry, VM-exit, IDT-vectoring ---- */
#define INTR_INFO_VECTOR	0xffu
#define INTR_INFO_TYPE		(7u << 8)
#define INTR_INFO_ERROR_CODE	(1u << 11)
#define INTR_INFO_NMI_UNBLOCK	(1u << 12)	/* VM-exit and IDT-vectoring information alone */
#define INTR_INFO_VALID		(1u << 31)
#define INTR_TYPE_EXTERNAL	(0u << 8)
#define INTR_TYPE_NMI		(2u << 8)
#define INTR_TYPE_HARDWARE	(3u << 8)	/* hardware exception */
#define INTR_TYPE_SOFTWARE	(4u << 8)	/* INT n */
#define INTR_TYPE_PRIVILEGED	(5u << 8)	/* INT1 */
#define INTR_TYPE_SOFTWARE_EXC	(6u << 8)	/* INT3, INTO */

/* ---- Guest interruptibility state, activity state ---- */
#define BLOCKING_STI		(1u << 0)
#define BLOCKING_MOV_SS		(1u << 1)
#define BLOCKING_SMI		(1u << 2)
#define BLOCKING_NMI		(1u << 3)
#define ACTIVITY_ACTIVE		0
#define ACTIVITY_HLT		1
#define ACTIVITY_SHUTDOWN	2
#define ACTIVITY_WAIT_SIPI	3

/* ---- Exit reason ---- */
#define EXIT_REASON_BASIC	0xffffu
enum exit_reason {
#define EXIT(number, name, handler, lock) REASON_##name = number,
#include "exits.def"
#undef EXIT
};
#define EXIT_REASON_ENTRY_FAILURE (1u << 31)

/* ---- Segment access rights ---- */
#define AR_DB			(1u << 14)
#define AR_LONG			(1u << 13)
#define AR_DPL			(3u << 5)
#define AR_UNUSABLE		(1u << 16)

#endif
