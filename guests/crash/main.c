/*
 * crash: ends, or doesn't, in the way that its option says. To see how the hypervisor and its tools take it.
 *
 *     triple      triple fault (an exception without an IDT)
 *     reset       reset by port 0xcf9; reset=8042 by the keyboard controller, =line by its output port, =fast by port 0x92
 *     poweroff    power-off by port 0x604
 *     verdict=N   N to the debug-exit port
 *     hlt         CLI, HLT: nothing can wake it
 *     flood       prints forever, by REP OUTSB of 4 KiB
 *     header      prints bytes that pass for a trace's frame header (session=N, else 0), then verdict 0
 *     badvmcall   VMCALL in ring 3 must give EPERM, and hypercalls with pointers at the edges EFAULT
 *     ud-vmx      VMX instructions must give #UD
 *     taskswitch  hardware task switch, which a hypervisor must emulate or refuse; verdict 0 if it was made
 *     hole        reads and writes guest-physical addresses and ports where nothing is, then verdict 0
 *     badcr3      CR3 to memory that doesn't exist: a PC triple-faults, a hypervisor may refuse to go on
 *
 * Exits: the above; I/O instructions for the console.
 * Verdicts: as listed; 2 without a known option.
 */
#include "crash.h"

static void crash_triple(void)
{
	struct descriptor_table none = { 0, 0 };

	asm volatile("lidt %0; ud2" : : "m"(none));
}

static void reset_control(void)
{
	outb(PORT_RESET, 0x02); /* a hard reset is asked for … */
	outb(PORT_RESET, 0x06); /* … and made by the rising edge of bit 2 */
}

static void reset_pulse(void)
{
	outb(PORT_8042, 0xfe); /* pulse output line 0 */
}

static void reset_line(void)
{
	outb(PORT_8042, 0xd1); /* what comes next is for the output port, whose bit 0 is the reset line */
	outb(PORT_8042 - 4, 0xfe);
}

static void reset_fast(void)
{
	outb(PORT_FAST_RESET, inb(PORT_FAST_RESET) | 1);
}

static void crash_reset(void)
{
	const char *by = option_string("reset");

	if (!strcmp(by, "8042"))
		reset_pulse();
	else if (!strcmp(by, "line"))
		reset_line();
	else if (!strcmp(by, "fast"))
		reset_fast();
	else
		reset_control();
}

static void crash_power_off(void)
{
	outw(PORT_POWER_OFF, PORT_POWER_OFF_VALUE);
}

static void crash_verdict(void)
{
	verdict((uint32_t)option_number("verdict", VERDICT_SUCCESS));
}

static void crash_halt(void)
{
	asm volatile("cli; hlt");
}

static void crash_flood(void)
{
	static char text[4096];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 64 == 63 ? '\n' : (char)('0' + i % 64);
	for (;;)
		console_write(CONSOLE_REP_OUTSB, text, sizeof(text));
}

static void crash_header(void)
{
	crash_print_header(option_number("session", 0));
	verdict(VERDICT_SUCCESS);
}

static uint64_t vmcall_in_user_mode(void)
{
	return (uint64_t)hypercall(HYPERCALL_NOP, 0, 0, 0, 0);
}

static void crash_bad_vmcall(void)
{
	static const uint64_t edges[] = {
		0x00007ffffffffff8, 0x00007fffffffffff, 0x0000800000000000, 0xffff7fffffffffff,
		0xffff800000000000, 0xfffffffffffffff8, 0xffffffffffffffff, WINDOW - 1, WINDOW, 0xfffffff8,
	};

	if (!under_vexit)
		verdict(VERDICT_SKIP);
	test_equal("VMCALL in ring 3", user_run(vmcall_in_user_mode), (uint64_t)HYPERCALL_EPERM);
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		int64_t got = hypercall(HYPERCALL_PRINT, edges[i], 16, 0, 0);

		CHECK(got == HYPERCALL_EFAULT, "hypercall PRINT at %#lx: got %ld", edges[i], got);
	}
	verdict((uint32_t)test_result("crash", "bad VMCALLs, "));
}

static void crash_ud_vmx(void)
{
	if (!test_vmx_undefined())
		verdict(VERDICT_SKIP);
	verdict((uint32_t)test_result("crash", "VMX instructions, "));
}

static void crash_hole(void)
{
	volatile uint32_t *hole = (volatile uint32_t *)0xd8000000;

	*hole = 0x12345678;
	printf("crash: nothing at %p reads as %#x, port 0x1234 as %#x\n", (void *)hole, *hole, inb(0x1234));
	outb(0x1234, 0x56);
	verdict(VERDICT_SUCCESS);
}

static void crash_bad_cr3(void)
{
	write_cr3(0x7fffff000);
}

static const struct {
	const char *option;
	void (*crash)(void);
} crashes[] = {
	{ "triple", crash_triple },
	{ "reset", crash_reset },
	{ "poweroff", crash_power_off },
	{ "verdict", crash_verdict },
	{ "hlt", crash_halt },
	{ "flood", crash_flood },
	{ "header", crash_header },
	{ "badvmcall", crash_bad_vmcall },
	{ "ud-vmx", crash_ud_vmx },
	{ "taskswitch", crash_task_switch },
	{ "hole", crash_hole },
	{ "badcr3", crash_bad_cr3 },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
		if (!option_given(crashes[i].option))
			continue;
		printf("crash: %s\n", crashes[i].option);
		crashes[i].crash();
		printf("crash: still here after %s\n", crashes[i].option);
		return VERDICT_FAILURE;
	}
	printf("crash: say how on the command line (guests/crash/main.c lists the ways)\n");
	return VERDICT_ERROR;
}
