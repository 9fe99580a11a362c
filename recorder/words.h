/* words.h: an exit in words, for dump, record and replay. */
#ifndef VEXIT_WORDS_H
#define VEXIT_WORDS_H

#include "recorder/symbols.h"
#include "recorder/trace.h"

/*
 * What an exit is about where its instruction doesn't say it: "leaf 0x1", "MSR 0x1b", a port, an address;
 * or "".
 */
void exit_subject(char *text, size_t size, const struct vcpu *v, unsigned reason);

/* The exit that `d` has decoded: "IO_INSTRUCTION out port 0x3f8 = 0x41", "RDMSR MSR 0x1b: 0xfee00900". */
void exit_words(char *text, size_t size, const struct decoder *d);

/* "#PF"; NULL: no exception has this vector. */
const char *exception_name(unsigned vector);

#endif
