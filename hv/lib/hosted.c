/*
 * hosted.c: what Debian's libzstd.a expects of a C library beyond mem*.
 *
 * zstd runs with a static workspace (ZSTD_initStaticCCtx), so an allocation is a broken invariant. Its
 * objects are built with the stack protector, which compares the canary at %fs:0x28 (boot/tables.c) and
 * reports here.
 */
#include <stddef.h>

#include "boot/panic.h"

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *block);
void __stack_chk_fail(void);

void *malloc(size_t size)
{
	panic("malloc(%zu) called: zstd must work in its static workspace", size);
}

void *calloc(size_t count, size_t size)
{
	panic("calloc(%zu, %zu) called: zstd must work in its static workspace", count, size);
}

/* ZSTD_freeCCtx() of nothing is harmless and legal. */
void free(void *block)
{
	if (block)
		panic("free(%p) called: zstd must work in its static workspace", block);
}

void __stack_chk_fail(void)
{
	panic("stack smashed (__stack_chk_fail)");
}
