/*
 * vcpu.c: a vCPU's first state, INIT and SIPI, and the cold half of vmcs_read().
 *
 * Called by metal at set-up (vcpu_reset) and by entry.c. Writes guest state alone; controls, host state and
 * addresses of bitmaps are metal's.
 */
#include "exit/cpuid.h"
#include "exit/exit.h"

#define PAT_RESET	UINT64_C(0x0007040600070406)
#define MULTIBOOT_MAGIC	0x2badb002
#define AR_CODE16	0x9b	/* present, execute/read, accessed */
#define AR_DATA16	0x93	/* present, read/write, accessed */
#define AR_CODE32	0xc09b	/* the same, 32-bit, limit in pages */
#define AR_DATA32	0xc093
#define AR_CODE64	0xa09b	/* the same as code, 64-bit */
#define GDT_LIMIT	0x1f	/* four descriptors */
#define AR_LDT		0x82
#define AR_TSS_BUSY	0x8b

struct slot_value {
	enum vmcs_slot slot;
	uint64_t value;
};

uint64_t vmcs_read_slow(struct vcpu *v, enum vmcs_slot slot)
{
	v->vmcs[slot] = vcpu_load(v, slot);
	slot_set(v->loaded, slot);
	return v->vmcs[slot];
}

/* SDM, "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". CR0 and CR4 apart. */
static const struct slot_value init_state[] = {
	{ VMCS_GUEST_CS_SELECTOR, 0xf000 },
	{ VMCS_GUEST_CS_BASE, 0xffff0000 },
	{ VMCS_GUEST_CS_LIMIT, 0xffff },
	{ VMCS_GUEST_CS_ACCESS_RIGHTS, AR_CODE16 },
	{ VMCS_GUEST_RIP, 0xfff0 },
	{ VMCS_GUEST_RSP, 0 },
	{ VMCS_GUEST_RFLAGS, RFLAGS_FIXED },
	{ VMCS_GUEST_LDTR_SELECTOR, 0 },
	{ VMCS_GUEST_LDTR_BASE, 0 },
	{ VMCS_GUEST_LDTR_LIMIT, 0xffff },
	{ VMCS_GUEST_LDTR_ACCESS_RIGHTS, AR_LDT },
	{ VMCS_GUEST_TR_SELECTOR, 0 },
	{ VMCS_GUEST_TR_BASE, 0 },
	{ VMCS_GUEST_TR_LIMIT, 0xffff },
	{ VMCS_GUEST_TR_ACCESS_RIGHTS, AR_TSS_BUSY },
	{ VMCS_GUEST_GDTR_BASE, 0 },
	{ VMCS_GUEST_GDTR_LIMIT, 0xffff },
	{ VMCS_GUEST_IDTR_BASE, 0 },
	{ VMCS_GUEST_IDTR_LIMIT, 0xffff },
	{ VMCS_GUEST_CR3, 0 },
	{ VMCS_GUEST_EFER, 0 },
	{ VMCS_GUEST_DR7, DR7_FIXED },
	{ VMCS_GUEST_DEBUGCTL, 0 },
	{ VMCS_GUEST_INTERRUPTIBILITY, 0 },
	{ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE },
	{ VMCS_GUEST_PENDING_DBG_EXCEPTIONS, 0 },
};

/* What power-up sets and INIT leaves as it is. */
static const struct slot_value power_up_state[] = {
	{ VMCS_GUEST_PAT, PAT_RESET },
	{ VMCS_GUEST_SYSENTER_CS, 0 },
	{ VMCS_GUEST_SYSENTER_ESP, 0 },
	{ VMCS_GUEST_SYSENTER_EIP, 0 },
	{ VMCS_GUEST_PDPTE0, 0 },
	{ VMCS_GUEST_PDPTE1, 0 },
	{ VMCS_GUEST_PDPTE2, 0 },
	{ VMCS_GUEST_PDPTE3, 0 },
	{ VMCS_VMCS_LINK_POINTER, UINT64_MAX },	/* SDM, "Guest Non-Register State": no shadow VMCS */
};

static void write_all(struct vcpu *v, const struct slot_value *values, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		vmcs_write(v, values[i].slot, values[i].value);
}

static void set_segment(struct vcpu *v, enum segment seg, uint16_t selector, uint32_t limit, uint32_t rights)
{
	vmcs_write(v, VMCS_GUEST_ES_SELECTOR + seg, selector);
	vmcs_write(v, VMCS_GUEST_ES_BASE + seg, 0);
	vmcs_write(v, VMCS_GUEST_ES_LIMIT + seg, limit);
	vmcs_write(v, VMCS_GUEST_ES_ACCESS_RIGHTS + seg, rights);
}

