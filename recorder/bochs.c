/*
 * bochs.c: Bochs' configuration and command. Called by machine.c.
 *
 * Everything here is for speed without a screen and for the same run twice: no synchronisation with real
 * time, a fixed clock, the least `ips` that Bochs takes, because a byte on the serial line costs 87 µs of
 * emulated time, which that number turns into instructions of polling (traces reach about 300 KB/s with it,
 * and a quarter of that at 4,000,000).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "recorder/command.h"
#include "recorder/machine.h"

#define IPS "1000000"
#define MEMORY_MAX 2048		/* MiB that Bochs takes from the host; what it swaps to a file comes back damaged */
#define DEFAULT_CPU "corei7_skylake_x"

static bool write_text(const char *directory, const char *name, const char *text)
{
	char path[PATH_MAX + 16];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f)) {
		command_fail(0, "%s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

/* The debugger's build stops at the first instruction until it is told to continue: `c`. */
char **bochs_command(const struct machine *m, const struct machine_config *c)
{
	static char *command[] = { "bochs", "-q", "-f", "bochsrc", "-rc", "commands", NULL };
	char text[2048], console[64] = "mode=file, dev=" MACHINE_CONSOLE;

	if (c->memory_mib > MEMORY_MAX) {
		command_fail(0, "--mem: with guest, hypervisor and files the machine would have %llu MiB; Bochs has at most %u",
			     (unsigned long long)c->memory_mib, MEMORY_MAX);
		return NULL;
	}
	if (c->input)
		snprintf(console, sizeof(console), "mode=socket-client, dev=127.0.0.1:%u", m->console.number);
	snprintf(text, sizeof(text),
		 "cpu: model=%s, count=1, ips=" IPS ", reset_on_triple_fault=0, ignore_bad_msrs=1\n"
		 "memory: guest=%llu, host=%llu\n"
		 "romimage: file=/usr/share/bochs/BIOS-bochs-latest\n"
		 "vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest\n"
		 "ata0-master: type=cdrom, path=" MACHINE_ISO ", status=inserted\n"
		 "boot: cdrom\n"
		 "display_library: rfb, options=\"timeout=0\"\n"
		 "vga: update_freq=1\n"
		 "sound: driver=dummy\n"
		 "clock: sync=none, time0=%llu\n"
		 "panic: action=fatal\n"
		 "error: action=report\n"
		 "info: action=ignore\n"
		 "debug: action=ignore\n"
		 "log: " MACHINE_EVENTS "\n"
		 "com1: enabled=1, %s\n"
		 "com2: enabled=1, mode=file, dev=" MACHINE_WIRE "\n"
		 "com3: enabled=1, mode=socket-client, dev=127.0.0.1:%u\n",
		 c->cpu ? c->cpu : DEFAULT_CPU, (unsigned long long)c->memory_mib,
		 (unsigned long long)c->memory_mib, (unsigned long long)c->rtc, console, m->log.number);
	if (!write_text(m->directory, "bochsrc", text) || !write_text(m->directory, "commands", "c\n"))
		return NULL;
	return command;
}
