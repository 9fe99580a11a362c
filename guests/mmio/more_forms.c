/*
 * more_forms.c: instructions that compilers use less often on a device, locked ones, and such that none uses.
 */
#include "mmio.h"

#define SHIFT_UNDEFINED (FLAG_AF | FLAG_OF) /* OF is defined for shifts by 1 alone */
#define MUL_UNDEFINED   (FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF)
#define BT_UNDEFINED    (FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF)

DEFINE_FORM(adc_to, "adcl %%eax, (%%rdi)")
DEFINE_FORM(sbb_to, "sbbl %%eax, (%%rdi)")
DEFINE_FORM(adc_from, "adcl (%%rdi), %%eax")
DEFINE_FORM(sbb_imm8, "sbbl $7, (%%rdi)")
DEFINE_FORM(inc, "incl (%%rdi)")
DEFINE_FORM(dec, "decl (%%rdi)")
DEFINE_FORM(not, "notl (%%rdi)")
DEFINE_FORM(neg, "negl (%%rdi)")
DEFINE_FORM(xchg, "xchgl %%eax, (%%rdi)")
DEFINE_FORM(xadd, "xaddl %%eax, (%%rdi)")
DEFINE_FORM(lock_add, "lock addl %%eax, (%%rdi)")
DEFINE_FORM(lock_or, "lock orl $0x100, (%%rdi)")
DEFINE_FORM(lock_xadd, "lock xaddl %%ecx, (%%rdi)")
DEFINE_FORM(cmpxchg, "movl $0x87654321, %%eax; cmpxchgl %%ecx, (%%rdi)")
DEFINE_FORM(lock_cmpxchg, "movl $0xffffffff, %%eax; lock cmpxchgl %%edx, (%%rdi)")
DEFINE_FORM(bt, "btl $5, (%%rdi)")
DEFINE_FORM(bts, "btsl $31, (%%rdi)")
DEFINE_FORM(btr, "lock btrl $0, (%%rdi)")
DEFINE_FORM(btc, "btcl $16, (%%rdi)")
DEFINE_FORM(bts_register, "andl $31, %%ecx; btsl %%ecx, (%%rdi)")
DEFINE_FORM(shl, "shll $3, (%%rdi)")
DEFINE_FORM(shr1, "shrl (%%rdi)")
DEFINE_FORM(sar_cl, "sarl %%cl, (%%rdi)")
DEFINE_FORM(rol, "roll $4, (%%rdi)")
DEFINE_FORM(ror1, "rorl (%%rdi)")
DEFINE_FORM(imul, "imull (%%rdi), %%eax")
DEFINE_FORM(imul_imm, "imull $1000, (%%rdi), %%ecx")
DEFINE_FORM(mul, "mull (%%rdi)")
DEFINE_FORM(cmov_taken, "cmpl %%eax, %%eax; cmovel (%%rdi), %%ecx")
DEFINE_FORM(cmov_not, "cmpl %%eax, %%eax; cmovnel (%%rdi), %%ecx")
DEFINE_FORM(push, "pushq %%rax; popq %%rax; movl (%%rdi), %%eax; pushq %%rax; popq %%rdx")
DEFINE_FORM(movnti, "movnti %%eax, (%%rdi)")

#define PLAIN(id, undefined) { #id, form_##id, undefined }
static const struct form more[] = {
	PLAIN(adc_to, 0), PLAIN(sbb_to, 0), PLAIN(adc_from, 0), PLAIN(sbb_imm8, 0), PLAIN(inc, 0),
	PLAIN(dec, 0), PLAIN(not, 0), PLAIN(neg, 0), PLAIN(xchg, 0), PLAIN(xadd, 0), PLAIN(lock_add, 0),
	PLAIN(lock_or, FLAG_AF), PLAIN(lock_xadd, 0), PLAIN(cmpxchg, 0), PLAIN(lock_cmpxchg, 0),
	PLAIN(bt, BT_UNDEFINED), PLAIN(bts, BT_UNDEFINED), PLAIN(btr, BT_UNDEFINED),
	PLAIN(btc, BT_UNDEFINED), PLAIN(bts_register, BT_UNDEFINED | FLAG_AF), PLAIN(cmov_taken, 0),
	PLAIN(cmov_not, 0), PLAIN(push, 0), PLAIN(movnti, 0),
};

static const struct form rare[] = {
	PLAIN(shl, SHIFT_UNDEFINED), PLAIN(shr1, FLAG_AF), PLAIN(sar_cl, SHIFT_UNDEFINED),
	PLAIN(rol, SHIFT_UNDEFINED), PLAIN(ror1, 0), PLAIN(imul, MUL_UNDEFINED),
	PLAIN(imul_imm, MUL_UNDEFINED), PLAIN(mul, MUL_UNDEFINED),
};

void test_more_forms(void)
{
	test_table(more, sizeof(more) / sizeof(more[0]));
}

void test_rare_forms(void)
{
	test_table(rare, sizeof(rare) / sizeof(rare[0]));
}
