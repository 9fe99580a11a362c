/*
 * rtc.c: the MC146818's registers, its running and standing still, and its three interrupts.
 *
 * Called by the port table and timers.c. The clock counts 32768 Hz from the VM's time 0. `second` began at
 * clock `origin`, and all else follows from these two: time of day, update-in-progress, and which events came
 * since `flags_since`. So nothing happens here unless a guest looks, or an interrupt that it enabled is due.
 * While a guest holds the clock still, the registers in `cmos` are the time.
 */
#include "dev/rtc.h"
#include "dev/clock.h"
#include "dev/irq.h"
#include "dev/pm.h"
#include "dev/rtc_time.h"
#include "dev/timers.h"
#include "platform.h"

#define RTC_HZ			32768
#define UPDATE_CLOCKS		8	/* UIP is set 244 µs before an update, which takes no time */

/* Register A */
#define A_UPDATING		(1u << 7)
#define A_RATE			0x0fu
#define A_DIVIDER_RESET		0x60u	/* both bits: the divider is held in reset */
/* Registers B (enable) and C (flags) have the interrupts at the same bits. */
#define B_SET			(1u << 7)
#define PERIODIC		(1u << 6)
#define ALARM			(1u << 5)
#define UPDATE			(1u << 4)
#define INTERRUPTS		(PERIODIC | ALARM | UPDATE)
#define C_INTERRUPT		(1u << 7)
#define D_VALID			(1u << 7)

/* CMOS memory as a PC's BIOS leaves it */
enum {
	CMOS_SUM_FROM = 0x10, CMOS_EQUIPMENT = 0x14, CMOS_BASE_KB = 0x15, CMOS_EXTENDED_KB = 0x17,
	CMOS_SUM = 0x2e, CMOS_EXTENDED_KB_FOUND = 0x30, CMOS_ABOVE_16M_64KB = 0x34,
};
#define EQUIPMENT_FPU		0x02

/* ---- Time ---- */

static uint64_t clock_at(const struct vm *vm, uint64_t now)
{
	return clock_ticks(vm, now, RTC_HZ);
}

