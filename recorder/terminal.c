/*
 * terminal.c: raw keys, and a terminal that is put back on every way out. See terminal.h.
 *
 * Called by input.c. What runs in signal handlers here calls nothing but tcsetattr(), signal() and raise().
 */
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "recorder/terminal.h"

#define INTERRUPT_KEY 0x03

static struct termios saved;
static int taken_fd;
static volatile sig_atomic_t taken;

void terminal_release(void)
{
	if (taken)
		tcsetattr(taken_fd, TCSANOW, &saved);
	taken = 0;
}

/* Ends or stops us, as it would have; a stopped program goes on here. */
static void on_signal(int number)
{
	struct sigaction mine, usual = { .sa_handler = SIG_DFL };

	terminal_release();
	sigaction(number, &usual, &mine);
	raise(number);
	sigaction(number, &mine, NULL);
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGQUIT, SIGILL, SIGABRT, SIGBUS,  SIGFPE,  SIGSEGV, SIGALRM,
				       SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ, SIGTSTP, SIGTTIN };
	/* NODEFER: raise() in the handler must take effect at once. */
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaction(numbers[i], &a, NULL);
	/* A job in the background that puts its terminal back would be stopped for it. */
	signal(SIGTTOU, SIG_IGN);
}

bool terminal_take(int fd)
{
	static bool prepared;
	struct termios raw;

	if (tcgetpgrp(fd) != getpgrp())
		return false;
	if (taken)
		return true;
	if (tcgetattr(fd, &raw))
		return false;
	if (!prepared) {
		catch_signals();
		atexit(terminal_release);
		prepared = true;
	}
	saved = raw;
	taken_fd = fd;
	taken = 1;
	/* Output stays as it is: a guest's "\n" begins a new line. */
	raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | IGNCR | INLCR | INPCK | ISTRIP | IXON | IXOFF | PARMRK);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
	raw.c_lflag |= ISIG;
	raw.c_cc[VINTR] = INTERRUPT_KEY;
	raw.c_cc[VQUIT] = raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return !tcsetattr(fd, TCSANOW, &raw);
}
