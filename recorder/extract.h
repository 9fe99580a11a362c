/*
 * extract.h: some frames of a trace as a trace of its own: for slice and verify --repair.
 */
#ifndef VEXIT_EXTRACT_H
#define VEXIT_EXTRACT_H

#include "recorder/trace.h"
#include "recorder/writer.h"

struct extract {
	const struct trace *trace;
	size_t first, end;	/* frames [first, end) */
	const bool *unreadable; /* by frame, leave these out; may be NULL */
	bool slice; /* the session frame says what was cut; otherwise it stands for the whole recording */
	uint64_t exits[CLOSING_REASONS]; /* filled: exits by reason of what was written */
};

/* Write it all but the seek table, which is writer_finish()'s. false: `error` has why, or the writer has
 * failed. */
bool extract_write(struct extract *x, struct writer *w, char *error, size_t error_size);

#endif
