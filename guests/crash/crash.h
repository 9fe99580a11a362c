/*
 * crash.h: the ends that need more than a line.
 */
#ifndef CRASH_H
#define CRASH_H

#include "guest.h"

/* header.c: prints, by each way to the console, bytes that pass for a frame header of a trace. */
void crash_print_header(uint64_t session);

/* task.S: leaves long mode and switches tasks by hardware; the new task ends the run with verdict 0. */
void crash_task_switch(void) __attribute__((noreturn));

#endif
