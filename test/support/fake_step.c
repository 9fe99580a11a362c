/*
 * fake_step.c: exits and entry steps of a fake VM, and what they changed.
 *
 * Each step begins with all slots loaded and an empty log, and ends with checks that hold for any step.
 */
#include "exit/entry.h"
#include "fake.h"
#include "trace/step.h"

static void begin(struct fake *f, struct vcpu *v)
{
	f->log_count = 0;
	f->vm.touched = 0;
	vcpu_begin_step(v, f->now);
	memset(v->loaded, 0xff, sizeof(v->loaded));
}

/* What is true of any step: values fit their fields, and crossings stay within their bounds. */
static void check_step(const struct fake *f, const struct vcpu *v)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < VMCS_SLOTS; i++) {
		enum vmcs_width width = vmcs_encoding_width(vmcs_fields[i].encoding);

		if (!slot_test(v->dirty, i))
			continue;
		assert_int_not_equal(vmcs_encoding_class(vmcs_fields[i].encoding), VMCS_CLASS_INFO);
		if (width == VMCS_WIDTH_16)
			assert_true(v->vmcs[i] <= UINT16_MAX);
		if (width == VMCS_WIDTH_32)
			assert_true(v->vmcs[i] <= UINT32_MAX);
	}
	assert_true(v->gpr[GPR_RSP] == 0);
	assert_true(f->log_count <= STEP_CROSSINGS);
	for (unsigned i = 0; i < f->log_count; i++)
		bytes += f->log[i].size;
	assert_true(bytes <= STEP_CROSSINGS_MAX);
}

enum exit_action fake_exit(struct fake *f, struct vcpu *v, enum exit_reason reason, uint64_t qualification,
			   unsigned length)
{
	enum exit_action action;

	fake_set(v, VMCS_EXIT_REASON, reason);
	fake_set(v, VMCS_EXIT_QUALIFICATION, qualification);
	fake_set(v, VMCS_EXIT_INSTRUCTION_LEN, length);
	fake_set(v, VMCS_ENTRY_INTR_INFO, vmcs_read(v, VMCS_ENTRY_INTR_INFO) & ~(uint64_t)INTR_INFO_VALID);
	begin(f, v);
	action = exit_dispatch(v, &f->vm, &f->world);
	check_step(f, v);
	if (action == ACTION_STOP)
		assert_int_not_equal(f->vm.stop.kind, STOP_NONE);
	if (action == ACTION_INJECT)
		assert_true(vcpu_has_event(v));
	fake_set(v, VMCS_IDT_VECTORING_INFO, 0);
	return action;
}

/* What vcpu_goes_on() promises. */
static void check_only_time_passed(const struct fake *f, const struct vcpu *v, uint64_t deadline)
{
	assert_int_equal(v->entry, ENTRY_ENTER);
	assert_int_equal(v->deadline, deadline);
	assert_int_equal(v->wake_at, TIME_NONE);
	assert_int_equal(v->vmcs[VMCS_PREEMPTION_TIMER_VALUE],
			 vm_preemption_timer(&f->vm.config, deadline, v->tsc));
	assert_int_equal(fake_changes(v), fake_changed(v, VMCS_PREEMPTION_TIMER_VALUE));
	assert_int_equal(v->gpr_dirty, 0);
	assert_int_equal(f->log_count, 0);
	assert_int_equal(f->vm.touched, 0);
}

/*
 * Whether timer, deadline and wake_at are what an entry step leaves, and no more time is hidden than has passed; a test
 * may make what none does.
 */
static bool is_left_by_a_step(const struct fake *f, const struct vcpu *v)
{
	if (v->wake_at != TIME_NONE || f->vm.hidden > v->tsc)
		return false;
	if (v->deadline != TIME_NONE)
		return v->deadline - v->tsc < vm_timer_cap(&f->vm.config);
	return v->vmcs[VMCS_PREEMPTION_TIMER_VALUE] == vm_preemption_timer(&f->vm.config, TIME_NONE, 0);
}

enum entry_result fake_enter(struct fake *f, struct vcpu *v)
{
	uint64_t deadline = v->deadline;
	enum entry_result result;
	bool goes_on;

	begin(f, v);
	goes_on = is_left_by_a_step(f, v) && vcpu_goes_on(v, &f->vm);
	result = vcpu_prepare_entry(v, &f->vm, &f->world);
	check_step(f, v);
	assert_int_equal(v->entry, result);
	if (goes_on)
		check_only_time_passed(f, v, deadline);
	return result;
}

bool fake_changed(const struct vcpu *v, enum vmcs_slot slot)
{
	return slot_test(v->dirty, slot) && v->vmcs[slot] != v->vmcs_before[slot];
}

unsigned fake_changes(const struct vcpu *v)
{
	unsigned count = 0;

	for (unsigned i = 0; i < VMCS_SLOTS; i++)
		count += fake_changed(v, i);
	for (unsigned i = 0; i < GPR_COUNT; i++)
		count += (v->gpr_dirty >> i & 1) && v->gpr[i] != v->gpr_before[i];
	return count;
}

void fake_assert_injected(struct vcpu *v, unsigned vector, int64_t error_code)
{
	uint64_t info = INTR_INFO_VALID | INTR_TYPE_HARDWARE | vector;

	if (error_code >= 0)
		info |= INTR_INFO_ERROR_CODE;
	assert_int_equal(vmcs_read(v, VMCS_ENTRY_INTR_INFO), info);
	if (error_code >= 0)
		assert_int_equal(vmcs_read(v, VMCS_ENTRY_EXCEPTION_ERROR_CODE), error_code);
}
