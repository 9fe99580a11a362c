/*
 * log.h: text lines for the person at the other end of COM3, and for the recorder, which parses a few of
 * them.
 */
#ifndef BOOT_LOG_H
#define BOOT_LOG_H

#include <stdint.h>
#include <stdnoreturn.h>

/* Formats (lib/print.h) and writes one piece of text; a line needs its own '\n'. At most 511 bytes a call. */
__attribute__((format(printf, 1, 2))) void log_print(const char *format, ...);

/*
 * The end of every run: `vexit: verdict KIND VALUE` as the last line, then power off. KIND is one of
 * debug-exit, power-off, reset, triple-fault, stopped, unhandled, entry-failure, panic, host-error.
 */
noreturn void log_verdict(const char *kind, uint64_t value);

/*
 * What the host or the loader got wrong, before a guest runs: `vexit: error: …`, then the verdict host-error.
 */
__attribute__((format(printf, 1, 2))) noreturn void log_host_error(const char *format, ...);

#endif
