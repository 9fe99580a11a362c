/*
 * guest.c: the guest's files, which the boot loader left in memory, become the guest.
 *
 * Called once by vmx_main(), before the first entry. What is in the files is hv/load's to judge.
 */
#include "boot/boot.h"
#include "boot/log.h"
#include "lib/string.h"
#include "load/load.h"
#include "vmx/guest.h"

#define COMMAND_LINE_LIMIT 65536

static struct load_bytes module_bytes(const struct multiboot2_module *m)
{
	return (struct load_bytes){ (const uint8_t *)m->at.start, m->at.end - m->at.start };
}

static struct load_bytes text_bytes(const char *text)
{
	return (struct load_bytes){ (const uint8_t *)text, string_length(text, COMMAND_LINE_LIMIT) };
}

struct vcpu_start guest_load(const struct boot *boot, uint8_t *memory, uint64_t size)
{
	static const char *const files[] = {
		[LOAD_GUEST] = "guest", [LOAD_INITRD] = "initrd", [LOAD_COMMAND_LINE] = "command line",
	};
	const struct multiboot2_module *m = boot->loader.module;
	struct load_input in = {
		.guest = module_bytes(&m[0]),
		.command_line = text_bytes(m[0].command_line),
		.memory = size,
		.cpus = (uint32_t)boot->options.vcpus,
	};
	struct load_plan plan;
	struct load_error error;
	struct vcpu_start start;

	if (boot->loader.modules > 1) {
		in.initrd = module_bytes(&m[1]);
		in.initrd_line = text_bytes(m[1].command_line);
	}
	if (!load_plan(&in, &plan, &error))
		log_host_error("%s:%#lx: %s", files[error.file], error.offset, error.text);
	load_place(&in, &plan, memory, &start);
	log_print("vexit: guest '%s': %s, entry %#lx, %lu MiB\n", m[0].command_line,
		  start.kind == START_LINUX ? "Linux" : "multiboot", start.entry, size >> 20);
	return start;
}
