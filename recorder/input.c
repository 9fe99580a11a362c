/*
 * input.c: from a file, a pipe or a terminal to the guest's console. See input.h.
 *
 * Called by record.c's loop; nothing here waits. Nothing is dropped either: the emulator takes a byte from its
 * socket when its UART has room, the hypervisor one from the UART when the guest's has, and here at most
 * WAITING_MAX bytes wait for the socket before the source is left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/input.h"
#include "recorder/terminal.h"

#define WAITING_MAX	4096
#define KEY_PREFIX	0x01	/* ^A */
#define KEY_INTERRUPT	0x03	/* ^C */

static void put(struct input *in, const uint8_t *bytes, size_t count)
{
	if (in->cap - in->size < count) {
		in->cap = 2 * (in->size + count);
		in->bytes = realloc(in->bytes, in->cap);
		if (!in->bytes)
			abort();
	}
	memcpy(in->bytes + in->size, bytes, count);
	in->size += count;
}

bool input_open(struct input *in, const char *path, bool quiet)
{
	*in = (struct input){ .fd = -1, .quiet = quiet };
	if (path && strcmp(path, "-")) {
		in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (in->fd < 0)
			return !command_fail(1, "%s: %s", path, strerror(errno));
	} else {
		in->terminal = isatty(STDIN_FILENO);
		if (!path && !in->terminal)
			return true;
		/* Not ours is a job in the background. It may come to the front later. */
		if (in->terminal && terminal_take(STDIN_FILENO) && !quiet)
			fprintf(stderr, "vexit: keys go to the guest's console; ^C ends the recording, ^A h helps\n");
		in->fd = STDIN_FILENO;
	}
	in->wanted = true;
	return true;
}

/* ---- Keys ---- */

static void take_command(struct input *in, uint8_t key)
{
	switch (key) {
	case 'c':
	case 'C':
		put(in, &(uint8_t){ KEY_INTERRUPT }, 1);
		break;
	case KEY_PREFIX:
		put(in, &key, 1);
		break;
	case 'x':
	case 'X':
		in->ended = true;
		break;
	default:
		fprintf(stderr, "\nvexit: ^A c sends a ^C to the guest, ^A ^A a ^A; ^A x or ^C ends the recording\n");
	}
}

void input_keys(struct input *in, const uint8_t *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (in->prefixed)
			take_command(in, keys[i]);
		else if (keys[i] != KEY_PREFIX)
			put(in, &keys[i], 1);
		in->prefixed = !in->prefixed && keys[i] == KEY_PREFIX;
	}
}

/* ---- The way through ---- */

int input_to_poll(struct input *in)
{
	if (in->fd < 0 || in->size - in->sent >= WAITING_MAX || (in->terminal && !terminal_take(in->fd)))
		return -1;
	return in->fd;
}

/* The end of what is typed is not the end of the run. */
static void end(struct input *in)
{
	if (in->fd > STDERR_FILENO)
		close(in->fd);
	in->fd = -1;
}

void input_read(struct input *in)
{
	uint8_t bytes[WAITING_MAX];
	ssize_t n;

	if (input_to_poll(in) < 0)
		return;
	n = read(in->fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0 && !in->terminal)
		command_fail(0, "the guest's input can't be read any more: %s", strerror(errno));
	if (n <= 0)
		end(in);
	else if (in->terminal)
		input_keys(in, bytes, (size_t)n);
	else
		put(in, bytes, (size_t)n);
}

size_t input_send(struct input *in, struct serial_port *console)
{
	size_t n = in->size - in->sent;

	if (n)
		n = serial_write(console, in->bytes + in->sent, n);
	in->sent += n;
	return n;
}

void input_boot(struct input *in, uint64_t taken)
{
	if (taken > in->sent)
		taken = in->sent;
	in->size -= taken;
	if (in->size)
		memmove(in->bytes, in->bytes + taken, in->size);
	in->sent = 0;
}

void input_close(struct input *in)
{
	end(in);
	if (in->terminal)
		terminal_release();
	free(in->bytes);
	in->bytes = NULL;
	in->size = in->sent = in->cap = 0;
}
