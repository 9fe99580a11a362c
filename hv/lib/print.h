/* print.h: formatted text into a buffer: the part of vsnprintf() that a hypervisor's reports need. */
#ifndef LIB_PRINT_H
#define LIB_PRINT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Conversions: %d %i %u %x %X %o %p %c %s %%, with the flags '-', '0', '#', '+', ' ', a width and a precision
 * (numbers or '*'), and the lengths hh h l ll j z t. No floating point. An unknown conversion is printed as
 * it stands.
 *
 * `buffer` is always terminated when `size` > 0. Returns the bytes written without the terminator (at most
 * size - 1), not what a larger buffer would have taken: callers send what is there.
 */
size_t print_vformat(char *buffer, size_t size, const char *format, va_list args);

__attribute__((format(printf, 3, 4))) size_t print_format(char *buffer, size_t size, const char *format, ...);

#endif
