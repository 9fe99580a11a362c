/* options.h: the hypervisor's command line. */
#ifndef BOOT_OPTIONS_H
#define BOOT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/frame.h"

struct options {
	uint64_t session;	/* session=N: the trace's id; 0 = the hypervisor makes one */
	uint64_t vcpus;		/* vcpus=N */
	uint64_t memory_mib;	/* mem=MIB: the guest's memory */
	uint64_t tsc_khz;	/* tsc_khz=N: what the guest is told */
	uint64_t rtc;		/* rtc=SECONDS: the guest's clock at power-on, since 1970 UTC; 0: as the device resets */
	uint64_t zstd;		/* zstd=N: level of compression; 0 = by what a frame holds */
	enum trace_level trace;	/* trace=full|touched|off */
	bool check_snapshot;	/* check-snapshot: every exit reads all fields and compares the known ones */
	bool host_random;	/* host-random: the guest may have RDRAND and RDSEED */
	bool console_input;	/* console-input: somebody types at the other end of the console */
	bool hide_tracing_time;	/* hide-tracing-time: the guest's TSC leaves out what the tracer took */
};

/* Ends the run with a host error that names the word it doesn't understand. */
void options_parse(const char *command_line, struct options *o);

#endif
