/*
 * main.c: from long mode to vmx_main(): UARTs, fault reports, page protections, what the loader and the
 * command line say, memory.
 *
 * Called by head.S on the boot stack, interrupts off.
 */
#include "boot/boot.h"
#include "boot/log.h"
#include "boot/memory.h"
#include "boot/paging.h"
#include "boot/serial.h"
#include "boot/tables.h"
#include "boot/x86.h"

#define PIC_MASTER_MASK	0x21
#define PIC_SLAVE_MASK	0xa1

noreturn void boot_main(uint32_t magic, uint32_t info);

/*
 * The hypervisor takes no interrupts, and one that arrived while a guest runs would only cost it an exit:
 * GRUB leaves the BIOS's timer and keyboard enabled.
 */
static void mask_interrupts(void)
{
	x86_out8(PIC_MASTER_MASK, 0xff);
	x86_out8(PIC_SLAVE_MASK, 0xff);
}

void boot_main(uint32_t magic, uint32_t info)
{
	static struct boot boot;

	serial_init();
	tables_init();
	paging_init();
	mask_interrupts();
	log_print("vexit: hypervisor started\n");
	multiboot2_parse(magic, info, &boot.loader);
	log_print("vexit: command line: %s\n", boot.loader.command_line);
	options_parse(boot.loader.command_line, &boot.options);
	/*
	 * A recorder's session: the log is a socket, which Bochs asks for input once in the time of a
	 * character. At 115200 baud and the recorder's `ips` that is a system call every 87 instructions,
	 * which makes all else a third slower. The console is one only where input is wanted.
	 */
	if (boot.options.session) {
		serial_set_divisor(&serial_log, SOCKET_DIVISOR);
		if (boot.options.console_input)
			serial_set_divisor(&serial_console, SOCKET_DIVISOR);
	}
	memory_init(&boot.loader);
	if (!boot.loader.modules)
		log_host_error("no guest: the first module2 of the boot loader's entry is the guest");
	vmx_main(&boot);
}
