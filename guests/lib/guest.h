/*
 * guest.h: all that a guest may use. Write main(), return a verdict; `hello` is the example.
 *
 * When main() is called, the first 4 GiB are mapped one to one, interrupts are off, exceptions end the guest
 * with a report, and the console and the local APIC are set up. The other vCPUs wait for smp_run().
 */
#ifndef GUEST_H
#define GUEST_H

#include "platform.h"

#include "layout.h"
#include "asm.h"
#include "trap.h"
#include "multiboot.h"
#include "smp.h"
#include "apic.h"
#include "ioapic.h"
#include "console.h"
#include "page.h"
#include "option.h"
#include "test.h"

/* Returns a VERDICT_…, which ends the run. */
int main(void);

size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
