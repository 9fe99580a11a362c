/*
 * msr.c: RDMSR and WRMSR by the policy of msrs.def.
 *
 * CPL was checked by the processor. An MSR without a row, and a value with reserved bits, give #GP(0): a
 * guest that probes finds a processor that has just these.
 */
#include <stddef.h>

#include "exit/cpuid.h"
#include "exit/exit.h"
#include "exit/mtrr.h"
#include "dev/lapic.h"
#include "dev/pv_eoi.h"
#include "dev/vm_state.h"

#define DEBUGCTL_ACCEPTED	(DEBUGCTL_BTF | DEBUGCTL_LBR)
#define MISC_ENABLE_FAST_STRINGS UINT64_C(1)

/* ---- RDMSR ---- */

/* One reader a policy; unused arguments of rows that don't read this way are never evaluated. */
#define READ_PASS(argument)	return false	/* never exits, but for a bitmap that metal made stricter */
#define READ_GP(argument)	return false
#define READ_CONST(argument)	*value = (argument); return true
#define READ_VMCS(argument)	*value = vmcs_read(v, VMCS_##argument); return true
#define READ_CPU(argument)	*value = cpu->argument; return true
#define READ_CONFIG(argument)	*value = vm->config.argument; return *value != 0

static bool is_x2apic(uint32_t msr)
{
	return msr >= LAPIC_MSR_FIRST && msr <= LAPIC_MSR_LAST;
}

static bool msr_read(struct vcpu *v, struct vm *vm, struct world *w, uint32_t msr, uint64_t *value)
{
	struct vm_cpu *cpu = &vm->cpu[v->index];
	const uint64_t *mtrr;

	switch (msr) {
#define MSR(number, name, read, write, argument) case number: READ_##read(argument);
#include "msrs.def"
#undef MSR
	}
	if (is_x2apic(msr)) {
		pv_eoi_take(vm, w, v->index);
		return lapic_msr_read(vm, v->index, msr, value, vm_time(vm, v->tsc));
	}
	mtrr = mtrr_register(cpu, msr);
	if (!mtrr)
		return false;
	*value = *mtrr;
	return true;
}

/* ---- WRMSR: the checks of rows marked CHECK. false = #GP(0) ---- */

/* SDM, "IA32_APIC_BASE": BSP is what it is; the page must not be taken by RAM. */
static bool write_APIC_BASE(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	struct vm_cpu *cpu = &vm->cpu[v->index];
	uint64_t base = value & LAPIC_BASE_ADDRESS;

	if (value & ~(LAPIC_BASE_ADDRESS | LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC | LAPIC_BASE_BSP) ||
	    (value & ~vm_phys_mask(&vm->config)) ||
	    base < vm->config.memory_size)
		return false;
	return lapic_set_base(vm, w, v->index, (value & ~(uint64_t)LAPIC_BASE_BSP) | (cpu->apic_base & LAPIC_BASE_BSP));
}

static bool write_MTRR_DEF_TYPE(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	(void)w;
	if (!mtrr_is_valid(&vm->config, 0x2ff, value))
		return false;
	vm->cpu[v->index].mtrr_def_type = value;
	vm_touch_cpu(vm, v->index);
	return true;
}

static bool write_PAT(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	(void)vm, (void)w;
	if (!pat_is_valid(value))
		return false;
	vmcs_write(v, VMCS_GUEST_PAT, value);
	return true;
}

/* The field has 32 bits, and the processor looks at 16 of them (SDM, "SYSENTER"). */
static bool write_SYSENTER_CS(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	(void)vm, (void)w;
	vmcs_write(v, VMCS_GUEST_SYSENTER_CS, (uint32_t)value);
	return true;
}

/* SDM, "WRMSR": an address that isn't canonical gives #GP. */
static bool write_address(struct vcpu *v, enum vmcs_slot slot, uint64_t value)
{
	if (!is_canonical(v, value))
		return false;
	vmcs_write(v, slot, value);
	return true;
}

static bool write_SYSENTER_ESP(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	(void)vm, (void)w;
	return write_address(v, VMCS_GUEST_SYSENTER_ESP, value);
}

static bool write_SYSENTER_EIP(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	(void)vm, (void)w;
	return write_address(v, VMCS_GUEST_SYSENTER_EIP, value);
}

/* SDM, "IA32_MISC_ENABLE": only fast strings can be switched; they are a hint. */
static bool write_MISC_ENABLE(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	struct vm_cpu *cpu = &vm->cpu[v->index];

	(void)w;
	if ((value ^ cpu->misc_enable) & ~MISC_ENABLE_FAST_STRINGS)
		return false;
	cpu->misc_enable = value;
	vm_touch_cpu(vm, v->index);
	return true;
}

