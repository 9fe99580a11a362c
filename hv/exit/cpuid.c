/*
 * cpuid.c: the handler of CPUID: a row of the policy, and the few bits that depend on the vCPU's state.
 *
 * The rows are made once, at boot, by cpuid_policy.c. This is the most frequent exit of many guests: the
 * table is found by an index, not searched.
 */
#include "exit/cpuid.h"
#include "exit/exit.h"
#include "dev/lapic.h"

#define LEAF_FEATURES		0x1
#define LEAF_EXTENDED_FEATURES	0x7
#define LEAF_TOPOLOGY		0xb
#define LEAF_XSAVE		0xd
#define DYNAMIC_LEAVES	(1u << LEAF_FEATURES | 1u << LEAF_EXTENDED_FEATURES | 1u << LEAF_TOPOLOGY | 1u << LEAF_XSAVE)

/* The first row of a leaf, or NULL. Nothing of the table is trusted: it may come from a trace. */
static inline const struct vm_cpuid *first_row(const struct vm_config *config, uint32_t leaf)
{
	uint32_t at = cpuid_index_of(leaf);
	unsigned first;

	if (at >= sizeof(config->cpuid_index))
		return NULL;
	first = config->cpuid_index[at];
	return first - 1 < VM_MAX_CPUID ? &config->cpuid[first - 1] : NULL;
}

static inline bool is_row(const struct vm_cpuid *row, uint32_t leaf, uint32_t subleaf)
{
	return row->leaf == leaf && (row->subleaf == subleaf || row->subleaf == CPUID_ANY_SUBLEAF);
}

const struct vm_cpuid *cpuid_find(const struct vm_config *config, uint32_t leaf, uint32_t subleaf)
{
	const struct vm_cpuid *row = first_row(config, leaf), *end = config->cpuid + VM_MAX_CPUID;

	if (!row)
		return NULL;
	for (; row < end && row->leaf == leaf; row++) {
		if (is_row(row, leaf, subleaf))
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
		/*
		 * SDM, "Compacted Format of the Extended Region": ECX bit 1 aligns a component to 64 bytes.
		 */
		if (compacted)
			size = (row->ecx & 2 ? (size + 63) & ~63u : size) + row->eax;
		else if (row->ebx + row->eax > size)
			size = row->ebx + row->eax;
	}
	return size;
}

/* Bits that CPUID takes from the processor's state (SDM, "CPUID"): the registers hold the row already. */
static __attribute__((noinline))
enum exit_action adjust(struct vcpu *v, const struct vm *vm, uint32_t leaf, uint32_t subleaf)
{
	const struct vm_cpu *cpu = &vm->cpu[v->index];

	switch (leaf) {
	case LEAF_FEATURES:
		v->gpr[GPR_RBX] |= v->index << 24;	/* initial APIC ID */
		if (vmcs_read(v, VMCS_GUEST_CR4) & CR4_OSXSAVE)
			v->gpr[GPR_RCX] |= CPUID_1_ECX_OSXSAVE;
		if (!lapic_enabled(cpu))
			v->gpr[GPR_RDX] &= ~(uint64_t)CPUID_1_EDX_APIC;
		break;
	case LEAF_EXTENDED_FEATURES:
		if (subleaf == 0 && (vmcs_read(v, VMCS_GUEST_CR4) & CR4_PKE))
			v->gpr[GPR_RCX] |= CPUID_7_ECX_OSPKE;
		break;
	case LEAF_TOPOLOGY:
		v->gpr[GPR_RDX] = v->index;
		break;
	case LEAF_XSAVE:
		if (subleaf == 0)
			v->gpr[GPR_RBX] = cpuid_xsave_size(&vm->config, cpu->xcr0, false);
		else if (subleaf == 1 && (v->gpr[GPR_RAX] & (CPUID_D1_XSAVEC | CPUID_D1_XSAVES)))
			v->gpr[GPR_RBX] = cpuid_xsave_size(&vm->config, cpu->xcr0 | cpu->xss, true);
		break;
	}
	return ACTION_RETIRE;
}

/* A leaf that has no row, or not this subleaf. */
static __attribute__((noinline))
enum exit_action cpuid_missing(struct vcpu *v, const struct vm_config *config, uint32_t leaf, uint32_t subleaf)
{
	const struct vm_cpuid *top = cpuid_find(config, 0, 0), *row = NULL;

	if (is_beyond(config, leaf) && top)
		row = cpuid_find(config, top->eax, subleaf);
	if (row)
		gpr_write_quad(v, row->eax, row->ecx, row->edx, row->ebx);
	else if (leaf == LEAF_TOPOLOGY)
		/* SDM: an invalid level gives the input in CL, and the x2APIC ID all the same. */
		gpr_write_quad(v, 0, subleaf & 0xff, v->index, 0);
	else
		gpr_write_quad(v, 0, 0, 0, 0);
	return ACTION_RETIRE;
}

/* Not the leaf's first row. */
static __attribute__((noinline))
enum exit_action cpuid_subleaf(struct vcpu *v, struct vm *vm, uint32_t leaf, uint32_t subleaf)
{
	const struct vm_cpuid *row = cpuid_find(&vm->config, leaf, subleaf);

	if (!row)
		return cpuid_missing(v, &vm->config, leaf, subleaf);
	gpr_write_quad(v, row->eax, row->ecx, row->edx, row->ebx);
	return adjust(v, vm, leaf, subleaf);
}

enum exit_action exit_cpuid(struct vcpu *v, struct vm *vm, struct world *w)
{
	uint32_t leaf = v->gpr[GPR_RAX], subleaf = v->gpr[GPR_RCX];
	const struct vm_cpuid *row = first_row(&vm->config, leaf);

	(void)w;
	if (__builtin_expect(!row || !is_row(row, leaf, subleaf), 0))
		return cpuid_subleaf(v, vm, leaf, subleaf);
	gpr_write_quad(v, row->eax, row->ecx, row->edx, row->ebx);
	if (leaf < 32 && DYNAMIC_LEAVES >> leaf & 1)
		return adjust(v, vm, leaf, subleaf);
	return ACTION_RETIRE;
}
