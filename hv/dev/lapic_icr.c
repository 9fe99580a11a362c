/*
 * lapic_icr.c: interrupt commands: who is meant, and what reaches them (SDM, "Issuing Interprocessor
 * Interrupts").
 *
 * Called by lapic.c for a write to the ICR's low half. INIT and SIPI are only noted in the target's struct
 * vm_cpu: its next entry step acts on them.
 */
#include "dev/lapic.h"
#include "dev/lapic_icr.h"
#include "dev/vm_state.h"

#define ICR_VECTOR		0xffu
#define ICR_MODE		(7u << 8)
#define ICR_LOGICAL		(1u << 11)
#define ICR_ASSERT		(1u << 14)
#define ICR_LEVEL		(1u << 15)
#define ICR_SHORTHAND		(3u << 18)
#define ICR_SELF		(1u << 18)
#define ICR_ALL			(2u << 18)
#define ICR_OTHERS		(3u << 18)
#define ICR_WRITABLE		0xccfffu
#define BROADCAST		0xffu
#define DFR_FLAT		0xf

/* SDM, "Logical Destination Mode" */
static bool matches_logical(const struct lapic *l, uint32_t destination)
{
	uint32_t logical = l->ldr >> 24;

	if (l->dfr >> 28 == DFR_FLAT)
		return logical & destination;
	/* Cluster model: the high four bits name the cluster, or all of them by 15. */
	return (destination >> 4 == 15 || destination >> 4 == logical >> 4) && (destination & logical & 15);
}

static bool addressed(const struct vm *vm, unsigned self, unsigned target, uint32_t command)
{
	const struct vm_cpu *cpu = &vm->cpu[target];
	uint32_t destination = vm->cpu[self].lapic.icr_high >> 24;

	if (!lapic_enabled(cpu))
		return false;
	switch (command & ICR_SHORTHAND) {
	case ICR_SELF: return target == self;
	case ICR_ALL: return true;
	case ICR_OTHERS: return target != self;
	default: break;
	}
	if (command & ICR_LOGICAL)
		return matches_logical(&cpu->lapic, destination);
	return destination == BROADCAST || destination == cpu->lapic.id >> 24;
}

static void send(struct vm *vm, struct world *w, unsigned self, unsigned target, uint32_t command)
{
	struct vm_cpu *cpu = &vm->cpu[target];

	switch (command & ICR_MODE) {
	case ICR_MODE_FIXED:
	case ICR_MODE_LOWEST:
		lapic_request(vm, w, self, target, command & ICR_VECTOR);
		return;
	case ICR_MODE_NMI:
		cpu->nmi_pending = 1;
		break;
	case ICR_MODE_INIT:
		cpu->init_pending = 1;
		cpu->sipi_pending = 0;
		break;
	case ICR_MODE_SIPI:
		/*
		 * A processor that doesn't wait for it, or won't after an INIT on its way, takes no notice.
		 */
		if (cpu->activity != CPU_WAIT_SIPI && !cpu->init_pending)
			return;
		/* The first one counts: software sends two. */
		if (cpu->sipi_pending)
			return;
		cpu->sipi_pending = (command & ICR_VECTOR) + 1;
		break;
	default:	/* SMI: there is no SMM. Reserved: nothing. */
		return;
	}
	lapic_notify(vm, w, self, target);
}

/* SDM, "Lowest Priority Delivery Mode": of the addressed, the one whose processor priority is lowest. */
static int lowest_priority(const struct vm *vm, unsigned self, uint32_t command)
{
	uint32_t best = UINT32_MAX;
	int found = -1;

	for (unsigned i = 0; i < vm_cpus(vm); i++) {
		uint32_t ppr = lapic_ppr(&vm->cpu[i].lapic);

		if (!addressed(vm, self, i, command) || !(vm->cpu[i].lapic.svr & SVR_ENABLE) || ppr >= best)
			continue;
		best = ppr;
		found = (int)i;
	}
	return found;
}

/*
 * SDM, "Interrupt Command Register (ICR)", table "Valid Combinations": to itself only an interrupt can be
 * sent.
 */
static bool is_valid(uint32_t command)
{
	uint32_t mode = command & ICR_MODE;
	bool interrupt = mode == ICR_MODE_FIXED || mode == ICR_MODE_LOWEST;

	return interrupt || (command & ICR_SHORTHAND) == 0 || (command & ICR_SHORTHAND) == ICR_OTHERS;
}

void lapic_command(struct vm *vm, struct world *w, unsigned self, uint32_t command)
{
	uint32_t mode = command & ICR_MODE;

	/* The delivery status bit never stays: a message arrives with the write. */
	vm->cpu[self].lapic.icr_low = command & ICR_WRITABLE;
	vm_touch_cpu(vm, self);

	/* INIT level de-assert synchronises arbitration IDs of processors that we aren't. */
	if (mode == ICR_MODE_INIT && (command & ICR_LEVEL) && !(command & ICR_ASSERT))
		return;
	if (!is_valid(command))
		return;
	if ((mode == ICR_MODE_FIXED || mode == ICR_MODE_LOWEST) && (command & ICR_VECTOR) < 16) {
		lapic_error(vm, w, self, self, ESR_SEND_ILLEGAL);
		return;
	}
	if (mode == ICR_MODE_LOWEST && !(command & ICR_SHORTHAND)) {
		int target = lowest_priority(vm, self, command);

		if (target >= 0)
			send(vm, w, self, (unsigned)target, command);
		return;
	}
	for (unsigned i = 0; i < vm_cpus(vm); i++) {
		if (addressed(vm, self, i, command))
			send(vm, w, self, i, command);
	}
}
