/*
 * rtc_time.c: the calendar: what an MC146818 counts, as numbers, in BCD or binary, in 12 or 24 hours.
 *
 * Called by rtc.c. The day of the week follows from the date: a guest's own idea of it isn't kept.
 */
#include "dev/rtc_time.h"

#define DAY		86400u
#define HOUR_PM		(1u << 7)	/* in 12-hour mode */
#define ANY_CODE	0xc0		/* MC146818: alarm values from here on match always */

bool rtc_is_time(unsigned address)
{
	switch (address) {
	case RTC_SECOND: case RTC_MINUTE: case RTC_HOUR: case RTC_WEEKDAY: case RTC_DAY: case RTC_MONTH:
	case RTC_YEAR: case RTC_CENTURY:
		return true;
	default:
		return false;
	}
}

/* ---- The form of a register ---- */

static uint8_t encode(uint32_t n, uint8_t b)
{
	return (uint8_t)(b & RTC_B_BINARY ? n : n / 10 % 10 << 4 | n % 10);
}

static uint32_t decode(uint8_t byte, uint8_t b)
{
	return b & RTC_B_BINARY ? byte : (byte >> 4) * 10u + (byte & 15);
}

/* 12-hour mode: 12, 1, 2 … 11, twice. */
static uint8_t encode_hour(uint32_t hour, uint8_t b)
{
	if (b & RTC_B_24_HOURS)
		return encode(hour, b);
	return encode((hour + 11) % 12 + 1, b) | (hour >= 12 ? HOUR_PM : 0);
}

static uint32_t decode_hour(uint8_t byte, uint8_t b)
{
	if (b & RTC_B_24_HOURS)
		return decode(byte, b);
	return decode(byte & ~HOUR_PM, b) % 12 + (byte & HOUR_PM ? 12 : 0);
}

/* ---- The calendar: days since 1970. Years count from March, so that the leap day is their last ---- */

struct date {
	uint32_t year, month, day;
};

static uint64_t days_of(struct date d)
{
	uint64_t year = d.year - (d.month <= 2), era = year / 400, of_era = year % 400;
	uint32_t of_year = (153 * ((d.month + 9) % 12) + 2) / 5 + d.day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct date date_of(uint64_t days)
{
	uint64_t since = days + 719468, era = since / 146097;
	uint32_t of_era = (uint32_t)(since % 146097);
	uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * of_year + 2) / 153;

	return (struct date){
		.year = (uint32_t)(year + era * 400) + (month >= 10),
		.month = (month + 2) % 12 + 1,
		.day = of_year - (153 * month + 2) / 5 + 1,
	};
}

void rtc_time_encode(uint8_t *cmos, uint8_t b, uint64_t seconds)
{
	struct date date = date_of(seconds / DAY);
	uint32_t of_day = (uint32_t)(seconds % DAY);

	cmos[RTC_SECOND] = encode(of_day % 60, b);
	cmos[RTC_MINUTE] = encode(of_day / 60 % 60, b);
	cmos[RTC_HOUR] = encode_hour(of_day / 3600, b);
	/* 1970 began on a Thursday; 1 is Sunday. */
	cmos[RTC_WEEKDAY] = encode((uint32_t)((seconds / DAY + 4) % 7) + 1, b);
	cmos[RTC_DAY] = encode(date.day, b);
	cmos[RTC_MONTH] = encode(date.month, b);
	cmos[RTC_YEAR] = encode(date.year % 100, b);
	cmos[RTC_CENTURY] = encode(date.year / 100 % 100, b);
}

uint64_t rtc_time_decode(const uint8_t *cmos, uint8_t b)
{
	struct date date = {
		.year = decode(cmos[RTC_CENTURY], b) * 100 + decode(cmos[RTC_YEAR], b),
		.month = decode(cmos[RTC_MONTH], b),
		.day = decode(cmos[RTC_DAY], b),
	};
	uint64_t seconds = decode_hour(cmos[RTC_HOUR], b) * 3600 + decode(cmos[RTC_MINUTE], b) * 60 +
			   decode(cmos[RTC_SECOND], b);

	if (date.year < 1970)
		date.year = 1970;
	if (date.month < 1 || date.month > 12)
		date.month = 1;
	if (date.day < 1)
		date.day = 1;
	return days_of(date) * DAY + seconds;
}

/* ---- The alarm ---- */

struct rtc_alarm rtc_alarm_decode(const uint8_t *cmos, uint8_t b)
{
	uint8_t hour = cmos[RTC_HOUR_ALARM], minute = cmos[RTC_MINUTE_ALARM], second = cmos[RTC_SECOND_ALARM];

	return (struct rtc_alarm){
		.hour = hour >= ANY_CODE ? RTC_ANY : (uint8_t)decode_hour(hour, b),
		.minute = minute >= ANY_CODE ? RTC_ANY : (uint8_t)decode(minute, b),
		.second = second >= ANY_CODE ? RTC_ANY : (uint8_t)decode(second, b),
	};
}

static bool possible(uint8_t part, unsigned count)
{
	return part == RTC_ANY || part < count;
}

static bool matches(uint8_t part, uint64_t value)
{
	return part == RTC_ANY || part == value;
}

uint64_t rtc_alarm_next(const struct rtc_alarm *alarm, uint64_t second)
{
	uint64_t end = second + DAY;

	if (!possible(alarm->hour, 24) || !possible(alarm->minute, 60) || !possible(alarm->second, 60))
		return UINT64_MAX;
	/* Over whole hours and minutes that don't match: at most some 200 looks. */
	for (uint64_t t = second + 1; t <= end;) {
		if (!matches(alarm->hour, t / 3600 % 24))
			t += 3600 - t % 3600;
		else if (!matches(alarm->minute, t / 60 % 60))
			t += 60 - t % 60;
		else if (!matches(alarm->second, t % 60))
			t++;
		else
			return t;
	}
	return UINT64_MAX;
}
