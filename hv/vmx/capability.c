/*
 * capability.c: VMX presence, IA32_FEATURE_CONTROL, and each control word in three values: wanted, allowed,
 * result (SDM "VMX Capability Reporting Facility").
 *
 * Called once by vmx_main() before VMXON. A control that we can't do without and that the processor doesn't
 * have ends the run with its name.
 */
#include <stdbool.h>
#include <stddef.h>

#include "boot/log.h"
#include "boot/x86.h"
#include "include/vmcs.h"
#include "vmx/capability.h"

#define MSR_VMX_BASIC		0x480
#define MSR_VMX_MISC		0x485
#define MSR_VMX_CR0_FIXED0	0x486
#define MSR_VMX_CR0_FIXED1	0x487
#define MSR_VMX_CR4_FIXED0	0x488
#define MSR_VMX_CR4_FIXED1	0x489
#define MSR_VMX_PROCBASED2	0x48b
#define MSR_VMX_EPT_VPID_CAP	0x48c
#define MSR_VMX_VMFUNC		0x491

#define BASIC_TRUE_CONTROLS	(1ull << 55)
#define MISC_ACTIVITY_HLT	(1ull << 6)
#define EPT_WALK_4		(1ull << 6)
#define EPT_TYPE_WB		(1ull << 14)
#define EPT_PAGE_2M		(1ull << 16)
#define INVVPID_ALL_TYPES	(1ull << 32 | 15ull << 40)

#define FEATURE_CONTROL_LOCK	(1ull << 0)
#define FEATURE_CONTROL_VMX	(1ull << 2)	/* outside SMX */

#define CPUID1_ECX_VMX		(1u << 5)
#define CPUID1_ECX_XSAVE	(1u << 26)
#define CPUID1_ECX_HYPERVISOR	(1u << 31)

#define PROC2_ENCLS		(1u << 15)

/*
 * Required: the run loop or a row of exits.def counts on it. Optional: hides an instruction that CPUID
 * doesn't offer, or offers one where the processor has it. Refused: may not be forced on us, because its exit
 * is not handled.
 */
static const struct control {
	const char *name;
	uint32_t msr, true_msr;		/* true_msr: with BASIC_TRUE_CONTROLS, for what may be 0 after all */
	uint32_t required, optional, refused;
} controls[CONTROL_WORDS] = {
	[CONTROL_PIN] = { "pin", 0x481, 0x48d,
		.required = PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER },
	[CONTROL_PROC] = { "proc", 0x482, 0x48e,
		/* CR8 is the host's own TPR: the guest's accesses must come to us. */
		.required = PROC_TSC_OFFSETTING | PROC_HLT | PROC_MWAIT | PROC_RDPMC | PROC_CR8_LOAD | PROC_CR8_STORE |
			    PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_MONITOR | PROC_SECONDARY,
		.refused = PROC_INVLPG | PROC_RDTSC | PROC_CR3_LOAD | PROC_CR3_STORE | PROC_MOV_DR },
	[CONTROL_PROC2] = { "proc2", MSR_VMX_PROCBASED2, MSR_VMX_PROCBASED2,
		.required = PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED | PROC2_WBINVD,
		.optional = PROC2_RDTSCP | PROC2_INVPCID | PROC2_XSAVES | PROC2_ENCLS },
	[CONTROL_EXIT] = { "exit", 0x483, 0x48f,
		.required = EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_ACK_INTERRUPT | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
			    EXIT_SAVE_EFER | EXIT_LOAD_EFER },
	[CONTROL_ENTRY] = { "entry", 0x484, 0x490,
		.required = ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER,
		.refused = ENTRY_IA32E },
};

/* For the host error; a bit without a row is named by its number. */
static const struct {
	enum control_word word;
	uint32_t bit;
	const char *name;
} names[] = {
	{ CONTROL_PIN, PIN_PREEMPTION_TIMER, "VMX-preemption timer" },
	{ CONTROL_PIN, PIN_VIRTUAL_NMIS, "virtual NMIs" },
	{ CONTROL_PROC, PROC_SECONDARY, "secondary processor-based controls" },
	{ CONTROL_PROC, PROC_MSR_BITMAPS, "MSR bitmaps" },
	{ CONTROL_PROC, PROC_IO_BITMAPS, "I/O bitmaps" },
	{ CONTROL_PROC2, PROC2_EPT, "EPT" },
	{ CONTROL_PROC2, PROC2_VPID, "VPID" },
	{ CONTROL_PROC2, PROC2_UNRESTRICTED, "unrestricted guest" },
	{ CONTROL_PROC2, PROC2_WBINVD, "WBINVD exiting" },
};

static const uint32_t capability_msrs[CAPABILITY_MSRS] = {
	0x480, 0x481, 0x482, 0x483, 0x484, 0x485, 0x486, 0x487, 0x488, 0x489, 0x48a, 0x48b, 0x48c,
	0x48d, 0x48e, 0x48f, 0x490, 0x491,
};

