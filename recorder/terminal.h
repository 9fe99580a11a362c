/* terminal.h: the recorder's own terminal, while its keys go to a guest. */
#ifndef VEXIT_TERMINAL_H
#define VEXIT_TERMINAL_H

#include <stdbool.h>

/*
 * Keys come as they are typed and without echo, but for ^C, which stays a signal. The terminal is put back by
 * terminal_release(), when the program exits, and on every signal that ends or stops it. Calling it again
 * takes it back after ^Z's kind of stop. false: there is none, or another job has it; reading it would stop us.
 */
bool terminal_take(int fd);
void terminal_release(void);

#endif
