/*
 * setup.c: what a VMCS holds before the first entry, in the order of the SDM's appendix "Field Encoding in
 * VMCS", which is the order of vmcs.def and of vcpu->vmcs[].
 *
 * Called by vmx_main() for each vCPU. The only place that may probe for fields, and the only one that writes
 * host state.
 */
#include "boot/panic.h"
#include "boot/tables.h"
#include "boot/x86.h"
#include "vmx/host.h"
#include "vmx/instructions.h"
#include "vmx/region.h"
#include "vmx/setup.h"
#include "vmx/vmx.h"

/*
 * #DB and #AC: the delivery of either can raise the same one again, without end and without an exit, and the
 * processor would be lost. hv/exit/exception.c gives them back to the guest.
 */
#define INTERCEPTED	(1u << 1 | 1u << 17)

extern const char vmx_exited_plain[], vmx_exited_compared[];	/* entry.S */

static bool setup_is_read_only(enum vmcs_slot slot)
{
	return vmcs_encoding_class(vmcs_fields[slot].encoding) == VMCS_CLASS_INFO;
}

void setup_probe(struct vmx *x)
{
	for (enum vmcs_slot slot = 0; slot < VMCS_SLOTS; slot++) {
		enum vmcs_change change = vmcs_fields[slot].change;
		bool at_each_exit = change == VMCS_CHANGE_GUEST || change == VMCS_CHANGE_INFO;
		uint64_t value;

		if (vmx_vmread(vmcs_fields[slot].encoding, &value))
			slot_set(x->supported, slot);
		else if (at_each_exit)
			panic("this processor's VMCS lacks %s, which every exit reads", vmcs_fields[slot].name);
		if (!at_each_exit)
			slot_set(x->known, slot);
	}
}

static void setup_controls(struct vmx_cpu *c, const struct setup *s)
{
	const struct capability *cap = &c->vmx->capability;
	uint64_t *f = c->v->vmcs;

	/* 16-bit control fields. VPID 0 is the host's. */
	f[VMCS_VPID] = c->v->index + 1;

	/* 64-bit control fields */
	f[VMCS_IO_BITMAP_A] = s->io_bitmap;
	f[VMCS_IO_BITMAP_B] = s->io_bitmap + 4096;
	f[VMCS_MSR_BITMAP] = s->msr_bitmap;
	f[VMCS_EPT_POINTER] = s->ept_pointer;
	f[VMCS_XSS_EXITING_BITMAP] = 0;			/* XSAVES and XRSTORS run without exit */
	f[VMCS_ENCLS_EXITING_BITMAP] = ~0ull;		/* where there is ENCLS: each exits, and gets #UD */

	/* 64-bit guest state: no shadow VMCS */
	f[VMCS_VMCS_LINK_POINTER] = ~0ull;

	/* 32-bit control fields */
	f[VMCS_PIN_CONTROLS] = cap->control[CONTROL_PIN];
	f[VMCS_PROC_CONTROLS] = cap->control[CONTROL_PROC];
	f[VMCS_EXCEPTION_BITMAP] = INTERCEPTED;
	f[VMCS_EXIT_CONTROLS] = cap->control[CONTROL_EXIT];
	f[VMCS_ENTRY_CONTROLS] |= cap->control[CONTROL_ENTRY];	/* the core's is the IA-32e bit */
	f[VMCS_PROC_CONTROLS2] = cap->control[CONTROL_PROC2];
}

/* SDM "Host-State Area": the machine as boot/ left it, and where entry.S goes on. */
static void setup_host(struct vmx_cpu *c)
{
	uint64_t *f = c->v->vmcs;

	f[VMCS_HOST_ES_SELECTOR] = f[VMCS_HOST_SS_SELECTOR] = f[VMCS_HOST_DS_SELECTOR] = TABLES_DS;
	f[VMCS_HOST_FS_SELECTOR] = f[VMCS_HOST_GS_SELECTOR] = TABLES_DS;
	f[VMCS_HOST_CS_SELECTOR] = TABLES_CS;
	f[VMCS_HOST_TR_SELECTOR] = TABLES_TR;
	f[VMCS_HOST_PAT] = x86_rdmsr(X86_MSR_PAT);
	f[VMCS_HOST_EFER] = x86_rdmsr(X86_MSR_EFER);
	f[VMCS_HOST_CR0] = x86_cr0_read();
	f[VMCS_HOST_CR3] = x86_cr3_read();
	f[VMCS_HOST_CR4] = x86_cr4_read();
	f[VMCS_HOST_FS_BASE] = tables_fs_base();
	f[VMCS_HOST_GS_BASE] = host_gs_base();
	f[VMCS_HOST_TR_BASE] = tables_tss_base();
	f[VMCS_HOST_GDTR_BASE] = tables_gdt_base();
	f[VMCS_HOST_IDTR_BASE] = tables_idt_base();
	/* entry.S: what each of the two wants RSP to be. */
	if (c->vmx->tracer.level == TRACE_OFF) {
		f[VMCS_HOST_RSP] = (uint64_t)&c->v->gpr[GPR_CR2];
		f[VMCS_HOST_RIP] = (uint64_t)vmx_exited_plain;
	} else {
		f[VMCS_HOST_RSP] = (uint64_t)c->v->gpr;
		f[VMCS_HOST_RIP] = (uint64_t)vmx_exited_compared;
	}
}

void setup_vmcs(struct vmx_cpu *c, const struct setup *s)
{
	struct vmx *x = c->vmx;

	setup_controls(c, s);
	setup_host(c);
	for (enum vmcs_slot slot = 0; slot < VMCS_SLOTS; slot++) {
		if (!slot_test(x->supported, slot))
			c->v->vmcs[slot] = 0;
		else if (!setup_is_read_only(slot))
			region_write(c, slot, c->v->vmcs[slot]);
		else if (vmcs_fields[slot].change == VMCS_CHANGE_KEPT)
			c->v->vmcs[slot] = region_read(c, slot);	/* the probe left an error number here */
	}
}
