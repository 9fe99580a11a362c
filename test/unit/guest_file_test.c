/*
 * Guests that can't be loaded, and what is said of them: file, offset, expected, got. One row is one spoilt
 * field.
 */
#include <elf.h>
#include <stddef.h>
#include <stdlib.h>

#include "load/load.h"
#include "support/fake.h"
#include "support/guest_image.h"

#define MEMORY	(4u << 20)

enum image { LINUX, ELF32, ELF64 };

static uint64_t (*const make[])(uint8_t *) = { image_linux, image_elf32, image_elf64 };

static bool plan_text(const uint8_t *guest, uint64_t size, const char *line, struct load_error *e)
{
	const struct load_input in = {
		.guest = { guest, size }, .memory = MEMORY, .cpus = 1,
		.command_line = { (const uint8_t *)line, strlen(line) },
	};
	static struct load_plan plan;

	memset(e, 0, sizeof(*e));
	return load_plan(&in, &plan, e);
}

static void expect(const struct load_error *e, enum load_file file, uint64_t offset, const char *text)
{
	if (e->file != file || e->offset != offset || !strstr(e->text, text) || !strstr(e->text, ", expected ") ||
	    !strstr(e->text, ", got "))
		fail_msg("file %d, %#lx: %s\nexpected: file %d, %#lx: …%s…", e->file, e->offset, e->text,
			 file, offset, text);
}

#define EHDR32(field) offsetof(Elf32_Ehdr, field), sizeof(((Elf32_Ehdr *)0)->field)
#define EHDR64(field) offsetof(Elf64_Ehdr, field), sizeof(((Elf64_Ehdr *)0)->field)
#define PHDR32(n, field) sizeof(Elf32_Ehdr) + (n) * sizeof(Elf32_Phdr) + offsetof(Elf32_Phdr, field), 4
#define PHDR64(n, field) sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field), 8
#define CODE32 (sizeof(Elf32_Ehdr) + 3 * sizeof(Elf32_Phdr))
#define AT_PHDR32(n) (sizeof(Elf32_Ehdr) + (n) * sizeof(Elf32_Phdr))
#define AT_PHDR64(n) (sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr))

