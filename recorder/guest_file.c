/*
 * guest_file.c: can this guest be loaded? Asked of hv/load, the hypervisor's own loader, before a machine
 * starts.
 *
 * Called by image.c, which has the files in memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"
#include "recorder/command.h"
#include "recorder/machine.h"

#define RAM_END		(UINT64_C(3) << 30)	/* of the machine: devices are above */
#define HYPERVISOR	(UINT64_C(16) << 20)	/* the least that it works in */

/* The loader has the files in memory while the hypervisor makes a guest of them. */
static bool check_room(const struct image_config *c, uint64_t files)
{
	if (files <= RAM_END - HYPERVISOR && c->memory <= RAM_END - HYPERVISOR - files)
		return true;
	command_fail(0, "--mem: expected at most %" PRIu64 "M with %" PRIu64 " MiB of files, got %" PRIu64 "M",
		     files <= RAM_END - HYPERVISOR ? (RAM_END - HYPERVISOR - files) >> 20 : 0, files >> 20,
		     c->memory >> 20);
	return false;
}

static void print_error(const struct image_config *c, const struct load_error *e)
{
	const char *file = e->file == LOAD_GUEST ? c->guest : e->file == LOAD_INITRD ? c->initrd : "--append";

	command_fail(0, "%s:%#" PRIx64 ": %s", file, e->offset, e->text);
}

bool guest_file_check(const struct image_config *c, const struct image_part *guest,
		      const struct image_part *initrd)
{
	struct load_input in = {
		.guest = { guest->bytes, guest->size },
		.memory = c->memory,
		.cpus = c->vcpus,
	};
	static struct load_plan plan;
	struct load_error error;
	char *line = NULL;
	bool ok;

	if (asprintf(&line, "%s%s%s", c->guest_name, c->append ? " " : "", c->append ? c->append : "") < 0)
		abort();
	in.command_line = (struct load_bytes){ (const uint8_t *)line, strlen(line) };
	if (initrd)
		in.initrd = (struct load_bytes){ initrd->bytes, initrd->size };
	ok = load_plan(&in, &plan, &error);
	if (!ok)
		print_error(c, &error);
	free(line);
	return ok && check_room(c, guest->size + in.initrd.size);
}