static void check_presence(void)
{
	struct x86_cpuid one = x86_cpuid(1, 0);
	uint64_t feature_control;

	if (!(one.ecx & CPUID1_ECX_VMX))
		log_host_error("this processor has no VMX%s", one.ecx & CPUID1_ECX_HYPERVISOR ?
			       " (it is virtual: QEMU needs KVM with nested=1 for it, Bochs a model that has it)" : "");
	if (!(one.ecx & CPUID1_ECX_XSAVE))
		log_host_error("this processor has no XSAVE");
	feature_control = x86_rdmsr(X86_MSR_FEATURE_CONTROL);
	if (!(feature_control & FEATURE_CONTROL_LOCK)) {
		x86_wrmsr(X86_MSR_FEATURE_CONTROL, feature_control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
		feature_control = x86_rdmsr(X86_MSR_FEATURE_CONTROL);
	}
	if (!(feature_control & FEATURE_CONTROL_VMX))
		log_host_error("the firmware has switched VMX off (IA32_FEATURE_CONTROL = %#lx)",
			       feature_control);
}

static noreturn void control_missing(enum control_word word, uint32_t bits, const char *how)
{
	uint32_t bit = bits & -bits;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].word == word && names[i].bit == bit)
			log_host_error("this processor's VMX %s %s", how, names[i].name);
	log_host_error("this processor's VMX %s bit %d of the %s controls", how, __builtin_ctz(bit),
		       controls[word].name);
}

/* SDM "VM-Execution Controls" of that facility: bits 31:0 must be 1 where they are 1, bits 63:32 may be. */
static uint32_t control_compute(enum control_word word, bool true_controls, uint32_t required, uint32_t optional)
{
	const struct control *c = &controls[word];
	uint64_t allowed = x86_rdmsr(true_controls ? c->true_msr : c->msr);
	uint32_t must = (uint32_t)allowed, may = (uint32_t)(allowed >> 32);
	uint32_t result;

	required |= c->required;
	optional |= c->optional;
	result = required | (optional & may) | must;

	log_print("vexit: %-8s  %08x  %08x  %08x  %08x  %08x\n", c->name, required, optional, must, may, result);
	if (required & ~may)
		control_missing(word, required & ~may, "lacks");
	if (c->refused & must)
		control_missing(word, c->refused & must, "insists on");
	return result;
}

static void check_ept(const struct capability *c)
{
	static const struct {
		uint64_t bits;
		const char *name;
	} needs[] = {
		{ EPT_WALK_4, "an EPT page walk of length 4" },
		{ EPT_TYPE_WB, "EPT structures in write-back memory" },
		{ EPT_PAGE_2M, "2 MiB pages in EPT" },
		{ INVVPID_ALL_TYPES, "all types of INVVPID" },
	};

	for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++)
		if ((c->ept_vpid & needs[i].bits) != needs[i].bits)
			log_host_error("this processor's VMX lacks %s (IA32_VMX_EPT_VPID_CAP = %#lx)", needs[i].name,
				       c->ept_vpid);
}

/* The MSRs behind a feature exist only with the feature (SDM, appendix of the same name). */
static bool capability_msr_exists(const struct capability *c, uint32_t msr)
{
	if (msr >= 0x48d && msr <= 0x490)
		return c->basic & BASIC_TRUE_CONTROLS;
	if (msr == MSR_VMX_VMFUNC)
		return x86_rdmsr(MSR_VMX_PROCBASED2) >> 32 & PROC2_VMFUNC;
	return true;
}

void capability_init(struct capability *c, unsigned vcpus, bool host_random)
{
	bool true_controls;

	check_presence();
	c->basic = x86_rdmsr(MSR_VMX_BASIC);
	true_controls = c->basic & BASIC_TRUE_CONTROLS;
	log_print("vexit: controls  required  optional  must-be-1 may-be-1  result\n");
	c->control[CONTROL_PIN] = control_compute(CONTROL_PIN, true_controls, 0, 0);
	/* One vCPU has nobody to give way to. */
	c->control[CONTROL_PROC] = control_compute(CONTROL_PROC, true_controls, vcpus > 1 ? PROC_PAUSE : 0, 0);
	/* Where they exit they get #UD: a run whose guest draws no random numbers can be had again. */
	c->control[CONTROL_PROC2] = control_compute(CONTROL_PROC2, true_controls, 0,
						    host_random ? 0 : PROC2_RDRAND | PROC2_RDSEED);
	c->control[CONTROL_EXIT] = control_compute(CONTROL_EXIT, true_controls, 0, 0);
	c->control[CONTROL_ENTRY] = control_compute(CONTROL_ENTRY, true_controls, 0, 0);

	c->ept_vpid = x86_rdmsr(MSR_VMX_EPT_VPID_CAP);
	check_ept(c);
	c->misc = x86_rdmsr(MSR_VMX_MISC);
	if (!(c->misc & MISC_ACTIVITY_HLT))
		log_host_error("this processor's VMX lacks activity state HLT");
	c->cr0_fixed0 = x86_rdmsr(MSR_VMX_CR0_FIXED0);
	c->cr0_fixed1 = x86_rdmsr(MSR_VMX_CR0_FIXED1);
	c->cr4_fixed0 = x86_rdmsr(MSR_VMX_CR4_FIXED0);
	c->cr4_fixed1 = x86_rdmsr(MSR_VMX_CR4_FIXED1);
	for (size_t i = 0; i < CAPABILITY_MSRS; i++) {
		if (!capability_msr_exists(c, capability_msrs[i]))
			continue;
		c->msr[c->msr_count].msr = capability_msrs[i];
		c->msr[c->msr_count++].value = x86_rdmsr(capability_msrs[i]);
	}
}
