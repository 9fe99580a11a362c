/*
 * host.c: the block at %gs:0.
 *
 * entry.S keeps the host's stack pointer in its first word while a guest runs. One processor, one block.
 */
#include "boot/x86.h"
#include "vmx/host.h"

static struct {
	uint64_t rsp;		/* %gs:0, entry.S */
} host;

void host_init(void)
{
	x86_wrmsr(X86_MSR_GS_BASE, host_gs_base());
}

uint64_t host_gs_base(void)
{
	return (uint64_t)&host;
}
