/*
 * format.c: formatted print into a buffer.
 */
#include "guest.h"

struct writer {
	char *buffer;
	size_t size, length;
};

struct spec {
	unsigned width;
	bool zero, left, alternate, is_long;
};

static void put(struct writer *w, char c)
{
	if (w->length + 1 < w->size)
		w->buffer[w->length++] = c;
}

static void put_padded(struct writer *w, const char *text, size_t length, const struct spec *spec)
{
	size_t pad = spec->width > length ? spec->width - length : 0;

	for (size_t i = 0; !spec->left && i < pad; i++)
		put(w, ' ');
	for (size_t i = 0; i < length; i++)
		put(w, text[i]);
	for (size_t i = 0; spec->left && i < pad; i++)
		put(w, ' ');
}

static void put_number(struct writer *w, uint64_t value, unsigned base, bool negative,
		       const struct spec *spec)
{
	char text[72];
	char *end = text + sizeof(text), *p = end;
	unsigned prefix = negative + 2 * spec->alternate;

	do {
		*--p = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (spec->zero && !spec->left && (size_t)(end - p) + prefix < spec->width && p > text + 4)
		*--p = '0';
	if (spec->alternate) {
		*--p = 'x';
		*--p = '0';
	}
	if (negative)
		*--p = '-';
	put_padded(w, p, (size_t)(end - p), spec);
}

static const char *parse_spec(const char *f, struct spec *spec)
{
	*spec = (struct spec){ 0 };
	for (;; f++) {
		if (*f == '0')
			spec->zero = true;
		else if (*f == '-')
			spec->left = true;
		else if (*f == '#')
			spec->alternate = true;
		else
			break;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		spec->width = spec->width * 10 + (unsigned)(*f - '0');
	for (; *f == 'l' || *f == 'z'; f++)
		spec->is_long = true;
	return f;
}

static void put_argument(struct writer *w, char kind, struct spec *spec, va_list *args)
{
	switch (kind) {
	case 'd': {
		int64_t value = spec->is_long ? va_arg(*args, int64_t) : va_arg(*args, int);

		put_number(w, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, spec);
		break;
	}
	case 'u':
	case 'x': {
		uint64_t value = spec->is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);

		put_number(w, value, kind == 'u' ? 10 : 16, false, spec);
		break;
	}
	case 'p':
		spec->alternate = true;
		put_number(w, va_arg(*args, uint64_t), 16, false, spec);
		break;
	case 'c': {
		char c = (char)va_arg(*args, int);

		put_padded(w, &c, 1, spec);
		break;
	}
	case 's': {
		const char *text = va_arg(*args, const char *);

		put_padded(w, text, strlen(text), spec);
		break;
	}
	default:
		put(w, kind);
	}
}

size_t format_string(char *buffer, size_t size, const char *format, va_list args)
{
	struct writer w = { buffer, size, 0 };
	va_list ap;

	va_copy(ap, args);
	for (const char *f = format; *f; f++) {
		struct spec spec;

		if (*f != '%') {
			put(&w, *f);
			continue;
		}
		f = parse_spec(f + 1, &spec);
		if (!*f)
			break;
		put_argument(&w, *f, &spec, &ap);
	}
	va_end(ap);
	buffer[w.length] = '\0';
	return w.length;
}

size_t string_format(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = format_string(buffer, size, format, args);
	va_end(args);
	return length;
}
