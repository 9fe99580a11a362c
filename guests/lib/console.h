/*
 * console.h: ways to the console, and formatted print.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdarg.h>

#include "asm.h"

enum console {
	CONSOLE_PORT,      /* 16550, waiting for room, then up to 16 bytes by REP OUTSB: the default */
	CONSOLE_OUT,       /* 16550, an OUT for each byte, without waiting */
	CONSOLE_REP_OUTSB, /* 16550, one REP OUTSB for all, without waiting */
	CONSOLE_HYPERCALL,
	CONSOLE_MMIO,
};

/* Sets up the 16550; called before main(). */
void console_init(void);

/* As it is, without the lock. */
void console_write(enum console way, const char *bytes, size_t count);

/* Formats (at most 511 bytes) and writes it whole: lines of different vCPUs don't mix.
 * Knows %d %u %x %lx %ld %lu %c %s %p %%, with '#', '0', '-' and a width. */
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_printf(enum console way, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns the length, cut to size - 1. */
size_t format_string(char *buffer, size_t size, const char *format, va_list args);

/* The same for a buffer. */
size_t string_format(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* For output in several pieces. The holder must not call printf(). */
void console_lock(void);
void console_unlock(void);

/* For reports that end the guest: whoever held the lock may be the one that failed. */
void console_break_lock(void);

#endif
