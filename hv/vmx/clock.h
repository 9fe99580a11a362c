/* clock.h: the time of day of the machine that the hypervisor runs on. */
#ifndef VMX_CLOCK_H
#define VMX_CLOCK_H

#include <stdint.h>

/* Seconds since 1970 by this machine's CMOS clock, taken as UTC. Its time zone isn't known. */
uint64_t clock_time_of_day(void);

#endif
