/*
 * qemu.c: QEMU's command, and whether KVM on this host gives its guests VMX. Called by machine.c.
 *
 * Without KVM QEMU has no VMX: it is started all the same when asked for, so that the hypervisor itself says
 * what is missing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recorder/machine.h"

static bool cpu_has_vmx(void)
{
	char line[8192];
	FILE *f = fopen("/proc/cpuinfo", "r");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, "flags", 5) && strstr(line, " vmx");
	if (f)
		fclose(f);
	return found;
}

static bool kvm_nests(void)
{
	FILE *f = fopen("/sys/module/kvm_intel/parameters/nested", "r");
	int c = f ? fgetc(f) : EOF;

	if (f)
		fclose(f);
	return c == 'Y' || c == '1';
}

bool qemu_has_vmx(void)
{
	return !access("/dev/kvm", R_OK | W_OK) && cpu_has_vmx() && kvm_nests();
}

char **qemu_command(const struct machine *m, const struct machine_config *c)
{
	static char memory[32], console[64] = "file:" MACHINE_CONSOLE, log[64], cpu[128], rtc[64];
	static char *command[40];
	time_t when = (time_t)c->rtc;
	struct tm utc;
	unsigned n = 0;

	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)c->memory_mib);
	snprintf(log, sizeof(log), "tcp:127.0.0.1:%u", m->log.number);
	if (c->input)
		snprintf(console, sizeof(console), "tcp:127.0.0.1:%u", m->console.number);
	gmtime_r(&when, &utc);
	strftime(rtc, sizeof(rtc), "base=%Y-%m-%dT%H:%M:%S,clock=vm", &utc);
	snprintf(cpu, sizeof(cpu), "%s", c->cpu ? c->cpu : m->kvm ? "host,+vmx" : "max");
	const char *const words[] = {
		"qemu-system-x86_64",
		"-machine",
		"pc",
		"-accel",
		m->kvm ? "kvm" : "tcg",
		"-cpu",
		cpu,
		"-m",
		memory,
		"-nodefaults",
		"-display",
		"none",
		"-vga",
		"std",
		"-no-reboot",
		"-rtc",
		rtc,
		"-cdrom",
		MACHINE_ISO,
		"-boot",
		"d",
		"-serial",
		console,
		"-serial",
		"file:" MACHINE_WIRE,
		"-serial",
		log,
		"-device",
		"isa-debug-exit,iobase=0xf4,iosize=4",
	};
	for (n = 0; n < sizeof(words) / sizeof(*words); n++)
		command[n] = (char *)words[n];
	command[n] = NULL;
	return command;
}
