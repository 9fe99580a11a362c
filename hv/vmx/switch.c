/*
 * switch.c: DR0–DR3, DR6, XCR0, IA32_XSS, the XSAVE area with PKRU, and the MSRs that SYSCALL, SWAPGS and
 * RDTSCP use. The VMCS holds none of them, and the hypervisor uses none of them (zstd's vector registers
 * apart, see tracer.c), so they stay with a vCPU over its exits and move when another one is entered.
 *
 * Called by backend.c and world.c.
 */
#include "boot/log.h"
#include "boot/memory.h"
#include "boot/panic.h"
#include "boot/x86.h"
#include "vmx/switch.h"
#include "vmx/vmx.h"

#define CPUID_XSAVE		0xd
#define CPUID_XSAVE_XSAVES	(1u << 3)	/* subleaf 1, EAX: XSAVES, and with it IA32_XSS */
#define XSAVE_MXCSR		24
#define MXCSR_RESET		0x1f80u
#define DR6_RESET		0xffff0ff0ull
#define XCR0_X87		1ull

/* x87, SSE, AVX, AVX-512, PKRU. Not MPX (it needs VMCS controls) nor AMX (it needs an MSR of its own). */
#define XCR0_KNOWN		0x2e7ull

static const uint32_t switched_msrs[SWITCHED_MSRS] = {
	X86_MSR_KERNEL_GS_BASE, X86_MSR_STAR, X86_MSR_LSTAR, X86_MSR_CSTAR, X86_MSR_FMASK, X86_MSR_TSC_AUX,
};

static bool has_tsc_aux(const struct vmx *x)
{
	return x->capability.control[CONTROL_PROC2] & PROC2_RDTSCP;
}

static bool has_xss(const struct vmx *x)
{
	return x->capability.control[CONTROL_PROC2] & PROC2_XSAVES;
}

static bool has_msr(const struct vmx *x, uint32_t msr)
{
	return msr != X86_MSR_TSC_AUX || has_tsc_aux(x);
}

void switch_policy(struct vm_config *config)
{
	struct x86_cpuid d = x86_cpuid(CPUID_XSAVE, 0);

	config->xcr0_allowed = ((uint64_t)d.edx << 32 | d.eax) & XCR0_KNOWN;
	config->xss_allowed = 0;
}

void switch_init(struct vmx_cpu *c)
{
	struct switched *s = &c->switched;

	/* ECX: the size for all components of this processor. Zeros are every component's initial state. */
	s->xsave = memory_allocate(x86_cpuid(CPUID_XSAVE, 0).ecx, 64, "an XSAVE area");
	*(uint32_t *)(s->xsave + XSAVE_MXCSR) = MXCSR_RESET;
	s->dr6 = DR6_RESET;
	s->xcr0 = XCR0_X87;
}

/*
 * All components that the guest may ever have enabled: what it left in one that it has disabled since must
 * come back, too. XCR0 is the host's for a moment here, which nobody sees.
 */
static void xsave(struct vmx_cpu *c)
{
	x86_xcr0_write(c->vmx->vm.config.xcr0_allowed);
	__asm__ volatile("xsave64 (%0)" : : "r"(c->switched.xsave), "a"(~0u), "d"(~0u) : "memory");
}

static void xrstor(const struct vmx_cpu *c)
{
	x86_xcr0_write(c->vmx->vm.config.xcr0_allowed);
	__asm__ volatile("xrstor64 (%0)" : : "r"(c->switched.xsave), "a"(~0u), "d"(~0u) : "memory");
}

static void save(struct vmx_cpu *c)
{
	struct switched *s = &c->switched;

	s->dr[0] = x86_dr0_read();
	s->dr[1] = x86_dr1_read();
	s->dr[2] = x86_dr2_read();
	s->dr[3] = x86_dr3_read();
	s->dr6 = x86_dr6_read();
	for (unsigned i = 0; i < SWITCHED_MSRS; i++)
		if (has_msr(c->vmx, switched_msrs[i]))
			s->msr[i] = x86_rdmsr(switched_msrs[i]);
	if (has_xss(c->vmx))
		s->xss = x86_rdmsr(X86_MSR_XSS);
	s->xcr0 = x86_xcr0_read();
	xsave(c);
}

