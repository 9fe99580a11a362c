/*
 * xsetbv.c: XSETBV, which always exits (SDM, "Instructions That Cause VM Exits Unconditionally").
 *
 * CR4.OSXSAVE was checked by the processor before the exit; the rest of the instruction's checks are ours.
 */
#include "exit/exit.h"

/* SDM, "XSAVE-Supported Features and State-Component Bitmaps": which combinations XCR0 takes. */
static bool is_valid_xcr0(uint64_t value, uint64_t allowed)
{
	if ((value & ~allowed) || !(value & XCR0_X87))
		return false;
	if ((value & XCR0_AVX) && !(value & XCR0_SSE))
		return false;
	if ((value & XCR0_MPX) && (value & XCR0_MPX) != XCR0_MPX)
		return false;
	if ((value & XCR0_AVX512) && ((value & XCR0_AVX512) != XCR0_AVX512 || !(value & XCR0_AVX)))
		return false;
	return !(value & XCR0_AMX) || (value & XCR0_AMX) == XCR0_AMX;
}

enum exit_action exit_xsetbv(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint32_t xcr = gpr_read(v, GPR_RCX);
	uint64_t value = vcpu_edx_eax(v);

	if (vcpu_cpl(v) != 0 || xcr != 0 || !is_valid_xcr0(value, vm->config.xcr0_allowed))
		return vcpu_inject(v, vm, VECTOR_GP, 0);
	vm->cpu[v->index].xcr0 = value;
	vm_touch_cpu(vm, v->index);
	w->ops->xcr_write(w, 0, value);
	return ACTION_RETIRE;
}
