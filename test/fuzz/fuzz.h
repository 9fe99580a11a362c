/*
 * fuzz.h: what a fuzz target gives. Each fuzz_*.c is one, in libFuzzer's form:
 *
 *	clang -fsanitize=fuzzer,address …   fuzz_NAME.c + the sources: fuzzing as libFuzzer does it
 *	gcc -fsanitize=address …            fuzz_NAME.c driver.c + the sources: replay of a corpus and seeded mutations
 */
#ifndef VEXIT_FUZZ_H
#define VEXIT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Seed i, to be freed; NULL: there are no more. For the driver; `driver --write DIR` gives them to another fuzzer. */
uint8_t *fuzz_seed(unsigned i, size_t *size);

/* A property that must hold whatever the bytes are. */
#define FUZZ_CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#endif
