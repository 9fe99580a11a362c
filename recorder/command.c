/*
 * command.c: how every command says what went wrong.
 */
#include <stdarg.h>

#include "recorder/command.h"

int command_fail(int status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	fputs("vexit: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return status;
}

int command_usage(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "vexit %s: ", command);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\nTry 'vexit %s --help'.\n", command);
	va_end(args);
	return EXIT_CANNOT;
}
