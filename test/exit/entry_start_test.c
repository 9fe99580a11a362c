/*
 * How vCPUs start: INIT and SIPI (SDM, "MP Initialization" and "Processor States Following Power-up,
 * Reset, or INIT"), and the boot processor's state by the Multiboot Specification ("Machine state").
 */
#include "exit/entry.h"
#include "support/fake_irq.h"

#define ICR	0x300
#define ICR_HIGH 0x310

static void send(struct fake *f, unsigned from, unsigned to, uint32_t command)
{
	fake_apic_write(f, from, ICR_HIGH, to << 24);
	fake_apic_write(f, from, ICR, command);
}

static void sipi_starts(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[2];

	assert_int_equal(fake_enter(f, v), ENTRY_WAIT);
	assert_false(vm_cpu_wants_step(&f->vm, 2, TIME_NONE - 1));
	send(f, 0, 2, 0x4500);
	assert_true(vm_cpu_wants_step(&f->vm, 2, f->now));
	assert_int_equal(fake_enter(f, v), ENTRY_WAIT);
	assert_int_equal(fake_count(f, CROSSING_DR_WRITE), 5);
	assert_int_equal(fake_count(f, CROSSING_INVVPID), 1);
	send(f, 0, 2, 0x4600 | 0x12);
	send(f, 0, 2, 0x4600 | 0x12);
	assert_int_equal(fake_enter(f, v), ENTRY_ENTER);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_SELECTOR), 0x1200);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_BASE), 0x12000);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), 0);
	assert_int_equal(f->vm.cpu[2].activity, CPU_RUNNING);
	/* A second one finds it running. */
	send(f, 0, 2, 0x4600 | 0x34);
	fake_enter(f, v);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_SELECTOR), 0x1200);
}

/* INIT and SIPI both sent before the target's step. */
static void init_and_sipi_at_once(void **state)
{
	struct fake *f = *state;

	send(f, 0, 3, 0x4500);
	send(f, 0, 3, 0x4600 | 0x08);
	assert_int_equal(fake_enter(f, &f->cpu[3]), ENTRY_ENTER);
	assert_int_equal(vmcs_read(&f->cpu[3], VMCS_GUEST_CS_BASE), 0x8000);
}

/* SDM, "Processor States Following Power-up, Reset, or INIT": from the middle of long mode. */
static void init_resets_state(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[1];

	f->vm.cpu[1].activity = CPU_RUNNING;
	fake_long_mode(f, v);
	v->gpr[GPR_RAX] = 1;
	f->vm.cpu[1].xcr0 = 7;
	f->vm.cpu[1].nmi_pending = 1;
	fake_set(v, VMCS_ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_TYPE_EXTERNAL | 0x30);
	fake_set(v, VMCS_PROC_CONTROLS, PROC_INTERRUPT_WINDOW | PROC_HLT);
	fake_set(v, VMCS_GUEST_SYSENTER_CS, 8);
	fake_start_timer(f, 1, 0x40, 1000);
	send(f, 0, 1, 0x4500);
	assert_int_equal(fake_enter(f, v), ENTRY_WAIT);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR0), CR0_ET | CR0_NE);
	assert_int_equal(vcpu_cr0(v), CR0_CD | CR0_NW | CR0_ET);
	assert_int_equal(vcpu_cr4(v), 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CR4), CR4_VMXE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_EFER), 0);
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_CONTROLS) & ENTRY_IA32E, 0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RFLAGS), 2);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_BASE), 0xffff0000);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), 0xfff0);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_DR7), 0x400);
	assert_int_equal(v->gpr[GPR_RAX], 0);
	assert_int_equal(v->gpr[GPR_RDX], 0x00050654);	/* the processor's signature */
	assert_false(vcpu_has_event(v));
	assert_int_equal(vmcs_read(v, VMCS_PROC_CONTROLS), PROC_HLT);
	assert_int_equal(f->vm.cpu[1].nmi_pending, 0);
	assert_int_equal(f->vm.timer_next, TIME_NONE);
	assert_int_equal(fake_apic_read(f, 1, 0x20), 1 << 24);
	/* What INIT leaves alone */
	assert_int_equal(f->vm.cpu[1].xcr0, 7);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_SYSENTER_CS), 8);
}

static void init_of_the_bsp_is_a_reset(void **state)
{
	struct fake *f = *state;

	send(f, 1, 0, 0x4500);
	assert_int_equal(fake_enter(f, &f->cpu[0]), ENTRY_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_RESET);
}

/* Multiboot: 32-bit flat protected mode, magic and information in EAX and EBX. */
static void multiboot_state(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];

	assert_int_equal(v->gpr[GPR_RAX], 0x2badb002);
	assert_int_equal(v->gpr[GPR_RBX], 0x9000);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_ACCESS_RIGHTS), 0xc09b);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_CS_LIMIT), 0xffffffff);
	assert_int_equal(vcpu_cr0(v), CR0_PE | CR0_ET);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RFLAGS), RFLAGS_FIXED);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, fake_setup_smp, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOUR(sipi_starts),
		FOUR(init_and_sipi_at_once),
		FOUR(init_resets_state),
		FOUR(init_of_the_bsp_is_a_reset),
		ONE(multiboot_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
