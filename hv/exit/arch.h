/*
 * arch.h: architectural bits that handlers, decoder and page walk share. Names and values are the SDM's.
 */
#ifndef VEXIT_EXIT_ARCH_H
#define VEXIT_EXIT_ARCH_H

#include <stdint.h>

/* SDM, "Control Registers" */
#define CR0_PE		(UINT64_C(1) << 0)
#define CR0_MP		(UINT64_C(1) << 1)
#define CR0_EM		(UINT64_C(1) << 2)
#define CR0_TS		(UINT64_C(1) << 3)
#define CR0_ET		(UINT64_C(1) << 4)
#define CR0_NE		(UINT64_C(1) << 5)
#define CR0_WP		(UINT64_C(1) << 16)
#define CR0_AM		(UINT64_C(1) << 18)
#define CR0_NW		(UINT64_C(1) << 29)
#define CR0_CD		(UINT64_C(1) << 30)
#define CR0_PG		(UINT64_C(1) << 31)
#define CR0_DEFINED	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

#define CR3_PCID	UINT64_C(0xfff)
#define CR3_NO_FLUSH	(UINT64_C(1) << 63)

#define CR4_VME		(UINT64_C(1) << 0)
#define CR4_PVI		(UINT64_C(1) << 1)
#define CR4_TSD		(UINT64_C(1) << 2)
#define CR4_DE		(UINT64_C(1) << 3)
#define CR4_PSE		(UINT64_C(1) << 4)
#define CR4_PAE		(UINT64_C(1) << 5)
#define CR4_MCE		(UINT64_C(1) << 6)
#define CR4_PGE		(UINT64_C(1) << 7)
#define CR4_PCE		(UINT64_C(1) << 8)
#define CR4_OSFXSR	(UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT	(UINT64_C(1) << 10)
#define CR4_UMIP	(UINT64_C(1) << 11)
#define CR4_LA57	(UINT64_C(1) << 12)
#define CR4_VMXE	(UINT64_C(1) << 13)
#define CR4_FSGSBASE	(UINT64_C(1) << 16)
#define CR4_PCIDE	(UINT64_C(1) << 17)
#define CR4_OSXSAVE	(UINT64_C(1) << 18)
#define CR4_SMEP	(UINT64_C(1) << 20)
#define CR4_SMAP	(UINT64_C(1) << 21)
#define CR4_PKE		(UINT64_C(1) << 22)

/* SDM, "IA32_EFER" */
#define EFER_SCE	(UINT64_C(1) << 0)
#define EFER_LME	(UINT64_C(1) << 8)
#define EFER_LMA	(UINT64_C(1) << 10)
#define EFER_NXE	(UINT64_C(1) << 11)

/* SDM, "EFLAGS Register" */
#define RFLAGS_CF	(UINT64_C(1) << 0)
#define RFLAGS_FIXED	(UINT64_C(1) << 1)
#define RFLAGS_PF	(UINT64_C(1) << 2)
#define RFLAGS_AF	(UINT64_C(1) << 4)
#define RFLAGS_ZF	(UINT64_C(1) << 6)
#define RFLAGS_SF	(UINT64_C(1) << 7)
#define RFLAGS_TF	(UINT64_C(1) << 8)
#define RFLAGS_IF	(UINT64_C(1) << 9)
#define RFLAGS_DF	(UINT64_C(1) << 10)
#define RFLAGS_OF	(UINT64_C(1) << 11)
#define RFLAGS_RF	(UINT64_C(1) << 16)
#define RFLAGS_VM	(UINT64_C(1) << 17)
#define RFLAGS_AC	(UINT64_C(1) << 18)

/* SDM, "Exceptions and Interrupts" */
#define VECTOR_DB	1
#define VECTOR_NMI	2
#define VECTOR_BP	3
#define VECTOR_OF	4
#define VECTOR_UD	6
#define VECTOR_NM	7
#define VECTOR_DF	8
#define VECTOR_TS	10
#define VECTOR_NP	11
#define VECTOR_SS	12
#define VECTOR_GP	13
#define VECTOR_PF	14
#define VECTOR_AC	17
#define VECTOR_MC	18
#define VECTOR_CP	21

/* SDM, "Page-Fault Exceptions": error code */
#define PF_PRESENT	(1u << 0)
#define PF_WRITE	(1u << 1)
#define PF_USER		(1u << 2)
#define PF_RESERVED	(1u << 3)
#define PF_FETCH	(1u << 4)

/* SDM, "Debug Registers" and the VMCS's pending debug exceptions */
#define DR6_FIXED	UINT64_C(0xffff0ff0)
#define DR7_FIXED	UINT64_C(0x400)
#define DR7_GD		(UINT64_C(1) << 13)
#define DEBUGCTL_LBR	(UINT64_C(1) << 0)
#define DEBUGCTL_BTF	(UINT64_C(1) << 1)
#define PENDING_DBG_BS	(UINT64_C(1) << 14)

/* XCR0 (SDM, "XSAVE-Supported Features and State-Component Bitmaps") */
#define XCR0_X87	(UINT64_C(1) << 0)
#define XCR0_SSE	(UINT64_C(1) << 1)
#define XCR0_AVX	(UINT64_C(1) << 2)
#define XCR0_MPX	(UINT64_C(3) << 3)
#define XCR0_AVX512	(UINT64_C(7) << 5)
#define XCR0_PKRU	(UINT64_C(1) << 9)
#define XCR0_AMX	(UINT64_C(3) << 17)

#define MSR_TSC		0x10
#define MSR_XSS		0xda0

/* Segment registers, in the order of their VMCS fields and of instruction information. */
enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

#endif
