/* dump.h: one decoded step, printed. */
#ifndef VEXIT_DUMP_H
#define VEXIT_DUMP_H

#include <stdio.h>

#include "recorder/symbols.h"
#include "recorder/trace.h"

/* `symbols` may be NULL. */
void dump_text(FILE *to, const struct decoder *d, const struct symbols *symbols);
void dump_json(FILE *to, const struct decoder *d, const struct symbols *symbols);

/* Names of items, crossings, devices, results; in dump_text.c. */
const char *item_name(unsigned code);
const char *crossing_name(unsigned kind);
const char *device_name(unsigned device);
const char *action_name(enum exit_action action);
const char *entry_name(enum entry_result entry);

#endif