static bool in_reset(uint8_t a)
{
	return (a & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

static bool is_stopped(uint8_t a, uint8_t b)
{
	return (b & B_SET) || in_reset(a);
}

static bool stopped(const struct rtc *r)
{
	return is_stopped(r->cmos[RTC_A], r->cmos[RTC_B]);
}

static uint64_t second_at(const struct rtc *r, uint64_t clock)
{
	return r->second + (clock - r->origin) / RTC_HZ;
}

/* Clocks between periodic interrupts; 0: none. MC146818, "Periodic Interrupt Rate", 32.768 kHz. */
static uint64_t period(const struct rtc *r)
{
	unsigned rate = r->cmos[RTC_A] & A_RATE;

	if (rate == 0 || in_reset(r->cmos[RTC_A]))
		return 0;
	return UINT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static struct rtc_alarm alarm_of(const struct rtc *r)
{
	return rtc_alarm_decode(r->cmos, r->cmos[RTC_B]);
}

/* ---- Events ---- */

/* Note in `flags` what happened up to `clock`. */
static void collect(struct vm *vm, struct world *w, unsigned self, uint64_t clock)
{
	struct rtc *r = &vm->rtc;
	uint64_t p = period(r), since = r->flags_since;
	uint8_t before = r->flags;

	if (p && (clock - r->origin) / p != (since - r->origin) / p)
		r->flags |= PERIODIC;
	if (!stopped(r)) {
		uint64_t from = second_at(r, since), to = second_at(r, clock);
		struct rtc_alarm alarm = alarm_of(r);

		if (from != to)
			r->flags |= UPDATE;
		if (from != to && rtc_alarm_next(&alarm, from) <= to)
			r->flags |= ALARM;
	}
	r->flags_since = clock;
	vm_touch(vm, VM_DEVICE_RTC);
	if (r->flags & ~before & r->cmos[RTC_B] & ALARM)
		pm_event(vm, w, self, PM1_RTC);
}

/* Differences from `clock`, since a clock may have wrapped: `origin` can lie before the VM's time 0. */
static void earlier(uint64_t *next, uint64_t clock, uint64_t candidate)
{
	if (candidate - clock < *next - clock)
		*next = candidate;
}

/* The clock of the next interrupt after `clock`; `clock` itself: there is none. */
static uint64_t next_interrupt(const struct rtc *r, uint64_t clock)
{
	uint8_t enabled = r->cmos[RTC_B] & INTERRUPTS;
	uint64_t p = period(r), into = clock - r->origin, never = clock - 1, next = never, alarm_at;
	struct rtc_alarm alarm = alarm_of(r);

	if ((enabled & PERIODIC) && p)
		earlier(&next, clock, r->origin + (into / p + 1) * p);
	if ((enabled & UPDATE) && !stopped(r))
		earlier(&next, clock, r->origin + (into / RTC_HZ + 1) * RTC_HZ);
	if ((enabled & ALARM) && !stopped(r)) {
		alarm_at = rtc_alarm_next(&alarm, second_at(r, clock));
		if (alarm_at != UINT64_MAX)
			earlier(&next, clock, r->origin + (alarm_at - r->second) * RTC_HZ);
	}
	return next == never ? clock : next;
}

/* Flags, enables or time changed: the interrupt line, and when it rises next. It is up until C is read. */
static void update(struct vm *vm, struct world *w, unsigned self, uint64_t clock)
{
	struct rtc *r = &vm->rtc;
	bool line = r->flags & r->cmos[RTC_B] & INTERRUPTS;
	uint64_t next = line ? clock : next_interrupt(r, clock);

	r->deadline = next == clock ? TIME_NONE : clock_time(vm, next, RTC_HZ);
	vm_touch(vm, VM_DEVICE_RTC);
	irq_set(vm, w, self, IRQ_RTC, line);
	timers_update(vm);
}

void rtc_expire(struct vm *vm, struct world *w, unsigned self, uint64_t now)
{
	uint64_t clock = clock_at(vm, now);

	collect(vm, w, self, clock);
	update(vm, w, self, clock);
}

/* ---- Registers ---- */

static uint8_t time_read(const struct rtc *r, unsigned address, uint64_t clock)
{
	uint8_t registers[RTC_CENTURY + 1];

	if (stopped(r))
		return r->cmos[address];
	rtc_time_encode(registers, r->cmos[RTC_B], second_at(r, clock));
	return registers[address];
}

/* Reading it is what lowers the interrupt line. */
static uint8_t flags_read(const struct port_access *a, uint64_t clock)
{
	struct rtc *r = &a->vm->rtc;
	uint8_t flags;

	collect(a->vm, a->w, a->self, clock);
	flags = r->flags | (r->flags & r->cmos[RTC_B] & INTERRUPTS ? C_INTERRUPT : 0);
	r->flags = 0;
	update(a->vm, a->w, a->self, clock);
	return flags;
}

static uint8_t a_read(const struct rtc *r, uint64_t clock)
{
	bool soon = (clock - r->origin) % RTC_HZ >= RTC_HZ - UPDATE_CLOCKS;

	return r->cmos[RTC_A] | (soon && !stopped(r) ? A_UPDATING : 0);
}

/* A and B together say whether the clock runs. */
static void control_write(struct rtc *r, uint8_t a, uint8_t b, uint64_t clock)
{
	bool was_reset = in_reset(r->cmos[RTC_A]), was_stopped = stopped(r), stops = is_stopped(a, b);

	if (!was_stopped && stops)
		rtc_time_encode(r->cmos, r->cmos[RTC_B], second_at(r, clock));
	/* MC146818: the first update comes half a second after the divider is let go. */
	if (was_reset && !in_reset(a))
		r->origin = clock - RTC_HZ / 2;
	else if (was_stopped && !stops)
		r->origin = clock - (clock - r->origin) % RTC_HZ;
	if (was_stopped && !stops)
		r->second = rtc_time_decode(r->cmos, b);
	r->cmos[RTC_A] = a;
	r->cmos[RTC_B] = b & B_SET ? b & ~UPDATE : b;
}

static void time_write(struct rtc *r, unsigned address, uint8_t value, uint64_t clock)
{
	uint64_t origin = clock - (clock - r->origin) % RTC_HZ;

	if (stopped(r)) {
		r->cmos[address] = value;
		return;
	}
	rtc_time_encode(r->cmos, r->cmos[RTC_B], second_at(r, clock));
	r->cmos[address] = value;
	r->second = rtc_time_decode(r->cmos, r->cmos[RTC_B]);
	r->origin = origin;
}

static void register_write(struct rtc *r, unsigned address, uint8_t value, uint64_t clock)
{
	if (rtc_is_time(address))
		time_write(r, address, value, clock);
	else if (address == RTC_A)
		control_write(r, value & ~A_UPDATING, r->cmos[RTC_B], clock);
	else if (address == RTC_B)
		control_write(r, r->cmos[RTC_A], value, clock);
	else if (address != RTC_C && address != RTC_D)
		r->cmos[address] = value;
}

/* ---- Ports ---- */

uint32_t rtc_index_read(const struct port_access *a)
{
	(void)a;
	return 0xff;
}

void rtc_index_write(const struct port_access *a, uint32_t value)
{
	/* Bit 7 masks NMIs, of which the board makes none. */
	a->vm->rtc.index = value & (RTC_CMOS - 1);
	vm_touch(a->vm, VM_DEVICE_RTC);
}

uint32_t rtc_data_read(const struct port_access *a)
{
	const struct rtc *r = &a->vm->rtc;
	unsigned address = r->index & (RTC_CMOS - 1);
	uint64_t clock = clock_at(a->vm, a->now);

	if (rtc_is_time(address))
		return time_read(r, address, clock);
	switch (address) {
	case RTC_A: return a_read(r, clock);
	case RTC_C: return flags_read(a, clock);
	case RTC_D: return D_VALID;
	default: return r->cmos[address];
	}
}

void rtc_data_write(const struct port_access *a, uint32_t value)
{
	unsigned address = a->vm->rtc.index & (RTC_CMOS - 1);
	uint64_t clock = clock_at(a->vm, a->now);

	collect(a->vm, a->w, a->self, clock);
	register_write(&a->vm->rtc, address, (uint8_t)value, clock);
	update(a->vm, a->w, a->self, clock);
}

/* ---- Power-on ---- */

static void put_word(uint8_t *cmos, unsigned address, uint64_t value)
{
	cmos[address] = (uint8_t)value;
	cmos[address + 1] = (uint8_t)(value >> 8);
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

/* Where firmware tells a guest without a better source how much memory there is. */
static void describe_memory(uint8_t *cmos, uint64_t bytes)
{
	uint64_t kb = bytes >> 10, extended = kb > 1024 ? kb - 1024 : 0, above = kb > 16384 ? kb - 16384 : 0;
	uint32_t sum = 0;

	put_word(cmos, CMOS_BASE_KB, 640);
	put_word(cmos, CMOS_EXTENDED_KB, at_most(extended, 63 << 10));
	put_word(cmos, CMOS_EXTENDED_KB_FOUND, at_most(extended, 63 << 10));
	put_word(cmos, CMOS_ABOVE_16M_64KB, at_most(above >> 6, UINT16_MAX));
	cmos[CMOS_EQUIPMENT] = EQUIPMENT_FPU;
	for (unsigned i = CMOS_SUM_FROM; i < CMOS_SUM; i++)
		sum += cmos[i];
	cmos[CMOS_SUM] = (uint8_t)(sum >> 8);	/* this one word has its high byte first */
	cmos[CMOS_SUM + 1] = (uint8_t)sum;
}

void rtc_reset(struct vm *vm)
{
	struct rtc *r = &vm->rtc;

	*r = (struct rtc){ .second = vm->config.rtc_start, .deadline = TIME_NONE };
	r->cmos[RTC_A] = 0x26;			/* 32.768 kHz, 1024 periodic interrupts a second */
	r->cmos[RTC_B] = RTC_B_24_HOURS;
	describe_memory(r->cmos, vm->config.memory_size);
}
