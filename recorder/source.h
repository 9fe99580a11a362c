/* source.h: where `vexit capture` takes a stream from. */
#ifndef VEXIT_SOURCE_H
#define VEXIT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

struct source {
	int fd;
	bool live;	/* a line or socket: more may come at any time, and the closing frame is the end */
};

/* FILE, a tty (made raw, at `baud`), unix:PATH, tcp:HOST:PORT or "-". false: printed. */
bool source_open(struct source *s, const char *from, uint64_t baud);
void source_close(struct source *s);

#endif
