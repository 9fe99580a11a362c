/*
 * zero.h: a guest's whole memory is zeroed before it starts: as much work as all else that happens until
 * then.
 */
#ifndef BOOT_ZERO_H
#define BOOT_ZERO_H

#include <stdint.h>

#define ZERO_UNIT 1024u

/*
 * Zeroes `size` bytes, a multiple of ZERO_UNIT, at `to`, aligned to 64. At boot only: it uses a vector
 * register.
 */
void zero_memory(void *to, uint64_t size);

#endif
