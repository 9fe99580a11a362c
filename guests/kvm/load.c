/*
 * load.c: a guest into KVM's machine by vexit's own loader (hv/load): the same memory map, zero page and ACPI tables.
 *
 * Called by main.c.
 */
#include <asm/bootparam.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load/acpi.h"
#include "load/layout.h"
#include "vmm.h"

static struct load_bytes map_file(const char *path)
{
	int fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
	struct stat st;
	void *bytes;

	must(fstat(fd, &st), path);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		fail("%s can't be read", path);
	close(fd);
	return (struct load_bytes){ bytes, (uint64_t)st.st_size };
}

/* A machine without ACPI, which Linux drives by 8259 and PIT. */
static void remove_acpi(struct machine *m)
{
	struct boot_params *zero_page = (void *)(m->memory + LAYOUT_ZERO_PAGE);

	zero_page->acpi_rsdp_addr = 0;
	memset(m->memory + LAYOUT_BIOS, 0, ACPI_SIZE_MAX);
}

void load_guest(struct machine *m, const char *file, const char *initrd, const char *append, bool acpi,
		struct vcpu_start *start)
{
	struct load_input in = { .guest = map_file(file), .memory = MEMORY_SIZE, .cpus = 1 };
	static struct load_plan plan;
	struct load_error error;
	char *line = NULL;

	if (asprintf(&line, "%s %s", file, append) < 0)
		fail("no memory");
	in.command_line = (struct load_bytes){ (const uint8_t *)line, strlen(line) };
	if (initrd)
		in.initrd = map_file(initrd);
	if (!load_plan(&in, &plan, &error))
		fail("%s:%#llx: %s", error.file == LOAD_INITRD ? initrd : file,
		     (unsigned long long)error.offset, error.text);
	load_place(&in, &plan, m->memory, start);
	if (!acpi && start->kind == START_LINUX)
		remove_acpi(m);
	free(line);
}
