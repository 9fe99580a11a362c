/*
 * fake.c: the world and the vCPUs of fake.h.
 *
 * Each step begins with all slots loaded and an empty log, and ends with checks that hold for any step.
 */
#include <stdlib.h>

#include "exit/entry.h"
#include "fake.h"
#include "trace/step.h"

#define PTE_TABLE 7
#define PTE_LARGE 0x87

static struct fake *fake_of(struct world *w)
{
	return w->context;
}

static void log_crossing(struct fake *f, enum crossing_kind kind, uint64_t addr, uint32_t size,
			 uint64_t value,
			 const void *bytes)
{
	struct fake_crossing *c = &f->log[f->log_count++];

	assert_true(f->log_count < FAKE_LOG);
	*c = (struct fake_crossing){ .kind = kind, .addr = addr, .size = size, .value = value };
	if (bytes)
		memcpy(c->bytes, bytes, size < sizeof(c->bytes) ? size : sizeof(c->bytes));
}

/* ---- The world ---- */

static void mem_read(struct world *w, uint64_t gpa, void *to, uint32_t len)
{
	struct fake *f = fake_of(w);

	assert_true(vm_has_memory(&f->vm, gpa, len));
	assert_in_range(len, 1, CROSSING_MAX);
	memcpy(to, f->memory + gpa, len);
	log_crossing(f, CROSSING_MEM_READ, gpa, len, 0, to);
}

static void mem_write(struct world *w, uint64_t gpa, const void *from, uint32_t len)
{
	struct fake *f = fake_of(w);

	assert_true(vm_has_memory(&f->vm, gpa, len));
	assert_in_range(len, 1, CROSSING_MAX);
	memcpy(f->memory + gpa, from, len);
	log_crossing(f, CROSSING_MEM_WRITE, gpa, len, 0, from);
}

static uint64_t mem_cmpxchg(struct world *w, uint64_t gpa, uint32_t size, uint64_t expected, uint64_t desired)
{
	struct fake *f = fake_of(w);
	uint64_t found = 0;

	assert_true(vm_has_memory(&f->vm, gpa, size));
	assert_int_equal(gpa % size, 0);
	memcpy(&found, f->memory + gpa, size);
	if (f->memory_races)
		found ^= 0x200;
	if (found == expected)
		memcpy(f->memory + gpa, &desired, size);
	log_crossing(f, CROSSING_MEM_CMPXCHG, gpa, size, desired, NULL);
	return found;
}

static void console_out(struct world *w, const void *from, uint32_t len)
{
	struct fake *f = fake_of(w);

	assert_in_range(len, 1, CROSSING_MAX);
	log_crossing(f, CROSSING_CONSOLE_OUT, 0, len, 0, from);
	assert_true(f->console_size + len < sizeof(f->console));
	memcpy(f->console + f->console_size, from, len);
	f->console_size += len;
	f->console[f->console_size] = 0;
}

static int console_in(struct world *w)
{
	struct fake *f = fake_of(w);
	int byte = f->input && *f->input ? (uint8_t)*f->input++ : -1;

	log_crossing(f, CROSSING_CONSOLE_IN, 0, 0, (uint64_t)byte, NULL);
	return byte;
}

static uint64_t msr_read(struct world *w, uint32_t msr)
{
	log_crossing(fake_of(w), CROSSING_MSR_READ, msr, 8, 0, NULL);
	return 0;
}

static void msr_write(struct world *w, uint32_t msr, uint64_t value)
{
	log_crossing(fake_of(w), CROSSING_MSR_WRITE, msr, 8, value, NULL);
}

static void xcr_write(struct world *w, uint32_t xcr, uint64_t value)
{
	log_crossing(fake_of(w), CROSSING_XCR_WRITE, xcr, 8, value, NULL);
}

static uint64_t dr_read(struct world *w, uint32_t dr)
{
	log_crossing(fake_of(w), CROSSING_DR_READ, dr, 8, fake_of(w)->dr[dr], NULL);
	return fake_of(w)->dr[dr];
}

static void dr_write(struct world *w, uint32_t dr, uint64_t value)
{
	fake_of(w)->dr[dr] = value;
	log_crossing(fake_of(w), CROSSING_DR_WRITE, dr, 8, value, NULL);
}

static void invvpid(struct world *w, enum invvpid_type type, uint64_t linear)
{
	log_crossing(fake_of(w), CROSSING_INVVPID, linear, 0, type, NULL);
}

static void kick(struct world *w, uint32_t cpu)
{
	log_crossing(fake_of(w), CROSSING_KICK, cpu, 0, 0, NULL);
}

