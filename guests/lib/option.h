/*
 * option.h: the guest's command line: words after the first, "name" or "name=value".
 */
#ifndef GUEST_OPTION_H
#define GUEST_OPTION_H

#include "asm.h"

/* Keeps a copy; called before main(). */
void option_init(const char *command_line);

bool option_given(const char *name);

/* NULL if it wasn't given; "" if it was given without '='. */
const char *option_string(const char *name);

/* Decimal, or hexadecimal with 0x; fallback if it wasn't given. What is no number ends the guest (error). */
uint64_t option_number(const char *name, uint64_t fallback);

#endif