static const struct {
	enum image image;
	unsigned offset, size;		/* the field … */
	uint64_t value;			/* … and what it is made */
	uint64_t at;			/* what is complained of */
	const char *text;
} rows[] = {
	{ LINUX, 0x202, 1, 'X', 0, "a Linux bzImage at 0x202, got 0 and 0x53726458" },
	{ LINUX, 0x1fe, 2, 0xaa54, 0x1fe, "boot flag, expected 0xaa55, got 0xaa54" },
	{ LINUX, 0x206, 2, 0x20b, 0x206, "expected at least 0x20c (2.12), got 0x20b" },
	{ LINUX, 0x211, 1, 0x80, 0x211, "LOADED_HIGH" },
	{ LINUX, 0x236, 2, 0x7e, 0x236, "XLF_KERNEL_64" },
	{ LINUX, 0x1f1, 1, 0, 0x1f1, "expected at most the file's 2048 bytes, got 2560" },
	{ LINUX, 0x1f1, 1, 2, 2048, "expected 1024 bytes of kernel after 0x600, got 512" },
	{ LINUX, 0x1f4, 4, 65, 2048, "expected 1040 bytes of kernel after 0x400, got 1024" },
	{ LINUX, 0x1f4, 4, UINT32_MAX, 2048, "expected 68719476720 bytes" },
	{ LINUX, 0x1f4, 4, 32, 0x1f4, "expected more than 512 bytes, got 512" },
	{ LINUX, 0x248, 4, 0x301, 0x248, "payload of 256 bytes" },
	{ LINUX, 0x24c, 4, UINT32_MAX, 0x248, "payload of 4294967295 bytes" },
	{ LINUX, 0x230, 4, 0, 0x230, "power of two, got 0" },
	{ LINUX, 0x230, 4, 0x300000, 0x230, "power of two, got 0x300000" },
	{ LINUX, 0x258, 8, 0x201000, 0x258, "multiple of kernel_alignment 0x200000" },
	{ LINUX, 0x258, 8, 0, 0x258, "from 0x100000 on, got 0" },
	{ LINUX, 0x258, 8, 0x400000, 0x260, "expected at most 0 bytes from pref_address 0x400000" },
	{ LINUX, 0x258, 8, 0xffffffffffe00000, 0x260, "expected at most 0 bytes" },
	{ LINUX, 0x260, 4, 1023, 0x260, "at least the kernel's 1024 bytes, got 1023" },
	{ LINUX, 0x260, 4, 0x200001, 0x260, "expected at most 2097152 bytes" },
	{ LINUX, 0x260, 4, UINT32_MAX, 0x260, "got 4294967295" },

	{ ELF32, 0, 1, 0, 0, "expected a multiboot ELF's 0x464c457f" },
	{ ELF32, 4, 1, 0, 4, "ELF class, expected 1 (32-bit) or 2 (64-bit), got 0" },
	{ ELF32, 4, 1, 2, 18, "machine of an ELF-64, expected 62" },
	{ ELF32, 5, 1, 2, 5, "byte order, expected 1 (little-endian), got 2" },
	{ ELF32, EHDR32(e_type), ET_DYN, 16, "expected 2 (executable), got 3" },
	{ ELF32, EHDR32(e_machine), EM_ARM, 18, "expected 3 (i386), got 40" },
	{ ELF32, EHDR32(e_machine), EM_X86_64, 18, "expected 3 (i386), got 62" },
	{ ELF32, EHDR32(e_entry), 0x1234, 0x18, "entry point, expected an address in a segment, got 0x1234" },
	{ ELF32, EHDR32(e_entry), IMAGE_ELF_CODE_AT + IMAGE_ELF_VIRTUAL + 0x100, 0x18, "entry point" },
	{ ELF32, EHDR32(e_phoff), UINT32_MAX, 28, "got offset 0xffffffff" },
	{ ELF32, EHDR32(e_phnum), 0xffff, 28, "65535 program headers of 32 bytes" },
	{ ELF32, EHDR32(e_phnum), 1, 0x18, "entry point" },
	{ ELF32, EHDR32(e_phentsize), 31, 42, "size of a program header, expected at least 32, got 31" },
	{ ELF32, PHDR32(1, p_offset), UINT32_MAX, AT_PHDR32(1) + 4,
	 "segment of 0x100 bytes at offset 0xffffffff" },
	{ ELF32, PHDR32(2, p_filesz), 17, AT_PHDR32(2) + 4, "segment of 0x11 bytes" },
	{ ELF32, PHDR32(2, p_memsz), 15, AT_PHDR32(2) + 20, "at least the 0x10 bytes of the file, got 0xf" },
	{ ELF32, PHDR32(2, p_memsz), MEMORY - IMAGE_ELF_DATA_AT + 1, AT_PHDR32(2),
	 "below the memory's end 0x400000" },
	{ ELF32, PHDR32(2, p_memsz), UINT32_MAX, AT_PHDR32(2), "address of 0xffffffff bytes" },
	{ ELF32, PHDR32(2, p_paddr), UINT32_MAX, AT_PHDR32(2), "got 0xffffffff" },
	{ ELF32, PHDR32(2, p_paddr), IMAGE_ELF_CODE_AT + 0xff, AT_PHDR32(2),
	 "none that is taken (0x100000..0x100100)" },
	{ ELF32, PHDR32(2, p_paddr), 0x5001, AT_PHDR32(2),
	 "expected nothing at the loader's tables (0x6000..0xf000, 0xe0000..0x100000)" },
	{ ELF32, PHDR32(2, p_paddr), 0xdf001, AT_PHDR32(2), "got 0xdf001" },
	{ ELF32, CODE32 + 8, 4, 0, 0, "multiboot header, expected 0x1badb002 and its checksum" },
	{ ELF32, CODE32 + 4, 8, (uint64_t)(uint32_t)-(0x1badb002 + 8) << 32 | 8, CODE32 + 4,
	 "flags of the multiboot header, expected at most 0x7" },
	{ ELF32, CODE32 + 4, 8, (uint64_t)(uint32_t)-(0x1badb002 + 0x10003) << 32 | 0x10003, CODE32 + 4,
	 "got 0x10003 (addresses of its own)" },

	{ ELF64, 4, 1, 1, 18, "machine of an ELF-32, expected 3" },
	{ ELF64, EHDR64(e_machine), EM_AARCH64, 18, "expected 62 (x86-64), got 183" },
	{ ELF64, EHDR64(e_phoff), UINT64_MAX, 32, "got offset 0xffffffffffffffff" },
	{ ELF64, EHDR64(e_phoff), UINT64_MAX - 111, 32, "program headers" },
	{ ELF64, EHDR64(e_phentsize), 55, 54, "at least 56, got 55" },
	{ ELF64, PHDR64(0, p_offset), UINT64_MAX, AT_PHDR64(0) + 8, "at offset 0xffffffffffffffff" },
	{ ELF64, PHDR64(0, p_paddr), UINT64_MAX - 0xff, AT_PHDR64(0), "got 0xffffffffffffff00" },
	{ ELF64, PHDR64(1, p_memsz), UINT64_MAX, AT_PHDR64(1), "address of 0xffffffffffffffff bytes" },
	{ ELF64, EHDR64(e_entry), 0, 0x18, "got 0" },
};

