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
 * While the guest runs, the log only listens, for the recorder's word to stop. The port is a socket under a
 * recorder, which Bochs asks for input by a system call in the time of each character: once every 1000
 * instructions at 9600 baud, which takes a fifth of a recording's time. So it listens slowly, a byte in 52 ms
 * of the machine's time; the next line that is printed has the speed from before again.
 */
void log_listen(void);

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
