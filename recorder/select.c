/*
 * select.c: which exits a command is about: ranges, reasons by name, frames that can hold them. Behind
 * trace.h.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "recorder/trace.h"

static const struct {
	unsigned number;
	const char *name;
} reasons[] = {
#define EXIT(number, name, handler, lock) { number, #name },
#include "exits.def"
#undef EXIT
};
#define REASONS (sizeof(reasons) / sizeof(*reasons))

static bool parse_bound(const char **text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*value = strtoull(*text, &end, 0);
	*text = end;
	return !errno;
}

bool trace_parse_range(const char *text, uint64_t *first, uint64_t *last)
{
	*first = 0;
	*last = UINT64_MAX;
	if (strncmp(text, "..", 2)) {
		if (!parse_bound(&text, first))
			return false;
		if (!*text) {
			*last = *first;
			return true;
		}
		if (strncmp(text, "..", 2))
			return false;
	} else if (!text[2]) {
		return false;
	}
	text += 2;
	if (*text && (!parse_bound(&text, last) || *text))
		return false;
	return *first <= *last;
}

int trace_parse_reason(const char *text)
{
	const char *p = text;
	uint64_t number;

	if (parse_bound(&p, &number))
		return !*p && number < CLOSING_REASONS ? (int)number : -1;
	for (size_t i = 0; i < REASONS; i++)
		if (!strcasecmp(reasons[i].name, text))
			return (int)reasons[i].number;
	return -1;
}

const char *exit_reason_name(unsigned basic)
{
	static _Thread_local char unnamed[24];

	if (basic < REASONS && reasons[basic].number == basic)
		return reasons[basic].name;
	for (size_t i = 0; i < REASONS; i++)
		if (reasons[i].number == basic)
			return reasons[i].name;
	snprintf(unnamed, sizeof(unnamed), "RESERVED_%u", basic);
	return unnamed;
}

bool trace_frame_selected(const struct trace_frame_info *f, const struct trace_selection *s)
{
	const struct frame_header *h = &f->header;

	if (!h->exits || h->first_seq > s->last_seq || h->first_seq + h->exits - 1 < s->first_seq)
		return false;
	if (s->vcpu >= 0 && (s->vcpu > 31 || !(h->vcpus >> s->vcpu & 1)))
		return false;
	return s->reason < 0 || s->reason > 127 || (h->reasons[s->reason / 64] >> (s->reason % 64) & 1);
}
