/*
 * lapic_icr.c: interrupt messages and commands: who is meant, and what reaches them (SDM, "Issuing
 * Interprocessor Interrupts").
 *
 * Called by lapic_registers.c for a write to the ICR's low half, and by the I/O APIC. INIT and SIPI are
 * only noted in the target's struct vm_cpu: its next entry step acts on them.
 */
#include "dev/lapic.h"
#include "dev/lapic_registers.h"
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
#define BROADCAST		0xffu
#define DFR_FLAT		0xf

/* SDM, "Logical Destination Mode" */
static bool matches_logical(const struct lapic *l, uint32_t destination)
{
	uint32_t logical = l->ldr >> 24;

	if (destination > BROADCAST)
		return false;
	if (l->dfr >> 28 == DFR_FLAT)
		return logical & destination;
	/* Cluster model: the high four bits name the cluster, or all of them by 15. */
	return (destination >> 4 == 15 || destination >> 4 == logical >> 4) && (destination & logical & 15);
}

/* SDM, "Logical Destination Mode in x2APIC Mode": the high half names the cluster. */
static bool matches_logical_x2apic(const struct lapic *l, uint32_t destination)
{
	uint32_t logical = lapic_x2apic_ldr(l);

	return destination >> 16 == logical >> 16 && (destination & logical & 0xffff);
}

static bool addressed(const struct vm_cpu *cpu, const struct apic_message *m)
{
	if (!lapic_enabled(cpu))
		return false;
	if (m->destination == (m->wide ? UINT32_MAX : BROADCAST))
		return true;
	if (!m->logical)
		return m->destination == cpu->lapic.id >> 24;
	if (lapic_is_x2apic(cpu))
		return matches_logical_x2apic(&cpu->lapic, m->destination);
	return matches_logical(&cpu->lapic, m->destination);
}

/* Gives whether vCPU `target` took it. */
static bool send(struct vm *vm, struct world *w, unsigned self, unsigned target, const struct apic_message *m)
{
	struct vm_cpu *cpu = &vm->cpu[target];

	switch (m->mode) {
	case ICR_MODE_FIXED:
	case ICR_MODE_LOWEST:
		return lapic_request(vm, w, self, target, m->vector, m->level);
	case ICR_MODE_NMI:
		cpu->nmi_pending = 1;
		break;
	case ICR_MODE_EXTINT:
		cpu->extint_pending = 1;
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
			return false;
		/* The first one counts: software sends two. */
		if (cpu->sipi_pending)
			return false;
		cpu->sipi_pending = m->vector + 1u;
		break;
	default:	/* SMI: there is no SMM. Reserved: nothing. */
		return false;
	}
	lapic_notify(vm, w, self, target);
	return true;
}

/* SDM, "Lowest Priority Delivery Mode": of the addressed, the one whose processor priority is lowest. */
static int lowest_priority(const struct vm *vm, const struct apic_message *m)
{
	uint32_t best = UINT32_MAX;
	int found = -1;

	for (unsigned i = 0; i < vm_cpus(vm); i++) {
		uint32_t ppr = lapic_ppr(&vm->cpu[i].lapic);

		if (!addressed(&vm->cpu[i], m) || !(vm->cpu[i].lapic.svr & SVR_ENABLE) || ppr >= best)
			continue;
		best = ppr;
		found = (int)i;
	}
	return found;
}

bool lapic_message(struct vm *vm, struct world *w, unsigned self, const struct apic_message *m)
{
	bool taken = false;

	if (m->mode == ICR_MODE_LOWEST) {
		int target = lowest_priority(vm, m);

		return target >= 0 && send(vm, w, self, (unsigned)target, m);
	}
	for (unsigned i = 0; i < vm_cpus(vm); i++) {
		if (addressed(&vm->cpu[i], m))
			taken |= send(vm, w, self, i, m);
	}
	return taken;
}

/* ---- Interrupt commands ---- */

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

/* To whom a shorthand means it; there is no destination then. */
static void send_shorthand(struct vm *vm, struct world *w, unsigned self, uint32_t command, const struct apic_message *m)
{
	for (unsigned i = 0; i < vm_cpus(vm); i++) {
		bool meant = (command & ICR_SHORTHAND) == ICR_ALL ||
			     (i == self) == ((command & ICR_SHORTHAND) == ICR_SELF);

		if (meant && lapic_enabled(&vm->cpu[i]))
			send(vm, w, self, i, m);
	}
}

void lapic_command(struct vm *vm, struct world *w, unsigned self, uint32_t command)
{
	struct vm_cpu *cpu = &vm->cpu[self];
	bool wide = lapic_is_x2apic(cpu);
	struct apic_message m = {
		.destination = wide ? cpu->lapic.icr_high : cpu->lapic.icr_high >> 24,
		.wide = wide,
		.logical = command & ICR_LOGICAL,
		.vector = command & ICR_VECTOR,
		.mode = command & ICR_MODE,
	};

	/* The delivery status bit never stays: a message arrives with the write. */
	cpu->lapic.icr_low = command & lapic_writable(REG_ICR_LOW);
	vm_touch_cpu(vm, self);

	/* INIT level de-assert synchronises arbitration IDs of processors that we aren't. */
	if (m.mode == ICR_MODE_INIT && (command & ICR_LEVEL) && !(command & ICR_ASSERT))
		return;
	/* The I/O APIC's alone. */
	if (m.mode == ICR_MODE_EXTINT || !is_valid(command))
		return;
	if ((m.mode == ICR_MODE_FIXED || m.mode == ICR_MODE_LOWEST) && m.vector < 16)
		lapic_error(vm, w, self, self, ESR_SEND_ILLEGAL);
	else if (command & ICR_SHORTHAND)
		send_shorthand(vm, w, self, command, &m);
	else
		lapic_message(vm, w, self, &m);
}
