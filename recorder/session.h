/*
 * session.h: session frames as they stand in a stream, whose entries are mostly compressed. hv/trace/session.c
 * has their contents.
 */
#ifndef VEXIT_RECORDER_SESSION_H
#define VEXIT_RECORDER_SESSION_H

#include "trace/frame.h"

/* As session_decode(), of a frame with compressed entries or not. Every byte is hostile. */
const char *session_read(const uint8_t *in, size_t size, struct session *s);

/*
 * The same frame with its entries uncompressed, in `out`, which holds SESSION_MAX bytes: its size, or 0 if they
 * can't be. session_check(in, size) has found nothing wrong.
 */
size_t session_unpack(const uint8_t *in, size_t size, uint8_t *out);

/* Compress the entries of the frame in place; gives its new size. What doesn't get smaller stays as it is. */
size_t session_pack(uint8_t *frame, size_t size);

#endif
