/*
 * main.c: from a booted machine to a running guest, and its verdict.
 *
 * Called by boot_main(). Reads like the table of contents of this folder.
 */
#include "boot/boot.h"
#include "boot/log.h"
#include "boot/memory.h"
#include "boot/panic.h"
#include "boot/x86.h"
#include "vmx/backend.h"
#include "vmx/bitmaps.h"
#include "vmx/ept.h"
#include "vmx/guest.h"
#include "vmx/clock.h"
#include "vmx/host.h"
#include "vmx/host_cpuid.h"
#include "vmx/region.h"
#include "vmx/run.h"
#include "vmx/schedule.h"
#include "vmx/setup.h"
#include "vmx/switch.h"
#include "vmx/vmx.h"
#include "vmx/world.h"

#define LARGE_PAGE	(2ull << 20)
#define CR0_PE_PG	0x80000001ull

/* What the guest's handlers need to know of the machine, and never changes. */
static void configure(struct vmx *x, const struct options *o)
{
	struct vm_config *c = &x->vm.config;
	const struct capability *cap = &x->capability;

	c->memory_size = o->memory_mib << 20;
	c->tsc_khz = o->tsc_khz;
	c->cpu_count = o->vcpus;
	c->preemption_timer_shift = cap->misc & 31;
	c->hide_tracing_time = o->hide_tracing_time;
	c->host_random = o->host_random;
	/* A recorder says when its console is two-way; any other machine's is. */
	c->console_input = o->console_input || !o->session;
	/* SDM "Unrestricted Guests": PE and PG are free in spite of FIXED0. */
	c->cr0_fixed0 = cap->cr0_fixed0 & ~CR0_PE_PG;
	c->cr0_fixed1 = cap->cr0_fixed1;
	c->cr4_fixed0 = cap->cr4_fixed0;
	c->cr4_fixed1 = cap->cr4_fixed1;
	switch_policy(c);
	host_cpuid_build_policy(c);
}

static void create_cpu(struct vmx *x, unsigned index, const struct vcpu_start *start, const struct setup *setup)
{
	struct vmx_cpu *c = &x->cpu[index];

	c->vmx = x;
	c->v = &x->vcpu[index];
	c->v->index = index;
	c->v->wake_at = c->v->deadline = TIME_NONE;
	region_allocate(c, &x->capability);
	region_make_current(c);
	if (index == 0)
		setup_probe(x);
	switch_init(c);

	for (unsigned i = 0; i < VMCS_WORDS; i++)
		c->v->loaded[i] = ~0ull;
	vcpu_reset(c->v, &x->vm, start);
	vcpu_begin_step(c->v, 0);	/* what the reset wrote is the base, no effect of a step */
	setup_vmcs(c, setup);
}

/* The last words: a report where a person needs one, the closing frame, the verdict. */
static noreturn void end(struct vmx *x, const struct vm_stop *stop)
{
	static const char *const kinds[] = {
#define X(number, name, text) [number] = text,
		STOP_KINDS(X)
#undef X
	};

	if (stop->kind >= sizeof(kinds) / sizeof(*kinds))
		panic("the VM stopped by kind %u", stop->kind);
	if ((stop->kind == STOP_UNHANDLED || stop->kind == STOP_ENTRY_FAILURE) && x->running)
		report_vcpu(x, x->running);
	tracer_finish(x, stop);
	report_totals(x);
	log_verdict(kinds[stop->kind], stop->value);
}

void vmx_main(const struct boot *boot)
{
	const struct options *o = &boot->options;
	struct vmx *x = memory_allocate(sizeof(*x), 4096, "the hypervisor's state");
	struct setup setup;
	struct vcpu_start start;
	struct vm_stop stop;

	capability_init(&x->capability, o->vcpus, o->host_random);
	region_vmxon(&x->capability);
	host_init(x);
	x->tracer.level = o->trace;
	x->check_snapshot = o->check_snapshot;

	configure(x, o);
	x->guest_memory = memory_allocate(x->vm.config.memory_size, LARGE_PAGE, "the guest's memory (option mem=)");
	start = guest_load(boot, x->guest_memory, x->vm.config.memory_size);
	setup.ept_pointer = ept_build((uint64_t)x->guest_memory, x->vm.config.memory_size);
	setup.msr_bitmap = bitmaps_build_msr();
	setup.io_bitmap = bitmaps_build_io();

	/* From here on the guest's time runs. */
	x->vm.config.rtc_start = o->rtc ? o->rtc : clock_time_of_day();
	x->vm.config.tsc_start = x86_rdtsc();
	vm_reset(&x->vm);
	for (unsigned i = 0; i < o->vcpus; i++)
		create_cpu(x, i, &start, &setup);
	backend_init(x);
	world_init(x);
	schedule_init(x);
	tracer_init(x, boot);
	report_init(x);

	if (o->session)
		log_listen();
	stop = run(x);
	end(x, &stop);
}