static void a_spoilt_field_is_named(void **state)
{
	uint8_t bytes[IMAGE_MAX];
	struct load_error e;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t size = make[rows[i].image](bytes);

		assert_true(plan_text(bytes, size, "g", &e));
		image_put(bytes + rows[i].offset, rows[i].value, rows[i].size);
		if (plan_text(bytes, size, "g", &e))
			fail_msg("row %u (offset %#x) was taken", i, rows[i].offset);
		expect(&e, LOAD_GUEST, rows[i].at, rows[i].text);
	}
}

/* Cut anywhere, an image is refused, and nothing behind its end is read (AddressSanitizer sees it). */
static void a_truncated_image_is_refused(void **state)
{
	uint8_t bytes[IMAGE_MAX];
	struct load_error e;

	(void)state;
	for (unsigned i = LINUX; i <= ELF64; i++) {
		uint64_t size = make[i](bytes);

		for (uint64_t cut = 0; cut < size; cut++) {
			uint8_t *exact = malloc(cut ? cut : 1);

			memcpy(exact, bytes, cut);
			if (plan_text(exact, cut, "g", &e))
				fail_msg("image %u was taken with %lu of %lu bytes", i, cut, size);
			assert_true(e.file == LOAD_GUEST && e.offset <= size && strlen(e.text) > 10);
			free(exact);
		}
	}
	assert_false(plan_text(bytes, 0, "g", &e));
	expect(&e, LOAD_GUEST, 0, "empty file");
}

static void too_many_segments_are_refused(void **state)
{
	uint8_t bytes[IMAGE_MAX] = { 0 };
	uint64_t size = image_elf64(bytes);
	Elf64_Ehdr *h = (Elf64_Ehdr *)bytes;
	Elf64_Phdr *p = (Elf64_Phdr *)(bytes + size);
	struct load_error e;

	(void)state;
	memcpy(p, bytes + h->e_phoff, sizeof(*p));
	for (unsigned i = 1; i < 33; i++)
		p[i] = (Elf64_Phdr){ PT_LOAD, 6, 0, 0, 0x200000 + i * 0x1000, 0, 1, 1 };
	h->e_phoff = size;
	h->e_phnum = 32;
	assert_true(plan_text(bytes, sizeof(bytes), "g", &e));
	h->e_phnum = 33;
	assert_false(plan_text(bytes, sizeof(bytes), "g", &e));
	expect(&e, LOAD_GUEST, size + 32 * sizeof(*p), "at most 32");
}

static const char *line_of(const char *start, unsigned rest)
{
	static char line[8192];

	memset(line, 'a', sizeof(line) - 1);
	memcpy(line, start, strlen(start));
	line[strlen(start) + rest] = '\0';
	return line;
}

