/*
 * Entry steps and events: what is injected and in which order (SDM, "Event Injection"), and the windows
 * that are asked for when it can't be yet ("Interrupt-Window Exiting and Virtual-Interrupt Delivery",
 * "NMI-Window Exiting").
 *
 * The 8259 pair's interrupts come as "virtual wire": IRQ 4 at vector 0x34.
 */
#include "exit/entry.h"
#include "support/fake_irq.h"

static void interrupt_is_injected(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_apic_enable(f, 0);
	fake_interrupts_on(v);
	fake_request(f, 0x41);
	assert_int_equal(fake_enter(f, v), ENTRY_ENTER);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x41);
	assert_int_equal(f->vm.cpu[0].attention, 0);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
}

/* The highest first; the next one of its class waits for EOI without a window. */
static void interrupts_by_priority(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_apic_enable(f, 0);
	fake_interrupts_on(v);
	fake_request(f, 0x41);
	fake_request(f, 0x92);
	fake_request(f, 0x93);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x93);
	fake_taken(v);
	fake_enter(f, v);
	assert_false(vcpu_has_event(v));
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
	fake_apic_write(f, 0, 0xb0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x92);
}

/* SDM, "Checks on Guest RIP, RFLAGS, and SSP" and on interruptibility: what forbids an external interrupt. */
static void window_instead_of_interrupt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_apic_enable(f, 0);
	fake_request(f, 0x41);
	fake_enter(f, v);			/* IF = 0 */
	assert_false(vcpu_has_event(v));
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
	fake_interrupts_on(v);
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	fake_enter(f, v);
	assert_false(vcpu_has_event(v));
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	fake_enter(f, v);
	assert_false(vcpu_has_event(v));
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, 0);
	fake_exit(f, v, REASON_INTERRUPT_WINDOW, 0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x41);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
}

/* An exception is already queued: the interrupt comes when it has been delivered. */
static void queued_exception_goes_first(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_apic_enable(f, 0);
	fake_interrupts_on(v);
	fake_request(f, 0x41);
	fake_exit(f, v, REASON_RDPMC, 0, 2);
	fake_enter(f, v);
	fake_assert_injected(v, VECTOR_GP, 0);
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
}

static void nmi(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	lapic_notify(&f->vm, &f->world, 0, 0);
	f->vm.cpu[0].nmi_pending = 1;
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	fake_enter(f, v);
	assert_false(vcpu_has_event(v));
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_NMI_WINDOW);
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_NMI | 2);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_NMI_WINDOW);
	assert_int_equal(f->vm.cpu[0].attention, 0);
}

/* SDM, "NMI-Window Exiting": without virtual NMIs the control must be 0. */
static void no_nmi_window_without_virtual_nmis(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_set(v, VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT | PIN_NMI);
	f->vm.cpu[0].nmi_pending = f->vm.cpu[0].attention = 1;
	fake_set(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	fake_enter(f, v);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_NMI_WINDOW);
	assert_int_equal(f->vm.cpu[0].attention, 1);
}

/* NMI and interrupt at once: the NMI first, and a window for the other. */
static void nmi_before_interrupt(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_apic_enable(f, 0);
	fake_interrupts_on(v);
	fake_request(f, 0x41);
	f->vm.cpu[0].nmi_pending = 1;
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 2);
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
}

static void extint_is_injected(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_start_pic(f);
	fake_raise_irq(f, 4);
	fake_enter(f, v);			/* IF = 0: it isn't acknowledged */
	assert_false(vcpu_has_event(v));
	assert_true(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
	assert_int_equal(f->vm.pic.chip[0].isr, 0);
	fake_interrupts_on(v);
	fake_exit(f, v, REASON_INTERRUPT_WINDOW, 0, 0);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x34);
	assert_int_equal(f->vm.pic.chip[0].isr, 1 << 4);
	assert_int_equal(f->vm.cpu[0].attention, 0);
	assert_false(vmcs_read(v, VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
	fake_taken(v);
	fake_enter(f, v);			/* once */
	assert_false(vcpu_has_event(v));
}

/* It goes past TPR, and before what the local APIC has; that one gets a window. */
static void extint_before_fixed(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_start_pic(f);
	fake_interrupts_on(v);
	fake_raise_irq(f, 4);
	fake_request(f, 0x91);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x34);
	assert_int_equal(f->vm.cpu[0].attention, 1);
	fake_taken(v);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x91);
	fake_taken(v);
	fake_apic_write(f, 0, 0x80, 0xff);
	fake_raise_irq(f, 3);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x33);
}

/* SDM, "Enabling or Disabling the Local APIC": the INTR pin of a processor without it. */
static void extint_without_apic(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	fake_start_pic(f);
	fake_interrupts_on(v);
	lapic_set_base(&f->vm, &f->world, 0, 0xfee00100);
	fake_raise_irq(f, 4);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO) & 0xff, 0x34);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(interrupt_is_injected),
		ONE(interrupts_by_priority),
		ONE(window_instead_of_interrupt),
		ONE(queued_exception_goes_first),
		ONE(nmi),
		ONE(no_nmi_window_without_virtual_nmis),
		ONE(nmi_before_interrupt),
		ONE(extint_is_injected),
		ONE(extint_before_fixed),
		ONE(extint_without_apic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
