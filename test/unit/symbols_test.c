/*
 * Names for addresses (recorder/symbols.c): each form of file, what is refused and why, and hostile ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "recorder/symbols.h"

static char error[512];

static struct symbols *parse(const void *bytes, size_t size)
{
	error[0] = '\0';
	return symbols_parse("FILE", bytes, size, error, sizeof(error));
}

static struct symbols *parse_text(const char *text)
{
	return parse(text, strlen(text));
}

static void check(const struct symbols *s, uint64_t address, const char *expected)
{
	char text[SYMBOL_TEXT];

	symbols_text(s, address, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void refused(struct symbols *s, const char *why)
{
	assert_null(s);
	assert_non_null(strstr(error, "FILE: "));
	if (!strstr(error, why))
		fail_msg("expected '%s' in '%s'", why, error);
}

/* ---- Text ---- */

static void system_map(void **state)
{
	struct symbols *s = parse_text("ffffffff81000100 t local_name\n"
				       "ffffffff81000000 T _text\n"
				       "ffffffff81000100 T global_name\n"
				       "ffffffff81000180 D some_data\n"
				       "ffffffff81000200 W weak_name\n");

	(void)state;
	assert_non_null(s);
	assert_int_equal(symbols_count(s), 3);
	check(s, 0xffffffff81000000, "_text+0x0");
	check(s, 0xffffffff810000ff, "_text+0xff");
	check(s, 0xffffffff81000190, "global_name+0x90");
	check(s, 0xffffffff81100200, "0xffffffff81100200");
	symbols_free(s);
}

/* The last one has no end: it reaches a megabyte, not to the end of memory; nothing is before the first. */
static void reach(void **state)
{
	struct symbols *s = parse_text("0000000000100000 T only\n");

	(void)state;
	check(s, 0xfffff, "0xfffff");
	check(s, 0x1fffff, "only+0xfffff");
	check(s, 0x200000, "0x200000");
	check(NULL, 0x200000, "0x200000");
	symbols_free(s);
}

static void kallsyms(void **state)
{
	struct symbols *s = parse_text("0000000000000000 A fixed_percpu_data\n"
				       "ffffffffa8e00000 T startup_64\n"
				       "ffffffffc0200000 t virtio_probe\t[virtio]\n");

	(void)state;
	assert_int_equal(symbols_count(s), 2);
	check(s, 0xffffffffc0200010, "virtio_probe+0x10");
	symbols_free(s);
	refused(parse_text("0000000000000000 T startup_64\n0000000000000000 T _stext\n"), "kptr_restrict");
}

/* Among lines that are none, with a terminal's line ends. */
static void console_log(void **state)
{
	struct symbols *s = parse_text("Linux version 6.1.0\r\n"
				       "[    0.000000] deadbeef something\r\n"
				       "12345678 is a number\r\n"
				       "ffffffff81000000 T do_idle\r\n"
				       "nproc: 1");

	(void)state;
	assert_int_equal(symbols_count(s), 1);
	check(s, 0xffffffff81000003, "do_idle+0x3");
	symbols_free(s);
}

static void refuses_what_has_none(void **state)
{
	(void)state;
	refused(parse_text("ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n"),
		"it says: The real System.map is in the linux-image-<version>-dbg package");
	refused(parse_text("no symbols here\n"), "no symbols in it: neither an ELF");
	refused(parse_text(""), "no symbols in it");
	refused(parse_text("ffffffff81000000 T \033]0;x\007\n"), "no symbols in it");
	assert_null(symbols_load("/nonesuch", error, sizeof(error)));
	assert_string_equal(error, "/nonesuch: No such file or directory");
	assert_null(symbols_load("/", error, sizeof(error)));
}

/* ---- Packed ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* gzip and base64, in lines of 76, as a guest prints it. */
static char *pack(const char *text, const char *line_end)
{
	static uint8_t packed[65536];
	z_stream z = { .next_in = (uint8_t *)text, .avail_in = (uInt)strlen(text), .next_out = packed,
		       .avail_out = sizeof(packed) };
	char *log = NULL;
	size_t size;
	FILE *f = open_memstream(&log, &size);

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	fprintf(f, "booting%s" SYMBOLS_BEGIN "%s", line_end, line_end);
	for (size_t i = 0; i < z.total_out; i += 3) {
		size_t left = z.total_out - i;
		uint32_t bits = packed[i] << 16 | (left > 1 ? packed[i + 1] << 8 : 0) | (left > 2 ? packed[i + 2] : 0);

		fputc(alphabet[bits >> 18], f);
		fputc(alphabet[bits >> 12 & 63], f);
		fputc(left > 1 ? alphabet[bits >> 6 & 63] : '=', f);
		fputc(left > 2 ? alphabet[bits & 63] : '=', f);
		if (i % 57 == 54)
			fputs(line_end, f);
	}
	fprintf(f, "%s" SYMBOLS_END "%sffffffff82000000 T after%s", line_end, line_end, line_end);
	fclose(f);
	return log;
}

static char *many_lines(void)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (unsigned i = 0; i < 1000; i++)
		fprintf(f, "ffffffff81%06x T function_%u\n", i * 64, i * i);
	fclose(f);
	return text;
}

static void packed(void **state)
{
	static const char *const ends[] = { "\n", "\r\n" };
	char *text = many_lines();

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char *log = pack(text, ends[i]);
		struct symbols *s = parse_text(log);

		assert_non_null(s);
		assert_int_equal(symbols_count(s), 1001);
		check(s, 0xffffffff81000083, "function_4+0x3");
		check(s, 0xffffffff82000001, "after+0x1");
		symbols_free(s);
		free(log);
	}
	free(text);
}

