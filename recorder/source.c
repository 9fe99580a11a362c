/*
 * source.c: opens what a stream comes from. See source.h; called by cmd_capture.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "recorder/command.h"
#include "recorder/source.h"

static const struct {
	uint64_t baud;
	speed_t speed;
} speeds[] = {
	{ 9600, B9600 },       { 19200, B19200 },     { 38400, B38400 },     { 57600, B57600 },
	{ 115200, B115200 },   { 230400, B230400 },   { 460800, B460800 },   { 500000, B500000 },
	{ 576000, B576000 },   { 921600, B921600 },   { 1000000, B1000000 }, { 1152000, B1152000 },
	{ 1500000, B1500000 }, { 2000000, B2000000 }, { 2500000, B2500000 }, { 3000000, B3000000 },
	{ 3500000, B3500000 }, { 4000000, B4000000 },
};
#define SPEEDS (sizeof(speeds) / sizeof(*speeds))

/* Eight bits, no parity, no flow control, no echo, nothing translated. */
static bool set_raw(int fd, const char *name, uint64_t baud)
{
	struct termios t;
	unsigned i;

	for (i = 0; i < SPEEDS && speeds[i].baud != baud; i++)
		;
	if (i == SPEEDS) {
		fprintf(stderr, "vexit: --baud %llu: expected one of", (unsigned long long)baud);
		for (i = 0; i < SPEEDS; i++)
			fprintf(stderr, " %llu", (unsigned long long)speeds[i].baud);
		fputc('\n', stderr);
		return false;
	}
	if (tcgetattr(fd, &t))
		goto failed;
	cfmakeraw(&t);
	t.c_cflag = (t.c_cflag & ~(CSTOPB | CRTSCTS | HUPCL)) | CLOCAL | CREAD;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (!cfsetspeed(&t, speeds[i].speed) && !tcsetattr(fd, TCSAFLUSH, &t))
		return true;
failed:
	command_fail(0, "%s: %s", name, strerror(errno));
	return false;
}

static bool open_unix(struct source *s, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path)) {
		command_fail(0, "unix:%s: the path is too long for a socket", path);
		return false;
	}
	strcpy(a.sun_path, path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd >= 0 && !connect(s->fd, (struct sockaddr *)&a, sizeof(a)))
		return true;
	command_fail(0, "unix:%s: %s", path, strerror(errno));
	return false;
}

static bool open_tcp(struct source *s, const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *a;
	const char *colon = strrchr(address, ':');
	char host[256];
	int error;

	if (!colon || colon == address || (size_t)(colon - address) >= sizeof(host)) {
		command_fail(0, "tcp:%s: expected tcp:HOST:PORT", address);
		return false;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	error = getaddrinfo(host, colon + 1, &hints, &list);
	if (error) {
		command_fail(0, "tcp:%s: %s", address, gai_strerror(error));
		return false;
	}
	errno = ECONNREFUSED;
	for (a = list; a; a = a->ai_next) {
		s->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (s->fd >= 0 && !connect(s->fd, a->ai_addr, a->ai_addrlen))
			break;
		source_close(s);
	}
	freeaddrinfo(list);
	if (!a)
		command_fail(0, "tcp:%s: %s", address, strerror(errno));
	return a != NULL;
}

bool source_open(struct source *s, const char *from, uint64_t baud)
{
	struct stat st;

	*s = (struct source){ .fd = -1, .live = true };
	if (!strncmp(from, "unix:", 5))
		return open_unix(s, from + 5);
	if (!strncmp(from, "tcp:", 4))
		return open_tcp(s, from + 4);
	s->fd = !strcmp(from, "-") ? dup(STDIN_FILENO)
				   : open(from, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st)) {
		command_fail(0, "%s: %s", from, strerror(errno));
		return false;
	}
	if (S_ISDIR(st.st_mode)) {
		command_fail(0, "%s: %s", from, strerror(EISDIR));
		return false;
	}
	s->live = !S_ISREG(st.st_mode);
	return !isatty(s->fd) || set_raw(s->fd, from, baud);
}

void source_close(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
