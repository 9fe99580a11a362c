/* symbols_table.h: what symbols.c shares with symbols_elf.c and symbols_pack.c. */
#ifndef VEXIT_SYMBOLS_TABLE_H
#define VEXIT_SYMBOLS_TABLE_H

#include <stdbool.h>

#include "recorder/symbols.h"

/* One more function. `size` 0: up to the next. `global`: preferred to others at the same address. */
void symbols_add(struct symbols *s, uint64_t address, uint64_t size, bool global, const char *name, size_t length);

/* All functions of an ELF. NULL, or what is wrong with it. symbols_elf.c */
bool symbols_is_elf(const uint8_t *bytes, size_t size);
const char *symbols_read_elf(struct symbols *s, const uint8_t *bytes, size_t size);

/*
 * Unpack what stands between SYMBOLS_BEGIN and SYMBOLS_END. `bytes` follow the first. NULL, or what is wrong;
 * `*text` is the caller's to free, and `*used` the number of bytes that it took. symbols_pack.c
 */
const char *symbols_unpack(const uint8_t *bytes, size_t size, char **text, size_t *text_size, size_t *used);

#endif
