/*
 * follow.c: reads a regular file behind the process that writes it. See machine.h.
 *
 * An emulator's fastest serial port is a plain file; what was read of it is punched out, so that a long
 * recording needs no disk for the wire.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "recorder/machine.h"

#define PUNCH_EVERY (1u << 20)

void follow_init(struct follow *f, const char *directory, const char *name)
{
	*f = (struct follow){ .fd = -1 };
	snprintf(f->path, sizeof(f->path), "%s/%s", directory, name);
}

size_t follow_read(struct follow *f, uint8_t *bytes, size_t size)
{
	ssize_t n;

	if (f->fd < 0)
		f->fd = open(f->path, O_RDWR | O_CLOEXEC);
	if (f->fd < 0)
		return 0;
	n = pread(f->fd, bytes, size, (off_t)f->offset);
	if (n <= 0)
		return 0;
	f->offset += (size_t)n;
	/* Where the file system can't, the file is just larger. */
	if (f->offset - f->punched >= PUNCH_EVERY) {
		fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)f->punched,
			  (off_t)(f->offset - f->punched));
		f->punched = f->offset;
	}
	return (size_t)n;
}

void follow_close(struct follow *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