static uint64_t slice_end(struct world *w)
{
	log_crossing(fake_of(w), CROSSING_SLICE_END, 0, 8, fake_of(w)->slice_end, NULL);
	return fake_of(w)->slice_end;
}

static uint64_t tracer_cycles(struct world *w)
{
	log_crossing(fake_of(w), CROSSING_TRACER_CYCLES, 0, 8, fake_of(w)->tracer_cycles, NULL);
	return fake_of(w)->tracer_cycles;
}

static const struct world_ops ops = {
	.mem_read = mem_read, .mem_write = mem_write, .mem_cmpxchg = mem_cmpxchg, .console_out = console_out,
	.console_in = console_in, .msr_read = msr_read, .msr_write = msr_write, .xcr_write = xcr_write,
	.dr_read = dr_read, .dr_write = dr_write, .invvpid = invvpid, .kick = kick, .slice_end = slice_end,
	.tracer_cycles = tracer_cycles,
};

/* ---- The machine ---- */

/* What a processor of the Skylake server kind says, and some bits that no guest of ours may see. */
static const struct host_cpuid host[] = {
	{ 0x0, CPUID_ANY_SUBLEAF, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69 },
	{ 0x1, CPUID_ANY_SUBLEAF, 0x00050654, 0x07100800, 0xffffffff, 0xffffffff },
	{ 0x2, CPUID_ANY_SUBLEAF, 0x76036301, 0x00f0b5ff, 0, 0x00c30000 },
	{ 0x4, 0, 0x1c004121, 0x01c0003f, 0x3f, 0 },
	{ 0x4, 1, 0x1c004122, 0x01c0003f, 0x3f, 0 },
	{ 0x4, 2, 0x1c004143, 0x03c0003f, 0x3ff, 0 },
	{ 0x4, 3, 0x1c03c163, 0x0280003f, 0x2fff, 4 },
	{ 0x7, 0, 0, 0xffffffff, 0xffffffff, 0xffffffff },
	{ 0xd, 0, 0x2ff, 0xa80, 0xa80, 0 },
	{ 0xd, 1, 0xf, 0xa80, 0x100, 0 },
	{ 0xd, 2, 0x100, 0x240, 0, 0 },
	{ 0xd, 5, 0x40, 0x440, 0, 0 },
	{ 0xd, 6, 0x200, 0x480, 0, 0 },
	{ 0xd, 7, 0x400, 0x680, 0, 0 },
	{ 0xd, 9, 0x8, 0xa80, 0, 0 },
	{ 0x80000001, CPUID_ANY_SUBLEAF, 0, 0, 0xffffffff, 0xffffffff },
	{ 0x80000008, CPUID_ANY_SUBLEAF, 0x302e, 0x200, 0, 0 },
};

static void set_config(struct vm_config *c, unsigned cpus)
{
	*c = (struct vm_config){
		.memory_size = FAKE_MEMORY, .tsc_khz = FAKE_KHZ, .cpu_count = cpus,
		.xcr0_allowed = 0x2e7, .xss_allowed = 0,
		.cr0_fixed0 = 0x80000021, .cr0_fixed1 = 0xffffffff,
		.cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3727ff,
	};
	cpuid_build_policy(c, host, sizeof(host) / sizeof(host[0]));
}

struct fake *fake_new(unsigned cpus)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->world = (struct world){ .ops = &ops, .context = f };
	f->slice_end = TIME_NONE;
	f->now = 1000000;
	set_config(&f->vm.config, cpus);
	vm_reset(&f->vm);
	for (unsigned i = 0; i < cpus; i++) {
		struct vcpu *v = &f->cpu[i];

		v->index = i;
		memset(v->loaded, 0xff, sizeof(v->loaded));
		fake_set(v, VMCS_PIN_CONTROLS,
			 PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER);
		vcpu_reset(v, &f->vm, &(struct vcpu_start){ .kind = START_MULTIBOOT, .entry = FAKE_CODE, .info = 0x9000 });
		fake_set(v, VMCS_GUEST_RSP, FAKE_STACK);
	}
	return f;
}

void fake_free(struct fake *f)
{
	free(f);
}

int fake_setup(void **state)
{
	*state = fake_new(1);
	return 0;
}

int fake_setup_smp(void **state)
{
	*state = fake_new(4);
	return 0;
}

int fake_teardown(void **state)
{
	fake_free(*state);
	return 0;
}

void fake_set(struct vcpu *v, enum vmcs_slot slot, uint64_t value)
{
	v->vmcs[slot] = value;
}

static void put64(struct fake *f, uint64_t gpa, uint64_t value)
{
	memcpy(f->memory + gpa, &value, 8);
}

