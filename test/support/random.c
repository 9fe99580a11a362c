/*
 * random.c: see random.h. Marsaglia's xorshift64.
 */
#include "support/random.h"

static uint64_t own = 1;

uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void random_seed(uint64_t seed)
{
	own = seed;
}

uint64_t random_u64(void)
{
	return random_next(&own);
}

uint64_t random_below(uint64_t n)
{
	return random_u64() % n;
}
