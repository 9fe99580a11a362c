/*
 * hash.c: XXH64, the checksum of the stream's own frames and of compressed bytes.
 */
#define XXH_INLINE_ALL
#define XXH_VECTOR 0	/* scalar: the hypervisor must not touch vector registers */
#include <xxhash.h>

#include "frame.h"

uint64_t trace_hash(const void *bytes, size_t size)
{
	return XXH64(bytes, size, 0);
}