/* SDM, "IA32_DEBUGCTL": BTF works; there is no branch record, so LBR reads as 0, as on models without it. */
static bool write_DEBUGCTL(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	(void)vm, (void)w;
	if (value & ~DEBUGCTL_ACCEPTED)
		return false;
	vmcs_write(v, VMCS_GUEST_DEBUGCTL, value & DEBUGCTL_BTF);
	return true;
}

static bool write_XSS(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	if (value & ~vm->config.xss_allowed)
		return false;
	vm->cpu[v->index].xss = value;
	vm_touch_cpu(vm, v->index);
	w->ops->msr_write(w, MSR_XSS, value);
	return true;
}

/* SDM, "IA32_EFER": bits of features that CPUID doesn't show are reserved; LME can't change under paging. */
static bool write_EFER(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	const struct vm_cpuid *features = cpuid_find(&vm->config, 0x80000001, 0);
	uint64_t old = vmcs_read(v, VMCS_GUEST_EFER), allowed = EFER_LMA;
	uint32_t edx = features ? features->edx : 0;

	(void)w;
	if (edx & CPUID_80000001_EDX_SYSCALL)
		allowed |= EFER_SCE;
	if (edx & CPUID_80000001_EDX_LM)
		allowed |= EFER_LME;
	if (edx & CPUID_80000001_EDX_NX)
		allowed |= EFER_NXE;
	if (value & ~allowed)
		return false;
	if (((value ^ old) & EFER_LME) && (vcpu_cr0(v) & CR0_PG))
		return false;
	/* LMA is the processor's: what is written there is ignored. */
	vmcs_write(v, VMCS_GUEST_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	return true;
}

/* The entry step that follows writes the field: offsets may also hide the tracer's time. */
static bool write_TIME_STAMP_COUNTER(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	uint64_t now = vm_time(vm, v->tsc);

	(void)w;
	vm->cpu[v->index].tsc_offset = value - now;
	vm_touch_cpu(vm, v->index);
	lapic_timer_tsc_changed(vm, v->index, now);
	return true;
}

static bool write_TSC_DEADLINE(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	(void)w;
	lapic_timer_set_tsc_deadline(vm, v->index, value, vm_time(vm, v->tsc));
	return true;
}

static bool write_KVM_EOI_EN(struct vcpu *v, struct vm *vm, struct world *w, uint64_t value)
{
	return pv_eoi_enable(vm, w, v->index, value);
}

static bool write_mtrr(struct vcpu *v, struct vm *vm, uint32_t msr, uint64_t value)
{
	uint64_t *mtrr = mtrr_register(&vm->cpu[v->index], msr);

	if (!mtrr || !mtrr_is_valid(&vm->config, msr, value))
		return false;
	*mtrr = value;
	vm_touch_cpu(vm, v->index);
	return true;
}

#define WRITE_PASS(name)	return false
#define WRITE_GP(name)		return false
#define WRITE_DROP(name)	return true
#define WRITE_CHECK(name)	return write_##name(v, vm, w, value)

static bool msr_write(struct vcpu *v, struct vm *vm, struct world *w, uint32_t msr, uint64_t value)
{
	switch (msr) {
#define MSR(number, name, read, write, argument) case number: WRITE_##write(name);
#include "msrs.def"
#undef MSR
	}
	if (is_x2apic(msr)) {
		pv_eoi_take(vm, w, v->index);
		return lapic_msr_write(vm, w, v->index, msr, value, vm_time(vm, v->tsc));
	}
	return write_mtrr(v, vm, msr, value);
}

/* ---- The exits ---- */

enum exit_action exit_rdmsr(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint64_t value;

	if (!msr_read(v, vm, w, (uint32_t)gpr_read(v, GPR_RCX), &value))
		return vcpu_inject(v, vm, VECTOR_GP, 0);
	gpr_write(v, GPR_RAX, (uint32_t)value);
	gpr_write(v, GPR_RDX, value >> 32);
	return ACTION_RETIRE;
}

enum exit_action exit_wrmsr(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint32_t msr = (uint32_t)gpr_read(v, GPR_RCX);

	if (!msr_write(v, vm, w, msr, vcpu_edx_eax(v)))
		return vcpu_inject(v, vm, VECTOR_GP, 0);
	return ACTION_RETIRE;
}
