/*
 * aml.c: see aml.h. Called by acpi.c, which has the room.
 */
#include <string.h>

#include "load/aml.h"

enum {
	OP_NAME = 0x08, OP_BYTE = 0x0a, OP_DWORD = 0x0c, OP_STRING = 0x0d, OP_SCOPE = 0x10, OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_EXTENDED = 0x5b, OP_EXTENDED_DEVICE = 0x82,
};

/* ACPI, "Small Resource Data Type": tag in bits 6:3, length in bits 2:0 */
#define RESOURCE_IRQ	(4 << 3 | 2)
#define RESOURCE_IO	(8 << 3 | 7)
#define RESOURCE_END	(15 << 3 | 1)
#define IO_DECODE_16	1

static void put(struct aml *a, uint8_t byte)
{
	*a->at++ = byte;
}

static void put16(struct aml *a, uint16_t value)
{
	put(a, (uint8_t)value);
	put(a, (uint8_t)(value >> 8));
}

static void put_text(struct aml *a, const char *text)
{
	while (*text)
		put(a, (uint8_t)*text++);
}

static void put_name(struct aml *a, const char *name)
{
	put(a, OP_NAME);
	put_text(a, name);
}

/* PkgLength counts itself; in two bytes it reaches 4095 (bits 3:0 in the first, 11:4 in the second). */
static uint8_t *begin(struct aml *a)
{
	uint8_t *mark = a->at;

	a->at += 2;
	return mark;
}

void aml_end(struct aml *a, uint8_t *mark)
{
	unsigned length = (unsigned)(a->at - mark);

	mark[0] = (uint8_t)(1 << 6 | (length & 0xf));
	mark[1] = (uint8_t)(length >> 4);
}

uint8_t *aml_scope(struct aml *a, const char *path)
{
	uint8_t *mark;

	put(a, OP_SCOPE);
	mark = begin(a);
	put_text(a, path);
	return mark;
}

uint8_t *aml_device(struct aml *a, const char *name)
{
	uint8_t *mark;

	put(a, OP_EXTENDED);
	put(a, OP_EXTENDED_DEVICE);
	mark = begin(a);
	put_text(a, name);
	return mark;
}

void aml_name_integer(struct aml *a, const char *name, uint8_t value)
{
	put_name(a, name);
	put(a, OP_BYTE);
	put(a, value);
}

void aml_name_text(struct aml *a, const char *name, const char *text)
{
	put_name(a, name);
	put(a, OP_STRING);
	put_text(a, text);
	put(a, 0);
}

static unsigned hex(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* ACPI, "EisaId": three letters of five bits, four hexadecimal digits, the most significant byte first. */
void aml_name_eisa_id(struct aml *a, const char *name, const char *id)
{
	unsigned letters = (id[0] - '@') << 10 | (id[1] - '@') << 5 | (id[2] - '@');

	put_name(a, name);
	put(a, OP_DWORD);
	put(a, (uint8_t)(letters >> 8));
	put(a, (uint8_t)letters);
	put(a, (uint8_t)(hex(id[3]) << 4 | hex(id[4])));
	put(a, (uint8_t)(hex(id[5]) << 4 | hex(id[6])));
}

void aml_name_zeros(struct aml *a, const char *name, uint8_t count)
{
	uint8_t *mark;

	put_name(a, name);
	put(a, OP_PACKAGE);
	mark = begin(a);
	put(a, count);
	memset(a->at, 0, count);	/* ZeroOp */
	a->at += count;
	aml_end(a, mark);
}

void aml_resources(struct aml *a, uint16_t port, uint8_t count, uint8_t irq)
{
	uint8_t *mark, *size;

	put_name(a, "_CRS");
	put(a, OP_BUFFER);
	mark = begin(a);
	put(a, OP_BYTE);
	size = a->at++;
	put(a, RESOURCE_IO);
	put(a, IO_DECODE_16);
	put16(a, port);			/* from … to: it can't be moved */
	put16(a, port);
	put(a, 0);			/* any alignment */
	put(a, count);
	put(a, RESOURCE_IRQ);
	put16(a, (uint16_t)(1 << irq));
	put(a, RESOURCE_END);
	put(a, 0);			/* no checksum */
	*size = (uint8_t)(a->at - size - 1);
	aml_end(a, mark);
}