static void packed_between_messages(void **state)
{
	char *text = many_lines(), *log = pack(text, "\n"), *at = strstr(log, "\n" SYMBOLS_END), *more = NULL;
	struct symbols *s;

	(void)state;
	assert_true(asprintf(&more, "%.*s\n[   12.345678] clocksource: Switched to tsc%s", (int)(at - log), log, at) > 0);
	s = parse_text(more);
	assert_int_equal(symbols_count(s), 1001);
	symbols_free(s);
	free(more);
	free(log);
	free(text);
}

static void packed_damaged(void **state)
{
	char *text = many_lines(), *log = pack(text, "\n"), *begin = strstr(log, SYMBOLS_BEGIN) + strlen(SYMBOLS_BEGIN);
	char *end = strstr(log, SYMBOLS_END);

	(void)state;
	/* Each byte in turn: whatever it does, nothing wrong comes out. */
	for (char *p = begin + 20; p < end - 5; p += 7) {	/* after gzip's header, which has a time */
		char was = *p;

		if (was == '\n' || was == '=')
			continue;
		*p = was == 'A' ? 'B' : 'A';
		refused(parse_text(log), "damaged");
		*p = was;
	}
	memcpy(begin + 80, "!", 1);
	refused(parse_text(log), "damaged");
	*end = '\0';
	refused(parse_text(log), "cut off");
	free(log);
	free(text);
}

/* ---- ELF ---- */

struct image {
	Elf64_Ehdr head;
	Elf64_Shdr section[4];		/* null, .text, .symtab, .strtab */
	Elf64_Sym symbol[5];
	char strings[64];
};

static struct image make_image(void)
{
	struct image i = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 }, .e_type = ET_EXEC,
			  .e_machine = EM_X86_64, .e_shoff = offsetof(struct image, section),
			  .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 4 },
		.section = { { 0 },
			     { .sh_type = SHT_PROGBITS, .sh_flags = SHF_EXECINSTR },
			     { .sh_type = SHT_SYMTAB, .sh_offset = offsetof(struct image, symbol),
			       .sh_size = sizeof(i.symbol), .sh_link = 3, .sh_entsize = sizeof(Elf64_Sym) },
			     { .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct image, strings),
			       .sh_size = sizeof(i.strings) } },
		.symbol = { { 0 },
			    { .st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1,
			      .st_value = 0x100000, .st_size = 16 },
			    { .st_name = 6, .st_info = ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), .st_shndx = 1,
			      .st_value = 0x100020 },
			    { .st_name = 12, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), .st_shndx = 1,
			      .st_value = 0x100030 },
			    { .st_name = 12, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 2,
			      .st_value = 0x100040 } },
		.strings = "\0main\0label\0data",
	};

	return i;
}

static void elf(void **state)
{
	struct image i = make_image();
	struct symbols *s = parse(&i, sizeof(i));

	(void)state;
	assert_non_null(s);
	assert_int_equal(symbols_count(s), 2);
	check(s, 0x10000f, "main+0xf");
	check(s, 0x100010, "0x100010");
	check(s, 0x100021, "label+0x1");
	symbols_free(s);
}

static void elf_refused(void **state)
{
	struct image i = make_image();

	(void)state;
	refused(parse(&i, 20), "cut off within its header");
	refused(parse(&i, offsetof(struct image, section)), "section headers lie outside");
	refused(parse(&i, offsetof(struct image, symbol) + 3), "symbol table lies outside");
	i.head.e_type = ET_REL;
	refused(parse(&i, sizeof(i)), "isn't linked");
	i = make_image();
	i.section[2].sh_type = SHT_NOTE;
	refused(parse(&i, sizeof(i)), "stripped");
	i = make_image();
	i.head.e_ident[EI_DATA] = ELFDATA2MSB;
	refused(parse(&i, sizeof(i)), "another architecture");
	i = make_image();
	i.section[2].sh_link = 77;
	refused(parse(&i, sizeof(i)), "symbol table lies outside");
	i = make_image();
	i.section[2].sh_offset = UINT64_MAX - 8;
	refused(parse(&i, sizeof(i)), "symbol table lies outside");
	i = make_image();
	i.head.e_shoff = UINT64_MAX - 64;
	refused(parse(&i, sizeof(i)), "section headers lie outside");
}

/* Every word of it set to extremes: the sanitizers watch. */
static void elf_hostile(void **state)
{
	static const uint64_t values[] = { 0, 1, 0x7fffffff, UINT32_MAX, UINT64_MAX, UINT64_MAX - 63, sizeof(struct image) };

	(void)state;
	for (size_t at = 4; at + 8 <= sizeof(struct image); at += 2)
		for (unsigned v = 0; v < sizeof(values) / sizeof(*values); v++) {
			struct image *i = malloc(sizeof(*i));	/* exact, so that the sanitizer sees its end */

			*i = make_image();
			memcpy((uint8_t *)i + at, &values[v], v & 1 ? 8 : 4);
			symbols_free(parse(i, sizeof(*i)));
			free(i);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(system_map),
		cmocka_unit_test(reach),
		cmocka_unit_test(kallsyms),
		cmocka_unit_test(console_log),
		cmocka_unit_test(refuses_what_has_none),
		cmocka_unit_test(packed),
		cmocka_unit_test(packed_between_messages),
		cmocka_unit_test(packed_damaged),
		cmocka_unit_test(elf),
		cmocka_unit_test(elf_refused),
		cmocka_unit_test(elf_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