static void restore(struct vmx_cpu *c)
{
	struct switched *s = &c->switched;

	x86_dr0_write(s->dr[0]);
	x86_dr1_write(s->dr[1]);
	x86_dr2_write(s->dr[2]);
	x86_dr3_write(s->dr[3]);
	x86_dr6_write(s->dr6);
	for (unsigned i = 0; i < SWITCHED_MSRS; i++)
		if (has_msr(c->vmx, switched_msrs[i]))
			x86_wrmsr(switched_msrs[i], s->msr[i]);
	if (has_xss(c->vmx))
		x86_wrmsr(X86_MSR_XSS, s->xss);
	xrstor(c);
	x86_xcr0_write(s->xcr0);
}

void switch_exchange(struct vmx_cpu *c)
{
	struct vmx *x = c->vmx;

	if (x->resident)
		save(x->resident);
	restore(c);
	x->resident = c;
}

static bool is_resident(const struct vmx_cpu *c)
{
	return c->vmx->resident == c;
}

/* Where a switched MSR's value is kept; NULL for one that metal doesn't keep. */
static uint64_t *kept_msr(struct vmx_cpu *c, uint32_t msr)
{
	if (msr == X86_MSR_XSS)
		return has_xss(c->vmx) ? &c->switched.xss : NULL;
	for (unsigned i = 0; i < SWITCHED_MSRS; i++)
		if (switched_msrs[i] == msr)
			return has_msr(c->vmx, msr) ? &c->switched.msr[i] : NULL;
	return NULL;
}

uint64_t switch_msr_read(struct vmx_cpu *c, uint32_t msr)
{
	uint64_t *kept = kept_msr(c, msr);

	if (!kept)
		panic("the core reads MSR %#x, which metal doesn't keep", msr);
	return is_resident(c) ? x86_rdmsr(msr) : *kept;
}

void switch_msr_write(struct vmx_cpu *c, uint32_t msr, uint64_t value)
{
	uint64_t *kept = kept_msr(c, msr);

	if (!kept)
		panic("the core writes MSR %#x, which metal doesn't keep", msr);
	if (is_resident(c))
		x86_wrmsr(msr, value);
	else
		*kept = value;
}

uint64_t switch_dr_read(struct vmx_cpu *c, unsigned dr)
{
	const struct switched *s = &c->switched;

	if (dr > 3 && dr != 6)
		panic("the core reads DR%u, which metal doesn't keep", dr);
	if (!is_resident(c))
		return dr == 6 ? s->dr6 : s->dr[dr];
	switch (dr) {
	case 0: return x86_dr0_read();
	case 1: return x86_dr1_read();
	case 2: return x86_dr2_read();
	case 3: return x86_dr3_read();
	default: return x86_dr6_read();
	}
}

void switch_dr_write(struct vmx_cpu *c, unsigned dr, uint64_t value)
{
	struct switched *s = &c->switched;

	if (dr > 3 && dr != 6)
		panic("the core writes DR%u, which metal doesn't keep", dr);
	if (!is_resident(c)) {
		*(dr == 6 ? &s->dr6 : &s->dr[dr]) = value;
		return;
	}
	switch (dr) {
	case 0: x86_dr0_write(value); break;
	case 1: x86_dr1_write(value); break;
	case 2: x86_dr2_write(value); break;
	case 3: x86_dr3_write(value); break;
	default: x86_dr6_write(value); break;
	}
}

void switch_xcr0_write(struct vmx_cpu *c, uint64_t value)
{
	if (is_resident(c))
		x86_xcr0_write(value);
	else
		c->switched.xcr0 = value;
}
