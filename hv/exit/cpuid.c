/*
 * cpuid.c: the handler of CPUID: a row of the policy, and the few bits that depend on the vCPU's state.
 *
 * The rows are made once, at boot, by cpuid_policy.c. This is the most frequent exit of many guests: the table is
 * found by an index, not searched.
 */
#include "exit/cpuid.h"
#include "exit/exit.h"
#include "dev/lapic.h"

#define LEAF_FEATURES		0x1
#define LEAF_EXTENDED_FEATURES	0x7
#define LEAF_TOPOLOGY		0xb
#define LEAF_XSAVE		0xd

const struct vm_cpuid *cpuid_find(const struct vm_config *config, uint32_t leaf, uint32_t subleaf)
{
	uint32_t range = leaf >> 30, low = leaf & 0x3fffffff;
	const struct vm_cpuid *row, *end = config->cpuid + config->cpuid_count;
	unsigned first;

	if (range >= CPUID_RANGES || low >= CPUID_RANGE_LEAVES)
		return NULL;
	first = config->cpuid_index[range * CPUID_RANGE_LEAVES + low];
	if (!first)
		return NULL;
	for (row = config->cpuid + first - 1; row < end && row->leaf == leaf; row++) {
		if (row->subleaf == CPUID_ANY_SUBLEAF || row->subleaf == subleaf)
			return row;
	}
	return NULL;
}

/* SDM, "CPUID": above the highest leaf of its range, a leaf gives what the highest basic leaf gives. */
static bool is_beyond(const struct vm_config *config, uint32_t leaf)
{
	const struct vm_cpuid *top = cpuid_find(config, leaf & 0xc0000000, 0);

	return !top || leaf > top->eax;
}

uint32_t cpuid_xsave_size(const struct vm_config *config, uint64_t components, bool compacted)
{
	uint32_t size = XSAVE_LEGACY_AREA;

	for (uint32_t i = 2; i < 63; i++) {
		const struct vm_cpuid *row;

		if (!(components >> i & 1))
			continue;
		row = cpuid_find(config, LEAF_XSAVE, i);
		if (!row)
			continue;
		/* SDM, "Compacted Format of the Extended Region": ECX bit 1 aligns a component to 64 bytes. */
		if (compacted)
			size = (row->ecx & 2 ? (size + 63) & ~63u : size) + row->eax;
		else if (row->ebx + row->eax > size)
			size = row->ebx + row->eax;
	}
	return size;
}

/* Bits that CPUID takes from the processor's state (SDM, "CPUID"). */
static void adjust(struct vcpu *v, const struct vm *vm, uint32_t subleaf, struct vm_cpuid *r)
{
	const struct vm_cpu *cpu = &vm->cpu[v->index];

	switch (r->leaf) {
	case LEAF_FEATURES:
		r->ebx |= (uint32_t)v->index << 24;	/* initial APIC ID */
		if (vmcs_read(v, VMCS_GUEST_CR4) & CR4_OSXSAVE)
			r->ecx |= CPUID_1_ECX_OSXSAVE;
		if (!lapic_enabled(cpu))
			r->edx &= ~CPUID_1_EDX_APIC;
		break;
	case LEAF_EXTENDED_FEATURES:
		if (subleaf == 0 && (vmcs_read(v, VMCS_GUEST_CR4) & CR4_PKE))
			r->ecx |= CPUID_7_ECX_OSPKE;
		break;
	case LEAF_TOPOLOGY:
		r->edx = v->index;
		break;
	case LEAF_XSAVE:
		if (subleaf == 0)
			r->ebx = cpuid_xsave_size(&vm->config, cpu->xcr0, false);
		else if (subleaf == 1 && (r->eax & (CPUID_D1_XSAVEC | CPUID_D1_XSAVES)))
			r->ebx = cpuid_xsave_size(&vm->config, cpu->xcr0 | cpu->xss, true);
		break;
	}
}

/* A leaf without a row, or without this subleaf. */
static struct vm_cpuid missing(struct vcpu *v, const struct vm_config *config, uint32_t leaf, uint32_t subleaf)
{
	struct vm_cpuid r = { .leaf = leaf, .subleaf = subleaf };

	if (is_beyond(config, leaf)) {
		const struct vm_cpuid *row = cpuid_find(config, cpuid_find(config, 0, 0)->eax, subleaf);

		if (row)
			r = *row;
	} else if (leaf == LEAF_TOPOLOGY) {
		/* SDM: an invalid level gives the input in CL, and the x2APIC ID all the same. */
		r.ecx = subleaf & 0xff;
		r.edx = v->index;
	}
	return r;
}

enum exit_action exit_cpuid(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint32_t leaf = gpr_read(v, GPR_RAX), subleaf = gpr_read(v, GPR_RCX);
	const struct vm_cpuid *row = cpuid_find(&vm->config, leaf, subleaf);
	struct vm_cpuid r;

	(void)w;
	if (__builtin_expect(row != NULL, 1)) {
		r = *row;
		if (leaf < CPUID_RANGE_LEAVES)
			adjust(v, vm, subleaf, &r);
	} else {
		r = missing(v, &vm->config, leaf, subleaf);
	}
	gpr_write(v, GPR_RAX, r.eax);
	gpr_write(v, GPR_RBX, r.ebx);
	gpr_write(v, GPR_RCX, r.ecx);
	gpr_write(v, GPR_RDX, r.edx);
	return ACTION_RETIRE;
}
