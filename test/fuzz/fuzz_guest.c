/*
 * A guest's file, its initrd and its command line from hostile bytes, to hv/load. What is refused has a
 * reason; what is planned stays within the memory, apart from each other and from the loader's tables, and is
 * placed.
 *
 * An input is eight bytes (memory, sizes of initrd and command line, processors), then the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "load/load.h"
#include "support/guest_image.h"

#define CONTROL 8u
#define MEMORY_MAX (5u << 20)
#define LINE_MAX 8192u

/* Each is used from its end, so that one byte too far is noticed. Zero between inputs. */
static uint8_t memory_arena[MEMORY_MAX], initrd_arena[MEMORY_MAX], line_arena[LINE_MAX];

static void check_plan(const struct load_input *in, const struct load_plan *p)
{
	bool entry = false;

	FUZZ_CHECK(p->pieces >= 1 && p->pieces <= LOAD_PIECES);
	for (unsigned i = 0; i < p->pieces; i++) {
		const struct load_piece *a = &p->piece[i];
		bool is_initrd = in->initrd.at && a->gpa == p->initrd;
		const struct load_bytes *file = is_initrd ? &in->initrd : &in->guest;

		FUZZ_CHECK(a->memory_size && a->memory_size <= in->memory &&
			   a->gpa <= in->memory - a->memory_size);
		FUZZ_CHECK(a->size <= a->memory_size);
		FUZZ_CHECK(a->from >= file->at && a->size <= file->size && a->from <= file->at +
			   file->size - a->size);
		FUZZ_CHECK(a->gpa >= 0xf000 || a->gpa + a->memory_size <= 0x6000);
		FUZZ_CHECK(a->gpa >= 0x100000 || a->gpa + a->memory_size <= 0xe0000);
		for (unsigned j = 0; j < i; j++)
			FUZZ_CHECK(a->gpa >= p->piece[j].gpa + p->piece[j].memory_size ||
				   p->piece[j].gpa >= a->gpa + a->memory_size);
		entry |= p->entry - a->gpa < a->memory_size;
	}
	FUZZ_CHECK(entry);
}

static void place(const struct load_input *in, const struct load_plan *p)
{
	uint8_t *memory = memory_arena + MEMORY_MAX - in->memory;
	struct vcpu_start start;

	load_place(in, p, memory, &start);
	for (unsigned i = 0; i < p->pieces; i++)
		FUZZ_CHECK(!memcmp(memory + p->piece[i].gpa, p->piece[i].from, p->piece[i].size));
	FUZZ_CHECK(start.entry == p->entry && start.info < 0x10000);
	FUZZ_CHECK(!memcmp(memory + 0xe0000, "RSD PTR ", 8));
	for (unsigned i = 0; i < p->pieces; i++)
		memset(memory + p->piece[i].gpa, 0, p->piece[i].size);
	memset(memory + 0x6000, 0, 0x9000);
	memset(memory + 0xe0000, 0, 0x20000);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t control[CONTROL] = { 0 };
	struct load_input in = { .guest = { bytes, 0 } };
	struct load_error e = { .text = "" };
	struct load_plan p;
	uint8_t *line;

	memcpy(control, bytes, size < CONTROL ? size : CONTROL);
	if (size > CONTROL)
		in.guest = (struct load_bytes){ bytes + CONTROL, size - CONTROL };
	in.memory = (2u + control[0] % 4) << 20;
	in.cpus = 1 + control[1] % 8;
	in.initrd.size = image_get(control + 2, 3) % (in.memory + 1);
	if (control[7] & 1)
		in.initrd.at = initrd_arena + MEMORY_MAX - in.initrd.size;
	in.command_line.size = image_get(control + 5, 2) % LINE_MAX;
	line = line_arena + LINE_MAX - in.command_line.size;
	memset(line, 'x', in.command_line.size);
	if (in.command_line.size > 2)
		line[2] = ' ';
	in.command_line.at = line;
	in.initrd_line = in.command_line;
	if (load_plan(&in, &p, &e)) {
		check_plan(&in, &p);
		place(&in, &p);
	} else {
		FUZZ_CHECK(strstr(e.text, ", expected ") && strstr(e.text, ", got "));
		FUZZ_CHECK(e.file <= LOAD_COMMAND_LINE && strlen(e.text) < LOAD_TEXT - 1);
	}
	return 0;
}

/* Images whose last byte of memory is the guest's last one, so that a small change goes beyond. */
static void put_edge(unsigned which, uint8_t *image, uint64_t memory)
{
	if (which == 0)
		image_put(image + 0x260, memory - IMAGE_LINUX_AT, 4);	/* init_size */
	else if (which == 1)
		image_put(image + 52 + 2 * 32 + 20, memory - IMAGE_ELF_DATA_AT, 4);	/* segment 2's size */
	else
		image_put(image + 64 + 56 + 24, memory - 0x1000, 8);	/* segment 1's address */
}

uint8_t *fuzz_seed(unsigned i, size_t *size)
{
	static uint64_t (*const make[])(uint8_t *) = { image_linux, image_elf32, image_elf64 };
	uint8_t *out;

	if (i >= 9)
		return NULL;
	out = calloc(1, CONTROL + IMAGE_MAX);
	if (!out)
		abort();
	out[0] = out[1] = (uint8_t)(1 + i);	/* memory, processors */
	image_put(out + 2, i * 1000, 3);
	out[5] = 20;
	out[7] = i / 3 == 1;
	*size = CONTROL + make[i % 3](out + CONTROL);
	if (i >= 6)
		put_edge(i % 3, out + CONTROL, (2ull + out[0] % 4) << 20);
	return out;
}
