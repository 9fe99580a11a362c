/*
 * serial.c: a serial port that an emulator connects to a socket of ours. See machine.h.
 *
 * Called by machine.c and record.c. Nothing here waits: a port without a byte, or without room, says so.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/machine.h"

bool serial_listen(struct serial_port *p, const char *what)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);

	serial_close(p);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&a, size) || listen(p->listener, 1) ||
	    getsockname(p->listener, (struct sockaddr *)&a, &size)) {
		command_fail(0, "a socket for the %s: %s", what, strerror(errno));
		return false;
	}
	p->number = ntohs(a.sin_port);
	return true;
}

static bool connected(struct serial_port *p)
{
	if (p->fd < 0 && p->listener >= 0) {
		p->fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (p->fd >= 0) {
			close(p->listener);
			p->listener = -1;
		}
	}
	return p->fd >= 0;
}

size_t serial_read(struct serial_port *p, void *bytes, size_t size)
{
	ssize_t n;

	if (!connected(p))
		return 0;
	n = recv(p->fd, bytes, size, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		serial_close(p);
	return n > 0 ? (size_t)n : 0;
}

size_t serial_write(struct serial_port *p, const void *bytes, size_t size)
{
	ssize_t n = connected(p) ? send(p->fd, bytes, size, MSG_NOSIGNAL) : 0;

	return n > 0 ? (size_t)n : 0;
}

int serial_to_poll(const struct serial_port *p)
{
	return p->fd >= 0 ? p->fd : p->listener;
}

void serial_close(struct serial_port *p)
{
	if (p->listener >= 0)
		close(p->listener);
	if (p->fd >= 0)
		close(p->fd);
	p->listener = p->fd = -1;
}
