/*
 * rtc_time.h: seconds since 1970 as the registers of an MC146818, and back.
 *
 * Pure arithmetic: the modes come from register B, and no value of a register is refused.
 */
#ifndef VEXIT_DEV_RTC_TIME_H
#define VEXIT_DEV_RTC_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Addresses in the MC146818's RAM. The century is where the FADT says. */
enum {
	RTC_SECOND, RTC_SECOND_ALARM, RTC_MINUTE, RTC_MINUTE_ALARM, RTC_HOUR, RTC_HOUR_ALARM,
	RTC_WEEKDAY, RTC_DAY, RTC_MONTH, RTC_YEAR,
	RTC_A, RTC_B, RTC_C, RTC_D,
	RTC_CENTURY = 0x32,
};

#define RTC_B_24_HOURS	(1u << 1)
#define RTC_B_BINARY	(1u << 2)

/* Whether `address` holds part of the time of day: not the alarm. */
bool rtc_is_time(unsigned address);

/* Fill the time's registers in `cmos`, in the form that `b` asks for; and read them. */
void rtc_time_encode(uint8_t *cmos, uint8_t b, uint64_t seconds);
uint64_t rtc_time_decode(const uint8_t *cmos, uint8_t b);

#define RTC_ANY 0xff	/* an alarm's part that matches always */

/* An alarm's registers as numbers, in 24 hours; RTC_ANY for "don't care" codes. */
struct rtc_alarm {
	uint8_t hour, minute, second;
};

struct rtc_alarm rtc_alarm_decode(const uint8_t *cmos, uint8_t b);

/* The first second after `second` that the alarm matches, or UINT64_MAX: it never does. */
uint64_t rtc_alarm_next(const struct rtc_alarm *alarm, uint64_t second);

#endif
