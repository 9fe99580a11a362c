/*
 * symbols.h: names for a guest's addresses: --symbols FILE of record, dump, stat and query.
 *
 * FILE may be a System.map, the text of /proc/kallsyms, an ELF with a symbol table, or a console's log that
 * holds lines of /proc/kallsyms, or all of it packed (gzip, base64) between two lines: guests/linux prints
 * both. Every byte of it is hostile.
 */
#ifndef VEXIT_SYMBOLS_H
#define VEXIT_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#define SYMBOLS_HELP                                              \
	"names for addresses: System.map, an ELF, /proc/kallsyms,\n" \
	"or a console's log that holds it"
#define SYMBOL_TEXT	544		/* bytes for symbols_text(), at most */
#define SYMBOLS_BEGIN	"-----BEGIN KALLSYMS-----"	/* packed symbols, in a console's log */
#define SYMBOLS_END	"-----END KALLSYMS-----"

struct symbols;

/* NULL, and `error` filled ("FILE: why"), when the file has no symbols. */
struct symbols *symbols_load(const char *path, char *error, size_t error_size);
/* The same of bytes in memory; `name` is for messages. */
struct symbols *symbols_parse(const char *name, const uint8_t *bytes, size_t size, char *error,
			      size_t error_size);
void symbols_free(struct symbols *s);

size_t symbols_count(const struct symbols *s);
/* The function at `address`, and how far in it; NULL: none is. `s` may be NULL. */
const char *symbols_find(const struct symbols *s, uint64_t address, uint64_t *offset);
/* "name+0x12", or "0x…" where no name is known. */
void symbols_text(const struct symbols *s, uint64_t address, char *text, size_t size);

#endif
