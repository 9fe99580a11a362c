/* input.h: what is typed for the guest: a file, a pipe, or the keys of the recorder's terminal. */
#ifndef VEXIT_INPUT_H
#define VEXIT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/machine.h"

struct input {
	bool wanted;			/* the guest's console is two-way */
	bool terminal;			/* keys, among them commands that begin with ^A */
	bool quiet;
	bool prefixed;			/* the last key was ^A */
	bool ended;			/* ^A x */
	int fd;				/* -1: nothing more comes from it */
	uint8_t *bytes;			/* `sent` that this boot's machine was given, then those that wait */
	size_t sent, size, cap;
};

/*
 * `path`: --input's FILE, "-" for stdin, or NULL: stdin if it is a terminal, else nothing. false: printed.
 */
bool input_open(struct input *in, const char *path, bool quiet);

/* The descriptor to poll for, or -1: nothing is wanted from it now. */
int input_to_poll(struct input *in);
/* Read what is there. Does nothing while the machine is behind. */
void input_read(struct input *in);
/* To the machine, as much as it takes. Gives the number of bytes. */
size_t input_send(struct input *in, struct serial_port *console);

/* The machine starts again, and its guest had taken so many bytes: what it didn't take waits for the next. */
void input_boot(struct input *in, uint64_t taken);

void input_close(struct input *in);

/* ---- for input_read() and its test ---- */

/* Keys: bytes for the guest, and commands. */
void input_keys(struct input *in, const uint8_t *keys, size_t count);

#endif
