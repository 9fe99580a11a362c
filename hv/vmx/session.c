/*
 * session.c: fills the session frame: id, machine, build, guest, capability MSRs, field dictionary,
 * configuration.
 *
 * Called once by tracer_init().
 */
#include "boot/boot.h"
#include "boot/x86.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vmx/session.h"
#include "vmx/vmx.h"

#define CPUID1_ECX_RDRAND	(1u << 30)
#define CPUID1_ECX_HYPERVISOR	(1u << 31)
#define CPUID_BRAND		0x80000002u	/* and the two that follow: 48 characters */

extern const char build_id[];			/* made by the Makefile from the sources' contents */

/*
 * A machine without a recorder behind it makes its own id; RDRAND may fail a few times (SDM "Random Number
 * Generator Instructions").
 */
static uint64_t random_id(void)
{
	uint64_t id = x86_rdtsc() * 0x9e3779b97f4a7c15ull, value = 0;

	if (x86_cpuid(1, 0).ecx & CPUID1_ECX_RDRAND) {
		for (unsigned tries = 0; tries < 10; tries++) {
			bool ok;

			__asm__ volatile("rdrand %0" : "=r"(value), "=@ccc"(ok));
			if (ok)
				break;
		}
	}
	id ^= value;
	return id ? id : 1;
}

static void describe_machine(char *to, size_t size)
{
	char brand[49] = "", hypervisor[13] = "";
	const char *start = brand;

	if (x86_cpuid(0x80000000u, 0).eax >= CPUID_BRAND + 2) {
		for (unsigned i = 0; i < 3; i++) {
			struct x86_cpuid r = x86_cpuid(CPUID_BRAND + i, 0);

			memcpy(brand + 16 * i, &r, 16);
		}
	}
	while (*start == ' ')
		start++;
	if (x86_cpuid(1, 0).ecx & CPUID1_ECX_HYPERVISOR) {
		struct x86_cpuid r = x86_cpuid(0x40000000u, 0);

		memcpy(hypervisor, &r.ebx, 12);
	}
	print_format(to, size, "%s%s%s", start, *hypervisor ? " under " : "", hypervisor);
}

/* The guest's command line begins with its file name, perhaps with a path. */
static void guest_name(const char *command_line, char *to, size_t size)
{
	const char *start = command_line, *end;

	for (end = command_line; *end && *end != ' '; end++)
		if (*end == '/')
			start = end + 1;
	print_format(to, size, "%.*s", (int)(end - start), start);
}

void session_describe(const struct vmx *x, const struct boot *boot, struct session *s)
{
	const char *command_line = boot->loader.module[0].command_line;

	s->version = TRACE_VERSION;
	s->id = boot->options.session ? boot->options.session : random_id();
	s->cpu_count = x->vm.config.cpu_count;
	/* Without records there is nothing to leave out; FORMAT.md has no level of that name. */
	s->level = x->tracer.level == TRACE_FULL ? TRACE_FULL : TRACE_TOUCHED;
	describe_machine(s->machine, sizeof(s->machine));
	string_copy(s->build, sizeof(s->build), build_id);
	guest_name(command_line, s->guest, sizeof(s->guest));
	string_copy(s->cmdline, sizeof(s->cmdline), command_line);
	for (unsigned i = 0; i < x->capability.msr_count && i < SESSION_CAPS; i++) {
		s->caps[i].msr = x->capability.msr[i].msr;
		s->caps[i].value = x->capability.msr[i].value;
		s->cap_count = i + 1;
	}
	s->config = x->vm.config;
	session_describe_build(s, x->supported);
}
