/*
 * print.c: formatted text into a buffer.
 *
 * Called by the log, the panic path, the trace's session frame and, on the host as on the metal, by
 * hv/load; it must not panic, allocate or call out.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/print.h"

struct out {
	char *buffer;
	size_t size;		/* the terminator included */
	size_t used;
};

struct spec {
	bool left, zero, alternate;
	char sign;		/* '+' or ' ' before a non-negative number, else 0 */
	int width;
	int precision;		/* -1: none given */
	int length;		/* bytes of the argument: 1, 2, 4 or 8 */
	char conversion;
};

static void out_char(struct out *o, char c)
{
	if (o->used + 1 < o->size)
		o->buffer[o->used++] = c;
}

static void out_fill(struct out *o, char c, int count)
{
	while (count-- > 0)
		out_char(o, c);
}

static void out_text(struct out *o, const char *text, int length)
{
	for (int i = 0; i < length; i++)
		out_char(o, text[i]);
}

static void out_padded(struct out *o, const struct spec *s, const char *text, int length)
{
	if (!s->left)
		out_fill(o, ' ', s->width - length);
	out_text(o, text, length);
	if (s->left)
		out_fill(o, ' ', s->width - length);
}

/* Digits of `value`, written backwards from `end`; returns where they start. */
static char *digits(char *end, uint64_t value, unsigned base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	do {
		*--end = set[value % base];
		value /= base;
	} while (value);
	return end;
}

static void out_number(struct out *o, const struct spec *s, uint64_t value, bool negative)
{
	unsigned base = s->conversion == 'x' || s->conversion == 'X' || s->conversion == 'p' ? 16 :
			s->conversion == 'o' ? 8 : 10;
	char text[24], *end = text + sizeof(text), *start = digits(end, value, base, s->conversion == 'X');
	int count = end - start;
	char prefix[3] = "";
	int prefixes = 0, zeros = 0;

	if (negative)
		prefix[prefixes++] = '-';
	else if (s->sign && base == 10)
		prefix[prefixes++] = s->sign;
	if (base == 16 && (s->conversion == 'p' || (s->alternate && value))) {
		prefix[prefixes++] = '0';
		prefix[prefixes++] = s->conversion == 'X' ? 'X' : 'x';
	}
	if (s->precision >= 0) {
		if (!s->precision && !value)
			count = 0;
		zeros = s->precision - count;
	} else if (s->zero && !s->left) {
		zeros = s->width - prefixes - count;
	}
	if (zeros < 0)
		zeros = 0;
	if (!s->left)
		out_fill(o, ' ', s->width - prefixes - zeros - count);
	out_text(o, prefix, prefixes);
	out_fill(o, '0', zeros);
	out_text(o, start, count);
	if (s->left)
		out_fill(o, ' ', s->width - prefixes - zeros - count);
}

static int parse_number(const char **p, int star)
{
	int value = 0;

	if (**p == '*') {
		(*p)++;
		return star;
	}
	while (**p >= '0' && **p <= '9' && value < 10000)
		value = value * 10 + (*(*p)++ - '0');
	return value;
}

static void parse_flags(const char **p, struct spec *s)
{
	for (;; (*p)++) {
		switch (**p) {
		case '-': s->left = true; break;
		case '0': s->zero = true; break;
		case '#': s->alternate = true; break;
		case '+': s->sign = '+'; break;
		case ' ': s->sign = s->sign ? s->sign : ' '; break;
		default: return;
		}
	}
}

static void parse_length(const char **p, struct spec *s)
{
	s->length = 4;
	for (;; (*p)++) {
		switch (**p) {
		case 'h': s->length = s->length == 2 ? 1 : 2; break;
		case 'l': case 'j': case 'z': case 't': s->length = 8; break;
		default: return;
		}
	}
}

static int64_t narrow_signed(int64_t value, int length)
{
	return length == 1 ? (int8_t)value : length == 2 ? (int16_t)value : length == 4 ? (int32_t)value : value;
}

static uint64_t narrow_unsigned(uint64_t value, int length)
{
	return length == 8 ? value : value & ((1ull << (8 * length)) - 1);
}

static void out_string(struct out *o, const struct spec *s, const char *text)
{
	int length = 0;

	if (!text)
		text = "(null)";
	while (text[length] && (s->precision < 0 || length < s->precision))
		length++;
	out_padded(o, s, text, length);
}

/* va_list is passed by pointer so that its progress is seen by the caller (C11 7.16, footnote). */
struct arguments {
	va_list list;
};

static uint64_t next_integer(struct arguments *a, int length, bool is_signed)
{
	if (length == 8)
		return va_arg(a->list, uint64_t);
	if (is_signed)
		return (uint64_t)narrow_signed(va_arg(a->list, int), length);
	return narrow_unsigned(va_arg(a->list, unsigned), length);
}

static void out_conversion(struct out *o, struct spec *s, struct arguments *a)
{
	int64_t value;
	char c;

	switch (s->conversion) {
	case 'd': case 'i':
		value = (int64_t)next_integer(a, s->length, true);
		out_number(o, s, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
		break;
	case 'u': case 'x': case 'X': case 'o':
		out_number(o, s, next_integer(a, s->length, false), false);
		break;
	case 'p':
		out_number(o, s, (uintptr_t)va_arg(a->list, void *), false);
		break;
	case 'c':
		c = (char)va_arg(a->list, int);
		out_padded(o, s, &c, 1);
		break;
	case 's':
		out_string(o, s, va_arg(a->list, const char *));
		break;
	default:
		out_char(o, '%');
		if (s->conversion && s->conversion != '%')
			out_char(o, s->conversion);
	}
}

size_t print_vformat(char *buffer, size_t size, const char *format, va_list args)
{
	struct out o = { .buffer = buffer, .size = size };
	struct arguments a;

	va_copy(a.list, args);
	for (const char *p = format; *p; ) {
		struct spec s = { .precision = -1 };

		if (*p != '%') {
			out_char(&o, *p++);
			continue;
		}
		p++;
		parse_flags(&p, &s);
		s.width = parse_number(&p, *p == '*' ? va_arg(a.list, int) : 0);
		if (s.width < 0) {
			s.left = true;
			s.width = -s.width;
		}
		if (*p == '.') {
			p++;
			s.precision = parse_number(&p, *p == '*' ? va_arg(a.list, int) : 0);
		}
		parse_length(&p, &s);
		s.conversion = *p;
		if (*p)
			p++;
		out_conversion(&o, &s, &a);
	}
	va_end(a.list);
	if (size)
		buffer[o.used] = '\0';
	return o.used;
}

size_t print_format(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t used;

	va_start(args, format);
	used = print_vformat(buffer, size, format, args);
	va_end(args);
	return used;
}
