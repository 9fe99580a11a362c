/*
 * work.c: the one program of the Linux guest that is not BusyBox: what its shell can't do. Called by init.
 *
 *   work mark       "up", with the TSC at that moment and the time spent idle so far; an OUT of MARK to port 0x80
 *                   shows the same moment to a hypervisor
 *   work storm N    about N VM exits, by CPUID, port reads, console output and timers
 *   work spin       a loop without a system call
 *   work drain      wait until the console's last byte is out (powering off doesn't wait)
 *
 * Without a C library (the initramfs stays small, and so does the time to unpack it): it must use nothing
 * but Linux's system calls.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYS_READ	0
#define SYS_WRITE	1
#define SYS_OPEN	2
#define SYS_IOCTL	16
#define SYS_NANOSLEEP	35
#define SYS_EXIT	60
#define SYS_IOPL	172

#define TCSBRK		0x5409	/* with an argument that isn't 0: tcdrain() */

#define MARK_PORT	0x80	/* the PC's POST code port: harmless on every machine */
#define MARK		0x4d

static long system_call(long number, long a, long b, long c)
{
	long result;

	asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static void write_bytes(const char *text, size_t size)
{
	while (size) {
		long written = system_call(SYS_WRITE, 1, (long)text, (long)size);

		if (written <= 0)
			return;
		text += written;
		size -= (size_t)written;
	}
}

/* Print the strings up to a NULL, in one write: other output can't get between. */
static void say(const char *text, ...)
{
	char line[256];
	size_t used = 0;
	va_list list;

	va_start(list, text);
	for (; text; text = va_arg(list, const char *))
		while (*text && used < sizeof(line))
			line[used++] = *text++;
	va_end(list);
	write_bytes(line, used);
}

/* `value` in decimal, into `text`, which has room for 21 bytes. */
static const char *decimal(uint64_t value, char *text)
{
	char *digit = text + 20;

	*digit = 0;
	do
		*--digit = (char)('0' + value % 10);
	while (value /= 10);
	return digit;
}

static uint64_t parse(const char *text)
{
	uint64_t value = 0;

	while (*text >= '0' && *text <= '9')
		value = value * 10 + (uint64_t)(*text++ - '0');
	return value;
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline uint8_t in_byte(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "d"(port));
	return value;
}

static inline void cpuid(uint32_t leaf)
{
	uint32_t subleaf = 0, b, d;

	asm volatile("cpuid" : "+a"(leaf), "+c"(subleaf), "=b"(b), "=d"(d));
}

/*
 * Nanoseconds that all processors have been idle, by the kernel's own account. An interrupt taken from HLT
 * counts as busy; the instructions of the idle loop itself, some dozens each time, count as idle.
 */
static uint64_t idle_time(void)
{
	static const char name[] = "idle_sleeptime";
	static char buffer[65536];
	long file = system_call(SYS_OPEN, (long)"/proc/timer_list", 0, 0), got;
	size_t size = 0, matched = 0;
	uint64_t sum = 0;

	while (size + 1 < sizeof(buffer) &&
	       (got = system_call(SYS_READ, file, (long)(buffer + size), (long)(sizeof(buffer) - 1 - size))) > 0)
		size += (size_t)got;
	for (size_t i = 0; i < size; i++) {
		matched = buffer[i] == name[matched] ? matched + 1 : buffer[i] == name[0];
		if (matched < sizeof(name) - 1)
			continue;
		while (i < size && (buffer[i] < '0' || buffer[i] > '9'))
			i++;
		sum += parse(buffer + i);
		matched = 0;
	}
	return sum;
}

static void mark(void)
{
	char tsc_text[21], idle_text[21];
	uint64_t idle = idle_time(), tsc;

	system_call(SYS_IOPL, 3, 0, 0);
	tsc = read_tsc();
	asm volatile("outb %0, %1" : : "a"((uint8_t)MARK), "i"(MARK_PORT));
	say("vexit-linux: up tsc=", decimal(tsc, tsc_text), " idle_ns=", decimal(idle, idle_text), "\n", NULL);
}

/* What a round of the storm does: every kind of exit in turn, the cheap ones oftener. */
#define SLEEP_EVERY	16
#define LINE_EVERY	16
#define SLEEP_NS	20000

static const uint32_t leaves[] = { 0, 1, 7, 0xd, 0x16, 0x40000000, 0x80000000, 0x80000008 };
/* PIT gate, 8259 masks, CMOS data, keyboard status, UART line status, PCI data, two that nothing answers. */
static const uint16_t ports[] = { 0x61, 0x21, 0xa1, 0x71, 0x64, 0x3fd, 0xcfc, 0x2e0, 0x5658 };
static const char line[] = "storm: 0123456789 abcdefghijklmnop\n";

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void storm(uint64_t wanted)
{
	static const int64_t pause[2] = { 0, SLEEP_NS };	/* struct timespec */
	uint64_t cpuids = 0, reads = 0, bytes = 0, sleeps = 0;
	char text[5][21];

	system_call(SYS_IOPL, 3, 0, 0);
	for (uint64_t round = 1; cpuids + reads + bytes + sleeps < wanted; round++) {
		for (size_t i = 0; i < COUNT(leaves); i++, cpuids++)
			cpuid(leaves[i]);
		for (size_t i = 0; i < COUNT(ports); i++, reads++)
			in_byte(ports[i]);
		if (round % LINE_EVERY == 0) {
			write_bytes(line, sizeof(line) - 1);
			bytes += sizeof(line);	/* the terminal puts a CR before the LF */
		}
		if (round % SLEEP_EVERY == 0) {
			system_call(SYS_NANOSLEEP, (long)pause, 0, 0);
			sleeps++;
		}
	}
	say("vexit-linux: storm over: ", decimal(cpuids, text[0]), " CPUID, ", decimal(reads, text[1]), " port reads, ",
	    decimal(bytes, text[2]), " console bytes, ", decimal(sleeps, text[3]), " sleeps\n", NULL);
}

/* Entered from _start with the stack as the kernel made it: argc, argv[], NULL, … */
__attribute__((noreturn)) void work_main(const uint64_t *stack);
void work_main(const uint64_t *stack)
{
	const char *const *argv = (const char *const *)(stack + 1);
	bool known = true;

	if (stack[0] == 2 && same(argv[1], "mark"))
		mark();
	else if (stack[0] == 3 && same(argv[1], "storm"))
		storm(parse(argv[2]));
	else if (stack[0] == 2 && same(argv[1], "spin"))
		for (;;)
			asm volatile("");
	else if (stack[0] == 2 && same(argv[1], "drain"))
		system_call(SYS_IOCTL, 1, TCSBRK, 1);
	else
		known = false;
	if (!known)
		say("usage: work mark | storm N | spin | drain\n", NULL);
	system_call(SYS_EXIT, known ? 0 : 2, 0, 0);
	__builtin_unreachable();
}

asm(".globl _start\n"
    "_start:\n"
    "	mov %rsp, %rdi\n"
    "	and $-16, %rsp\n"
    "	call work_main\n");
