/*
 * clock.c: reads the machine's MC146818, once, before the guest starts.
 *
 * Called by vmx_main() when no option gives the time. The guest's own clock is hv/dev/rtc.c.
 */
#include "boot/x86.h"
#include "dev/rtc_time.h"
#include "vmx/clock.h"

#define PORT_INDEX	0x70
#define PORT_DATA	0x71
#define UPDATING	(1u << 7)
#define WAIT_READS	1000000u	/* an update takes 2 ms; without a clock it reads all ones for ever */

static uint8_t cmos_read(uint8_t address)
{
	x86_out8(PORT_INDEX, address);
	return x86_in8(PORT_DATA);
}

uint64_t clock_time_of_day(void)
{
	uint8_t cmos[RTC_CENTURY + 1] = { 0 };

	for (unsigned i = 0; i < WAIT_READS && (cmos_read(RTC_A) & UPDATING); i++)
		;
	/* MC146818: what is read within 244 µs after UIP was seen clear belongs together. */
	for (uint8_t address = 0; address <= RTC_CENTURY; address++)
		if (rtc_is_time(address))
			cmos[address] = cmos_read(address);
	return rtc_time_decode(cmos, cmos_read(RTC_B));
}