static void a_command_line_has_a_longest(void **state)
{
	uint8_t bytes[IMAGE_MAX];
	uint64_t size = image_linux(bytes);
	struct load_error e;

	(void)state;
	/* The kernel's own bound, without the file name. */
	assert_true(plan_text(bytes, size, line_of("kernel ", IMAGE_LINUX_CMDLINE), &e));
	assert_false(plan_text(bytes, size, line_of("kernel ", IMAGE_LINUX_CMDLINE + 1), &e));
	expect(&e, LOAD_COMMAND_LINE, IMAGE_LINUX_CMDLINE, "at most the kernel's 255 bytes, got 256");
	/* Ours, whatever a kernel says. */
	image_put(bytes + 0x238, UINT32_MAX, 4);
	assert_true(plan_text(bytes, size, line_of("kernel ", 4095), &e));
	assert_false(plan_text(bytes, size, line_of("kernel ", 4096), &e));
	expect(&e, LOAD_COMMAND_LINE, 4095, "got 4096");

	size = image_elf32(bytes);
	assert_true(plan_text(bytes, size, line_of("", 1023), &e));
	assert_false(plan_text(bytes, size, line_of("", 1024), &e));
	expect(&e, LOAD_COMMAND_LINE, 1023, "at most 1023 bytes, got 1024");
}

static bool plan_initrd(enum image image, uint64_t size, uint32_t addr_max, struct load_plan *p,
			struct load_error *e)
{
	static uint8_t bytes[IMAGE_MAX], initrd[MEMORY];
	struct load_input in = { .memory = MEMORY, .cpus = 1, .initrd = { initrd, size } };

	in.guest = (struct load_bytes){ bytes, make[image](bytes) };
	if (image == LINUX)
		image_put(bytes + 0x22c, addr_max, 4);
	return load_plan(&in, p, e);
}

static void an_initrd_goes_between_guest_and_end(void **state)
{
	const uint64_t linux_end = IMAGE_LINUX_AT + IMAGE_LINUX_INIT_SIZE;
	const uint64_t elf_end = IMAGE_ELF_DATA_AT + 0x1000;
	struct load_error e;
	struct load_plan p;

	(void)state;
	assert_true(plan_initrd(LINUX, 1, UINT32_MAX, &p, &e));
	assert_int_equal(p.initrd, MEMORY - 0x1000);
	assert_true(plan_initrd(LINUX, MEMORY - linux_end, UINT32_MAX, &p, &e));
	assert_int_equal(p.initrd, linux_end);
	assert_false(plan_initrd(LINUX, MEMORY - linux_end + 1, UINT32_MAX, &p, &e));
	expect(&e, LOAD_INITRD, 0,
	       "at most 2031616 bytes between the guest's end 0x210000 and 0x400000 (--mem), got 2031617");
	/* initrd_addr_max is the last byte that it may have */
	assert_true(plan_initrd(LINUX, 0x1000, linux_end + 0x2fff, &p, &e));
	assert_int_equal(p.initrd, linux_end + 0x2000);
	assert_false(plan_initrd(LINUX, 0x3001, linux_end + 0x2fff, &p, &e));
	expect(&e, LOAD_INITRD, 0, "expected at most 12288 bytes");
	assert_false(plan_initrd(LINUX, 1, 0, &p, &e));
	expect(&e, LOAD_INITRD, 0, "expected at most 0 bytes");
	assert_false(plan_initrd(LINUX, 0, UINT32_MAX, &p, &e));
	expect(&e, LOAD_INITRD, 0, "expected at least 1 byte, got 0");

	assert_true(plan_initrd(ELF32, MEMORY - elf_end, 0, &p, &e));
	assert_int_equal(p.initrd, elf_end);
	assert_false(plan_initrd(ELF32, MEMORY - elf_end + 1, 0, &p, &e));
	expect(&e, LOAD_INITRD, 0, "between the guest's end 0x103000 and 0x400000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spoilt_field_is_named),
		cmocka_unit_test(a_truncated_image_is_refused),
		cmocka_unit_test(too_many_segments_are_refused),
		cmocka_unit_test(a_command_line_has_a_longest),
		cmocka_unit_test(an_initrd_goes_between_guest_and_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
