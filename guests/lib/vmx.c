/*
 * vmx.c: VMX instructions, as a guest sees them to whom CPUID offers no VMX: each is #UD
 * (SDM, "Instruction Set Reference" of VMX), whatever its operands are.
 */
#include "guest.h"

bool test_vmx_undefined(void)
{
	static uint64_t region[512] __attribute__((aligned(PAGE_SIZE)));
	uint64_t where = (uint64_t)region, value = 0;

	if (cpuid(1, 0).ecx & 1u << 5)
		return false;
	test_trap("VMXON", TRY("vmxon %0", OUT(), IN("m"(where))), VECTOR_UD, 0);
	test_trap("VMXOFF", TRY("vmxoff", OUT(), IN()), VECTOR_UD, 0);
	test_trap("VMCLEAR", TRY("vmclear %0", OUT(), IN("m"(where))), VECTOR_UD, 0);
	test_trap("VMPTRLD", TRY("vmptrld %0", OUT(), IN("m"(where))), VECTOR_UD, 0);
	test_trap("VMPTRST", TRY("vmptrst %0", OUT("=m"(value)), IN()), VECTOR_UD, 0);
	test_trap("VMREAD", TRY("vmread %1, %0", OUT("+r"(value)), IN("r"(0ul))), VECTOR_UD, 0);
	test_trap("VMWRITE", TRY("vmwrite %1, %0", OUT(), IN("r"(0ul), "r"(value))), VECTOR_UD, 0);
	test_trap("VMLAUNCH", TRY("vmlaunch", OUT(), IN()), VECTOR_UD, 0);
	test_trap("VMRESUME", TRY("vmresume", OUT(), IN()), VECTOR_UD, 0);
	test_trap("INVEPT", TRY("invept %0, %1", OUT(), IN("m"(region), "r"(1ul))), VECTOR_UD, 0);
	test_trap("INVVPID", TRY("invvpid %0, %1", OUT(), IN("m"(region), "r"(2ul))), VECTOR_UD, 0);
	return true;
}
