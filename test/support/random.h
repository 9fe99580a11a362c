/*
 * random.h: numbers for tests that make or spoil things at random. The same seed gives the same numbers.
 */
#ifndef VEXIT_RANDOM_H
#define VEXIT_RANDOM_H

#include <stdint.h>

/* The next number of a sequence; its state is never 0. */
uint64_t random_next(uint64_t *state);

/* The test program's own sequence, seeded by 1 at its start; and a number below `n`. */
void random_seed(uint64_t seed);
uint64_t random_u64(void);
uint64_t random_below(uint64_t n);

#endif
