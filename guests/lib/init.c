/*
 * init.c: what happens between start.S and main().
 */
#include "entry.h"
#include "guest.h"

#define PIC_MASTER_MASK 0x21
#define PIC_SLAVE_MASK  0xa1

static const struct multiboot_info *boot;

const struct multiboot_info *guest_boot(void)
{
	return boot;
}

static bool detect_vexit(void)
{
	struct cpuid id = cpuid(CPUID_HYPERVISOR, 0);

	return id.ebx == CPUID_SIGNATURE_EBX && id.ecx == CPUID_SIGNATURE_ECX &&
	       id.edx == CPUID_SIGNATURE_EDX;
}

/* A PC has 8259s, which its BIOS left delivering the PIT's tick as vector 8. vexit's machine has none. */
static void silence_pics(void)
{
	outb(PIC_MASTER_MASK, 0xff);
	outb(PIC_SLAVE_MASK, 0xff);
}

void guest_start(uint32_t magic, const struct multiboot_info *info)
{
	cpu_init(this_cpu(), 0);
	trap_init();
	console_init();
	under_vexit = detect_vexit();
	if (!under_vexit)
		silence_pics();
	if (magic != MULTIBOOT_LOADED) {
		printf("not started by a multiboot loader: EAX is %#x\n", magic);
		verdict(VERDICT_ERROR);
	}
	boot = info;
	if (info->flags & MULTIBOOT_INFO_CMDLINE)
		option_init((const char *)(uint64_t)info->cmdline);
	apic_init();
	verdict((uint32_t)main());
}
