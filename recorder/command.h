/*
 * command.h: what the subcommands share. Each is `int cmd_NAME(int argc, char **argv)`, argv[0] its name;
 * recorder/main.c has the table.
 */
#ifndef VEXIT_COMMAND_H
#define VEXIT_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define EXIT_OK		0	/* fine */
#define EXIT_NO		1	/* the answer is no: divergence, corrupt, differs */
#define EXIT_CANNOT	2	/* it could not be done: usage, missing file, no machine */
#define EXIT_INTERRUPT	130	/* ^C */

int cmd_record(int argc, char **argv);	/* recorder/ */
int cmd_capture(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_slice(int argc, char **argv);
int cmd_replay(int argc, char **argv);	/* replay/ */
int cmd_import(int argc, char **argv);	/* analyzer/ */
int cmd_query(int argc, char **argv);
int cmd_stat(int argc, char **argv);

/* "vexit: …" on stderr; gives `status`. */
int command_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "vexit COMMAND: …\nTry 'vexit COMMAND --help'." on stderr; gives EXIT_CANNOT. */
int command_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Output file: opens NAME.partial beside `path` ("-": stdout), refuses an existing `path` without `force`.
 * output_commit() renames; output_abandon() removes. NULL: the error was printed.
 */
struct output;
struct output *output_open(const char *path, bool force);
const char *output_temporary(const struct output *o);	/* path to write to, for SQLite; NULL for stdout */
FILE *output_file(struct output *o);
int output_commit(struct output *o); /* 0, or EXIT_CANNOT after printing why (disk full, …) */
void output_abandon(struct output *o);

/* Progress on stderr, when that is a terminal and not -q: at most ten times a second. */
void progress_update(bool quiet, const char *format, ...) __attribute__((format(printf, 2, 3)));
void progress_end(bool quiet);

/* A JSON string literal with its quotes. */
void json_string(FILE *to, const char *text);

#endif
