/*
 * main.c: `kvmrun`: run a kernel under KVM up to a marker on its console and say how many instructions it took.
 *
 *     kvmrun [--acpi] [--initrd FILE] [--append STR] [--until MARKER] KERNEL
 *     kvmrun --ring        what the trace ring holds, counted (ring.c)
 *
 * Called by guests/kvm/init in L1. KERNEL is a bzImage, or a multiboot ELF of guests/. Without a marker,
 * prints the console; then lines "kvmrun: NAME VALUE". Status 0: the marker came, or the guest ended with 0.
 *
 * What is counted: the TSC of L1 from just before the first KVM_RUN to the OUT that completes the marker. In Bochs
 * the TSC counts instructions: of guest, KVM, this monitor, and whatever else L1 does meanwhile (its tick).
 * What isn't: idling. While the guest is halted, L1's processor halts, too, and the TSC goes on without
 * instructions. KVM's own statistics say for how long: halt_wait_ns (blocked) and halt_poll_*_ns (polling before it
 * blocks), which make all of kvm_vcpu_halt(). They are taken off as instructions at the TSC's rate.
 * That also takes off what L1's kernel executes to block and to wake up: the error is in KVM's favour.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#include "vmm.h"

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("kvmrun: failed: ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	exit(2);
}

int must(int result, const char *what)
{
	if (result < 0)
		fail("%s: %s", what, strerror(errno));
	return result;
}

static bool marker_printed(const struct machine *m)
{
	size_t n = m->marker ? strlen(m->marker) : 0;

	return n && m->console_used >= n && !memcmp(m->console + m->console_used - n, m->marker, n);
}

static void serve_io(struct machine *m)
{
	struct kvm_run *run = m->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count && !m->ended; i++, data += run->io.size) {
		uint32_t value = 0;

		if (run->io.direction == KVM_EXIT_IO_IN) {
			value = port_read(m, run->io.port, run->io.size);
			memcpy(data, &value, run->io.size);
			continue;
		}
		memcpy(&value, data, run->io.size);
		port_write(m, run->io.port, run->io.size, value);
		if (marker_printed(m))
			m->ended = true;
	}
}

/* To the marker or the guest's own end; what else KVM can't do itself ends the measurement. */
static void run(struct machine *m)
{
	while (!m->ended) {
		if (ioctl(m->vcpu, KVM_RUN, 0) < 0 && errno != EINTR)
			fail("KVM_RUN: %s", strerror(errno));
		switch (m->run->exit_reason) {
		case KVM_EXIT_IO:
			serve_io(m);
			break;
		case KVM_EXIT_MMIO:	/* nothing is there */
			if (!m->run->mmio.is_write)
				memset(m->run->mmio.data, 0xff, sizeof(m->run->mmio.data));
			break;
		case KVM_EXIT_INTR:
			break;
		default:
			fwrite(m->console, 1, m->console_used, stdout);
			fail("KVM_RUN gave exit reason %u, suberror %u", m->run->exit_reason,
			     m->run->internal.suberror);
		}
	}
}

static uint64_t halted_instructions(struct machine *m, const struct statistics *s)
{
	uint64_t ns = statistics_value(s, "halt_wait_ns") + statistics_value(s, "halt_poll_success_ns") +
		      statistics_value(s, "halt_poll_fail_ns");
	uint64_t khz = (uint64_t)must(ioctl(m->vcpu, KVM_GET_TSC_KHZ, 0), "KVM_GET_TSC_KHZ");

	return ns * khz / 1000000;
}

static int measure(struct machine *m)
{
	uint64_t start = __rdtsc(), all, halted;
	struct statistics *s;

	run(m);
	all = __rdtsc() - start;
	s = statistics_read(m->vcpu);
	halted = halted_instructions(m, s);
	/* In Bochs, a byte to the serial line is 35,000 instructions: only where it is the result, or says why. */
	if (!m->marker || !marker_printed(m))
		fwrite(m->console, 1, m->console_used, stdout);
	printf("kvmrun: instructions %llu\n", (unsigned long long)(all - halted));
	printf("kvmrun: halted %llu\n", (unsigned long long)halted);
	statistics_print(s);
	if (m->verdict || (m->marker && !marker_printed(m)))
		fail("the guest ended with %u%s", m->verdict, m->marker ? " before its marker" : "");
	return 0;
}

int main(int argc, char **argv)
{
	static struct machine m;
	struct vcpu_start start;
	const char *initrd = NULL, *append = "", *kernel = NULL;
	bool acpi = false;

	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (!strcmp(argv[i], "--ring")) {
			ring_report();
			return 0;
		} else if (!strcmp(argv[i], "--acpi")) {
			acpi = true;
		} else if (!strcmp(argv[i], "--initrd") && more) {
			initrd = argv[++i];
		} else if (!strcmp(argv[i], "--append") && more) {
			append = argv[++i];
		} else if (!strcmp(argv[i], "--until") && more) {
			m.marker = argv[++i];
		} else if (argv[i][0] == '-' || kernel) {
			fail("%s: unknown option", argv[i]);
		} else {
			kernel = argv[i];
		}
	}
	if (!kernel)
		fail("which kernel?");
	machine_create(&m);
	load_guest(&m, kernel, initrd, append, acpi, &start);
	machine_start(&m, &start);
	return measure(&m);
}
