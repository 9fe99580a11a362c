/*
 * statistics.c: the vCPU's statistics from KVM's binary interface (Linux, "KVM API", KVM_GET_STATS_FD).
 *
 * Called by main.c after a run. KVM counts these whether anything is traced or not, so that `exits` is known for the
 * untraced run, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm.h"

struct statistics {
	struct kvm_stats_header header;
	uint8_t *descriptors;
	uint64_t *values;
	size_t stride;
};

static void read_at(int fd, void *to, size_t size, uint32_t offset)
{
	if (pread(fd, to, size, offset) != (ssize_t)size)
		fail("the vCPU's statistics can't be read");
}

static const struct kvm_stats_desc *descriptor(const struct statistics *s, unsigned i)
{
	return (const void *)(s->descriptors + i * s->stride);
}

struct statistics *statistics_read(int vcpu)
{
	struct statistics *s = calloc(1, sizeof(*s));
	int fd = must(ioctl(vcpu, KVM_GET_STATS_FD, NULL), "KVM_GET_STATS_FD");
	size_t size = 0;

	read_at(fd, &s->header, sizeof(s->header), 0);
	s->stride = sizeof(struct kvm_stats_desc) + s->header.name_size;
	s->descriptors = calloc(s->header.num_desc, s->stride);
	read_at(fd, s->descriptors, s->header.num_desc * s->stride, s->header.desc_offset);
	for (unsigned i = 0; i < s->header.num_desc; i++) {
		size_t end = descriptor(s, i)->offset + descriptor(s, i)->size * sizeof(uint64_t);

		size = end > size ? end : size;
	}
	s->values = malloc(size);
	read_at(fd, s->values, size, s->header.data_offset);
	close(fd);
	return s;
}

uint64_t statistics_value(const struct statistics *s, const char *name)
{
	for (unsigned i = 0; i < s->header.num_desc; i++)
		if (!strcmp(descriptor(s, i)->name, name))
			return s->values[descriptor(s, i)->offset / sizeof(uint64_t)];
	return 0;
}

void statistics_print(const struct statistics *s)
{
	for (unsigned i = 0; i < s->header.num_desc; i++) {
		const struct kvm_stats_desc *d = descriptor(s, i);
		uint64_t value = s->values[d->offset / sizeof(uint64_t)];

		if (d->size == 1 && value)
			printf("kvmrun: %s %llu\n", d->name, (unsigned long long)value);
	}
}
