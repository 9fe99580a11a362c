/*
 * entry.h: what the library's assembly calls in C. Not for guests.
 */
#ifndef GUEST_ENTRY_H
#define GUEST_ENTRY_H

#include "trap.h"

struct multiboot_info;

/* start.S: on the BSP, on the others */
void guest_start(uint32_t magic, const struct multiboot_info *info) __attribute__((noreturn));
void ap_start(void) __attribute__((noreturn));

/* vectors.S */
void trap_dispatch(struct trap_frame *frame);

#endif
