/*
 * ring.c: counts what KVM's tracepoints left in the trace ring: events by name, exits by reason, the time between
 * kvm_entry and kvm_exit.
 *
 * Called by main.c for `kvmrun --ring`, after a run. Reads binary pages (Linux, "Lockless Ring Buffer Design" and
 * include/linux/ring_buffer.h): as text, a boot's events would take longer to print than the boot.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm.h"

#define TRACEFS       "/sys/kernel/tracing"
#define EVENTS        TRACEFS "/events/kvm"
#define PAGE_BYTES    4096
#define PAGE_HEADER   16		/* time stamp, then the bytes that follow ("commit") */
#define COMMIT_MASK   0xfffff		/* above: flags for lost events */
#define MAX_EVENT_ID  65536
#define MAX_REASON    128

/* The first word of an event: 5 bits of type or length in words, 27 of time since the event before */
#define TYPE_LENGTH_MAX  28
#define TYPE_PADDING     29
#define TYPE_EXTEND      30		/* the word after holds the upper bits of the time */
#define TYPE_STAMP       31

#define COMMON_TYPE_MASK 0xffff
#define EXIT_REASON_WORD 2		/* of kvm_exit, checked against its format */

static const char *const reason_names[MAX_REASON] = {
#define EXIT(number, name, handler, lock) [number] = #name,
#include "exits.def"
#undef EXIT
};

struct counts {
	char *names[MAX_EVENT_ID];
	uint64_t events[MAX_EVENT_ID];
	uint64_t reasons[MAX_REASON];
	uint32_t entry_id, exit_id;
	uint64_t entered;		/* time of the kvm_entry that no kvm_exit has followed yet */
	/* From kvm_entry to kvm_exit, in the trace clock's nanoseconds: all, how often, and the shortest, which is
	 * what the host itself executes between the two tracepoints. */
	uint64_t inside, stays, shortest;
};

static char *read_text(const char *path, char *text, size_t size)
{
	int fd = must(open(path, O_RDONLY), path);
	ssize_t n = read(fd, text, size - 1);

	close(fd);
	if (n < 0)
		fail("%s can't be read", path);
	text[n] = '\0';
	return text;
}

static uint32_t event_id(const char *name)
{
	char path[512], text[32];
	unsigned long id;

	snprintf(path, sizeof(path), EVENTS "/%s/id", name);
	id = strtoul(read_text(path, text, sizeof(text)), NULL, 10);
	if (id >= MAX_EVENT_ID)
		fail("%s is event %lu", name, id);
	return (uint32_t)id;
}

static void name_events(struct counts *c)
{
	char format[4096];
	DIR *d = opendir(EVENTS);
	struct dirent *e;

	if (!d)
		fail("no " EVENTS);
	while ((e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			c->names[event_id(e->d_name)] = strdup(e->d_name);
	closedir(d);
	c->entry_id = event_id("kvm_entry");
	c->exit_id = event_id("kvm_exit");
	if (!strstr(read_text(EVENTS "/kvm_exit/format", format, sizeof(format)),
		    "exit_reason;\toffset:8;\tsize:4;"))
		fail("kvm_exit has another format than this program knows");
}

static void count_stay(struct counts *c, uint64_t time)
{
	c->inside += time;
	if (!c->stays++ || time < c->shortest)
		c->shortest = time;
}

static void count_event(struct counts *c, const uint32_t *data, uint64_t time)
{
	uint32_t id = data[0] & COMMON_TYPE_MASK;

	c->events[id]++;
	if (id == c->entry_id) {
		c->entered = time;
	} else if (id == c->exit_id) {
		c->reasons[data[EXIT_REASON_WORD] & (MAX_REASON - 1)]++;
		if (c->entered)
			count_stay(c, time - c->entered);
		c->entered = 0;
	}
}

static void count_page(struct counts *c, const uint32_t *page)
{
	uint64_t time = page[0] | (uint64_t)page[1] << 32;
	const uint32_t *p = page + PAGE_HEADER / 4, *end = p + (page[2] & COMMIT_MASK) / 4;

	while (p < end) {
		uint32_t type = *p & 0x1f, delta = *p >> 5, length = type;

		p++;
		if (type == TYPE_PADDING) {
			if (!delta)
				return;
			p += *p / 4;
		} else if (type == TYPE_EXTEND) {
			time += delta + ((uint64_t)*p++ << 27);
		} else if (type == TYPE_STAMP) {
			time = (time & ~((1ull << 59) - 1)) | (delta + ((uint64_t)*p++ << 27));
		} else {
			time += delta;
			if (!type)
				length = *p++ / 4 - 1;
			count_event(c, p, time);
			p += length;
		}
	}
}

void ring_report(void)
{
	static struct counts c;
	static uint32_t page[PAGE_BYTES / 4];
	char text[512];
	int fd;

	/* Before reading: what was read is no longer in it. "entries", "overrun", "bytes" */
	for (char *line = strtok(read_text(TRACEFS "/per_cpu/cpu0/stats", text, sizeof(text)), "\n"); line;
	     line = strtok(NULL, "\n"))
		printf("ring: %s\n", line);
	name_events(&c);
	fd = must(open(TRACEFS "/per_cpu/cpu0/trace_pipe_raw", O_RDONLY | O_NONBLOCK), "trace_pipe_raw");
	while (read(fd, page, sizeof(page)) > 0)
		count_page(&c, page);
	close(fd);
	for (unsigned id = 0; id < MAX_EVENT_ID; id++)
		if (c.events[id])
			printf("ring: event %s %llu\n", c.names[id] ? c.names[id] : "?",
			       (unsigned long long)c.events[id]);
	for (unsigned i = 0; i < MAX_REASON; i++)
		if (c.reasons[i])
			printf("ring: exit %s %llu\n", reason_names[i] ? reason_names[i] : "?",
			       (unsigned long long)c.reasons[i]);
	printf("ring: guest_ns %llu\n", (unsigned long long)(c.inside - c.stays * c.shortest));
	printf("ring: shortest_ns %llu\n", (unsigned long long)c.shortest);
}