static void set_data_segments(struct vcpu *v, uint16_t selector, uint32_t limit, uint32_t rights)
{
	static const uint8_t data[] = { SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

	for (unsigned i = 0; i < sizeof(data); i++)
		set_segment(v, data[i], selector, limit, rights);
}

/*
 * CR0 bits that the guest doesn't own: VMX operation fixes some; CD and NW would turn off the host's
 * caches.
 */
static uint64_t cr0_mask(const struct vm_config *config)
{
	return (config->cr0_fixed0 & ~(CR0_PE | CR0_PG)) | CR0_CD | CR0_NW;
}

uint64_t vcpu_real_cr0(const struct vm_config *config, uint64_t cr0)
{
	return (cr0 & ~(CR0_CD | CR0_NW)) | (config->cr0_fixed0 & ~(CR0_PE | CR0_PG)) | CR0_ET;
}

uint64_t vcpu_real_cr4(const struct vm_config *config, uint64_t cr4)
{
	return cr4 | config->cr4_fixed0;
}

static void set_control_registers(struct vcpu *v, const struct vm_config *config, uint64_t cr0, uint64_t cr4)
{
	vmcs_write(v, VMCS_CR0_MASK, cr0_mask(config));
	vmcs_write(v, VMCS_CR0_READ_SHADOW, cr0);
	vmcs_write(v, VMCS_GUEST_CR0, vcpu_real_cr0(config, cr0));
	/* All that the guest can't have: such a bit set exits, and gives it #GP. */
	vmcs_write(v, VMCS_CR4_MASK, ~config->cr4_allowed);
	vmcs_write(v, VMCS_CR4_READ_SHADOW, cr4);
	vmcs_write(v, VMCS_GUEST_CR4, vcpu_real_cr4(config, cr4));
}

/* RDX after INIT: family, model, stepping. */
static uint32_t processor_signature(const struct vm_config *config)
{
	const struct vm_cpuid *features = cpuid_find(config, 1, 0);

	return features ? features->eax : 0;
}

void vcpu_init(struct vcpu *v, struct vm *vm)
{
	write_all(v, init_state, sizeof(init_state) / sizeof(init_state[0]));
	set_data_segments(v, 0, 0xffff, AR_DATA16);
	set_control_registers(v, &vm->config, CR0_CD | CR0_NW | CR0_ET, 0);
	for (unsigned i = 0; i < GPR_COUNT; i++) {
		if (i != GPR_RSP)
			gpr_write(v, i, 0);
	}
	gpr_write(v, GPR_RDX, processor_signature(&vm->config));
}

void vcpu_startup(struct vcpu *v, uint8_t vector)
{
	/* SDM, "Typical AP Initialization Sequence": the AP begins at vector << 12 in real-address mode. */
	vmcs_write(v, VMCS_GUEST_CS_SELECTOR, (uint64_t)vector << 8);
	vmcs_write(v, VMCS_GUEST_CS_BASE, (uint64_t)vector << 12);
	vmcs_write(v, VMCS_GUEST_RIP, 0);
}

/* Multiboot specification 0.6.96, "Machine state" */
static void start_multiboot(struct vcpu *v, const struct vm_config *config, const struct vcpu_start *start)
{
	set_segment(v, SEG_CS, 0x08, UINT32_MAX, AR_CODE32);
	set_data_segments(v, 0x10, UINT32_MAX, AR_DATA32);
	set_control_registers(v, config, CR0_PE | CR0_ET, 0);
	gpr_write(v, GPR_RAX, MULTIBOOT_MAGIC);
	gpr_write(v, GPR_RBX, start->info);
	gpr_write(v, GPR_RDX, 0);
}

/* Linux, Documentation/x86/boot.rst, "64-bit Boot Protocol" */
static void start_linux(struct vcpu *v, const struct vm_config *config, const struct vcpu_start *start)
{
	set_segment(v, SEG_CS, START_LINUX_CS, UINT32_MAX, AR_CODE64);
	set_data_segments(v, START_LINUX_DS, UINT32_MAX, AR_DATA32);
	vmcs_write(v, VMCS_GUEST_GDTR_BASE, start->gdt);
	vmcs_write(v, VMCS_GUEST_GDTR_LIMIT, GDT_LIMIT);
	set_control_registers(v, config, CR0_PE | CR0_ET | CR0_PG, CR4_PAE);
	vmcs_write(v, VMCS_GUEST_CR3, start->cr3);
	vmcs_write(v, VMCS_GUEST_EFER, EFER_LME | EFER_LMA);
	vmcs_write(v, VMCS_ENTRY_CONTROLS, vmcs_read(v, VMCS_ENTRY_CONTROLS) | ENTRY_IA32E);
	gpr_write(v, GPR_RSI, start->info);
	gpr_write(v, GPR_RDX, 0);
}

void vcpu_reset(struct vcpu *v, struct vm *vm, const struct vcpu_start *start)
{
	/* Nothing was ever loaded from hardware: the state set up here is the first base. */
	for (unsigned i = 0; i < VMCS_WORDS; i++)
		v->loaded[i] = UINT64_MAX;
	write_all(v, power_up_state, sizeof(power_up_state) / sizeof(power_up_state[0]));
	vcpu_init(v, vm);
	if (v->index == 0) {
		if (start->kind == START_LINUX)
			start_linux(v, &vm->config, start);
		else
			start_multiboot(v, &vm->config, start);
		vmcs_write(v, VMCS_GUEST_RIP, start->entry);
	}
	v->entry = ENTRY_WAIT;
	v->wake_at = TIME_NONE;
	v->deadline = TIME_NONE;
}