void fake_long_mode(struct fake *f, struct vcpu *v)
{
	uint64_t pml4 = FAKE_TABLES, pdpt = pml4 + 0x1000, pd = pdpt + 0x1000;

	put64(f, pml4, pdpt | PTE_TABLE);
	for (unsigned i = 0; i < 4; i++)
		put64(f, pdpt + 8 * i, (pd + 0x1000 * i) | PTE_TABLE);
	for (uint64_t i = 0; i < 2048; i++)
		put64(f, pd + 8 * i, i << 21 | PTE_LARGE);
	fake_set(v, VMCS_GUEST_CR3, pml4);
	fake_set(v, VMCS_GUEST_CR4, CR4_PAE | CR4_VMXE);
	fake_set(v, VMCS_GUEST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE);
	fake_set(v, VMCS_CR0_READ_SHADOW, CR0_PG | CR0_WP | CR0_ET | CR0_PE);
	fake_set(v, VMCS_GUEST_EFER, EFER_LMA | EFER_LME | EFER_NXE | EFER_SCE);
	fake_set(v, VMCS_ENTRY_CONTROLS, ENTRY_IA32E);
	fake_set(v, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
}

void fake_real_mode(struct vcpu *v)
{
	fake_set(v, VMCS_GUEST_CR0, vmcs_read(v, VMCS_GUEST_CR0) & ~CR0_PE);
	fake_set(v, VMCS_CR0_READ_SHADOW, vmcs_read(v, VMCS_CR0_READ_SHADOW) & ~CR0_PE);
	for (unsigned seg = SEG_ES; seg < SEG_COUNT; seg++) {
		fake_set(v, VMCS_GUEST_ES_SELECTOR + seg, FAKE_CODE >> 8);
		fake_set(v, VMCS_GUEST_ES_BASE + seg, seg == SEG_CS ? FAKE_CODE : FAKE_DATA);
		fake_set(v, VMCS_GUEST_ES_LIMIT + seg, 0xffff);
		fake_set(v, VMCS_GUEST_ES_ACCESS_RIGHTS + seg, seg == SEG_CS ? 0x9b : 0x93);
	}
	fake_set(v, VMCS_GUEST_RIP, 0);
}

void fake_set_cpl(struct vcpu *v, unsigned cpl)
{
	uint64_t rights = vmcs_read(v, VMCS_GUEST_SS_ACCESS_RIGHTS) & ~(uint64_t)AR_DPL;

	fake_set(v, VMCS_GUEST_SS_ACCESS_RIGHTS, rights | cpl << 5);
}

void fake_code(struct fake *f, struct vcpu *v, const void *bytes, unsigned count)
{
	uint64_t at = vmcs_read(v, VMCS_GUEST_RIP);

	if (!vcpu_is_64bit(v))
		at += vmcs_read(v, VMCS_GUEST_CS_BASE);
	memcpy(f->memory + at, bytes, count);
}

/* ---- Steps ---- */

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

/* Whether timer, deadline and wake_at are what an entry step leaves; a test may make what none does. */
static bool is_left_by_a_step(const struct fake *f, const struct vcpu *v)
{
	if (v->wake_at != TIME_NONE)
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

unsigned fake_count(const struct fake *f, enum crossing_kind kind)
{
	unsigned count = 0;

	for (unsigned i = 0; i < f->log_count; i++)
		count += f->log[i].kind == kind;
	return count;
}

const struct fake_crossing *fake_find(const struct fake *f, enum crossing_kind kind, unsigned n)
{
	for (unsigned i = 0; i < f->log_count; i++) {
		if (f->log[i].kind == kind && n-- == 0)
			return &f->log[i];
	}
	fail_msg("no such crossing");
	return NULL;
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

uint32_t fake_apic_read(struct fake *f, unsigned cpu, uint32_t offset)
{
	return (uint32_t)lapic_read(&f->vm, cpu, offset, 4, f->now);
}

void fake_apic_write(struct fake *f, unsigned cpu, uint32_t offset, uint32_t value)
{
	lapic_write(&f->vm, &f->world, cpu, offset, 4, value, f->now);
}

/* ---- Ports ---- */

static struct port_access access_to(struct fake *f, uint16_t port, unsigned size)
{
	return (struct port_access){ &f->vm, &f->world, 0, vm_time(&f->vm, f->now), port, size };
}

uint32_t fake_in(struct fake *f, uint16_t port, unsigned size)
{
	struct port_access a = access_to(f, port, size);

	return port_read(&a);
}

void fake_out(struct fake *f, uint16_t port, unsigned size, uint32_t value)
{
	struct port_access a = access_to(f, port, size);

	port_write(&a, (const uint8_t *)&value, 1);
}
