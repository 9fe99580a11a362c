/*
 * pic.c: two 8259A, the slave at the master's IR2 (Intel, "8259A Programmable Interrupt Controller").
 *
 * Called by ports.c, by irq.c when a line changes, and by the entry step that delivers an interrupt. IRR is
 * not kept but follows from the lines: an edge-triggered input requests while its line is high and that edge
 * wasn't served. So lines that nobody listens to change nothing here.
 */
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "dev/pic.h"
#include "dev/vm_state.h"
#include "platform.h"

#define CASCADE			2	/* the master's input that is the slave's output */

#define ICW1			(1u << 4)
#define ICW1_SINGLE		(1u << 1)	/* no ICW3 follows */
#define ICW1_NEEDS_ICW4		(1u << 0)
#define ICW4_SPECIAL_NESTED	(1u << 4)
#define ICW4_AUTO_EOI		(1u << 1)
#define OCW3			(1u << 3)
#define OCW3_SET_MASK_MODE	(1u << 6)
#define OCW3_MASK_MODE		(1u << 5)
#define OCW3_POLL		(1u << 2)
#define OCW3_READ		(1u << 1)
#define OCW3_READ_ISR		(1u << 0)

/* struct pic_chip: flags */
#define PIC_NEEDS_ICW4		(1u << 0)
#define PIC_SINGLE		(1u << 1)
#define PIC_AUTO_EOI		(1u << 2)
#define PIC_ROTATES		(1u << 3)	/* in automatic EOI mode */
#define PIC_SPECIAL_MASK	(1u << 4)
#define PIC_SPECIAL_NESTED	(1u << 5)
#define PIC_READ_ISR		(1u << 6)
#define PIC_POLL		(1u << 7)

#define ELCR_FIXED		{ 0x07, 0x21 }	/* IRQ 0, 1, 2, 8 and 13 are edges, always */

void pic_reset(struct pic *pic)
{
	/* Not initialized, but masked, as firmware leaves it. ACPI's interrupt, IRQ 9, is a level. */
	*pic = (struct pic){ .chip = {
		{ .imr = 0xff, .base = 0x08, .lowest = 7 },
		{ .imr = 0xff, .base = 0x70, .lowest = 7, .elcr = 1u << 1 },
	} };
}

/* ---- Priorities ---- */

/* 0 = highest */
static unsigned priority_of(const struct pic_chip *c, unsigned input)
{
	return (input - c->lowest - 1) & 7;
}

/* The input of the highest priority among `set`, or -1. */
static int highest(const struct pic_chip *c, uint8_t set)
{
	for (unsigned n = 1; set && n <= 8; n++) {
		if (set >> ((c->lowest + n) & 7) & 1)
			return (c->lowest + n) & 7;
	}
	return -1;
}

static int chip_output(const struct vm *vm, unsigned chip);

/* IRR: what requests now. */
static uint8_t requests(const struct vm *vm, unsigned chip)
{
	const struct pic_chip *c = &vm->pic.chip[chip];
	uint8_t lines = vm->ioapic.lines >> 8 * chip;
	uint8_t irr = lines & (c->elcr | ~c->seen);

	if (chip == 1)
		return irr;
	irr &= ~(1u << CASCADE);
	return chip_output(vm, 1) >= 0 ? irr | 1u << CASCADE : irr;
}

/*
 * The input for which the chip raises INT, or -1: above all in service ("Fully Nested Mode" and its
 * variants).
 */
static int chip_output(const struct vm *vm, unsigned chip)
{
	const struct pic_chip *c = &vm->pic.chip[chip];
	int input = highest(c, requests(vm, chip) & ~c->imr), served;

	if (input < 0)
		return -1;
	/* "Special Mask Mode": a masked input in service inhibits none. */
	served = highest(c, c->flags & PIC_SPECIAL_MASK ? c->isr & ~c->imr : c->isr);
	if (served < 0 || priority_of(c, (unsigned)input) < priority_of(c, (unsigned)served))
		return input;
	/* "Special Fully Nested Mode": a slave in service may interrupt again. */
	if ((c->flags & PIC_SPECIAL_NESTED) && chip == 0 && input == CASCADE && served == CASCADE)
		return input;
	return -1;
}

/* ---- The output ---- */

static void set_intr(struct vm *vm, struct world *w, unsigned self, uint8_t intr)
{
	if (vm->pic.intr == intr)
		return;
	vm->pic.intr = intr;
	vm_touch(vm, VM_DEVICE_PIC);
	if (!intr)
		return;
	for (unsigned i = 0; i < vm_cpus(vm); i++)
		lapic_lint0(vm, w, self, i, true);
	ioapic_rise(vm, w, self, IOAPIC_PIN_INTR);
}

static void update(struct vm *vm, struct world *w, unsigned self)
{
	set_intr(vm, w, self, chip_output(vm, 0) >= 0);
}

void pic_line(struct vm *vm, struct world *w, unsigned self, unsigned irq)
{
	struct pic_chip *c = &vm->pic.chip[irq / 8];
	uint8_t bit = 1u << irq % 8;

	if (!(vm->ioapic.lines >> irq & 1) && (c->seen & bit)) {
		c->seen &= ~bit;
		vm_touch(vm, VM_DEVICE_PIC);
	}
	update(vm, w, self);
}

/* ---- Acknowledge and end ---- */

/* The end of the interrupt of `input`; `rotate`: which has the lowest priority from then on. */
static void end(struct pic_chip *c, unsigned input, bool rotate)
{
	c->isr &= ~(1u << input);
	if (rotate)
		c->lowest = input;
}

/* INTA for what the chip requests: gives the input; 7 if none does any more. */
static unsigned serve(struct vm *vm, unsigned chip)
{
	struct pic_chip *c = &vm->pic.chip[chip];
	int input = chip_output(vm, chip);

	if (input < 0)
		return 7;
	c->isr |= 1u << input;
	if (chip == 1 || input != CASCADE)
		c->seen |= 1u << input;
	if (c->flags & PIC_AUTO_EOI)
		end(c, (unsigned)input, c->flags & PIC_ROTATES);
	vm_touch(vm, VM_DEVICE_PIC);
	return (unsigned)input;
}

uint8_t pic_acknowledge(struct vm *vm, struct world *w, unsigned self)
{
	bool slave = chip_output(vm, 0) == CASCADE;
	unsigned chip = slave, input;

	/* The slave has its turn before its request ends the master's. */
	input = slave ? serve(vm, 1) : 7;
	if (slave) {
		struct pic_chip *master = &vm->pic.chip[0];

		master->isr |= 1u << CASCADE;
		if (master->flags & PIC_AUTO_EOI)
			end(master, CASCADE, master->flags & PIC_ROTATES);
		vm_touch(vm, VM_DEVICE_PIC);
	} else {
		input = serve(vm, 0);
	}
	/* INT falls with INTA, and rises anew for what else requests. */
	set_intr(vm, w, self, 0);
	update(vm, w, self);
	return vm->pic.chip[chip].base | input;
}

/* ---- Registers ---- */

static void initialize(struct vm *vm, unsigned chip, uint8_t value)
{
	struct pic_chip *c = &vm->pic.chip[chip];

	/* "Initialization": edges that came before don't count; ELCR is the chipset's and stays. */
	*c = (struct pic_chip){
		.seen = vm->ioapic.lines >> 8 * chip,
		.elcr = c->elcr,
		.base = c->base,
		.step = 2,
		.lowest = 7,
		.flags = (value & ICW1_NEEDS_ICW4 ? PIC_NEEDS_ICW4 : 0) | (value & ICW1_SINGLE ? PIC_SINGLE : 0),
	};
}

/* ICW2 to ICW4. Who is whose slave is the PC's wiring: ICW3 changes nothing. */
static void initialization_word(struct pic_chip *c, uint8_t value)
{
	switch (c->step) {
	case 2:
		c->base = value & 0xf8;
		c->step = !(c->flags & PIC_SINGLE) ? 3 : c->flags & PIC_NEEDS_ICW4 ? 4 : 0;
		break;
	case 3:
		c->step = c->flags & PIC_NEEDS_ICW4 ? 4 : 0;
		break;
	default:
		c->flags |= (value & ICW4_AUTO_EOI ? PIC_AUTO_EOI : 0) |
			    (value & ICW4_SPECIAL_NESTED ? PIC_SPECIAL_NESTED : 0);
		c->step = 0;
		break;
	}
}

/* OCW2: "End of Interrupt", "Automatic Rotation", "Specific Rotation" */
static void command(struct pic_chip *c, uint8_t value)
{
	/*
	 * Non-specific: what has the highest priority of those in service, but masked ones in special mask
	 * mode.
	 */
	int input = highest(c, c->flags & PIC_SPECIAL_MASK ? c->isr & ~c->imr : c->isr);

	switch (value >> 5) {
	case 0: c->flags &= ~PIC_ROTATES; break;
	case 4: c->flags |= PIC_ROTATES; break;
	case 1: case 5:
		if (input >= 0)
			end(c, (unsigned)input, value >> 7);
		break;
	case 3: case 7: end(c, value & 7, value >> 7); break;
	case 6: c->lowest = value & 7; break;
	default: break;
	}
}

/* OCW3 */
static void mode(struct pic_chip *c, uint8_t value)
{
	if (value & OCW3_SET_MASK_MODE)
		c->flags = (c->flags & ~PIC_SPECIAL_MASK) | (value & OCW3_MASK_MODE ? PIC_SPECIAL_MASK : 0);
	if (value & OCW3_READ)
		c->flags = (c->flags & ~PIC_READ_ISR) | (value & OCW3_READ_ISR ? PIC_READ_ISR : 0);
	c->flags = (c->flags & ~PIC_POLL) | (value & OCW3_POLL ? PIC_POLL : 0);
}

/* "Poll Command": the read is an INTA, and gives the input in place of a vector. */
static uint8_t poll(struct vm *vm, struct world *w, unsigned self, unsigned chip)
{
	struct pic_chip *c = &vm->pic.chip[chip];
	bool requested = chip_output(vm, chip) >= 0;
	unsigned input = serve(vm, chip);

	c->flags &= ~PIC_POLL;
	vm_touch(vm, VM_DEVICE_PIC);
	update(vm, w, self);
	return requested ? 0x80 | input : 0;
}

/* The master's ports are below the slave's. */
static unsigned chip_of(const struct port_access *a)
{
	return a->port >= PORT_PIC_SLAVE;
}

uint32_t pic_read(const struct port_access *a)
{
	const struct pic_chip *c = &a->vm->pic.chip[chip_of(a)];

	if (c->flags & PIC_POLL)
		return poll(a->vm, a->w, a->self, chip_of(a));
	if (a->port & 1)
		return c->imr;
	return c->flags & PIC_READ_ISR ? c->isr : requests(a->vm, chip_of(a));
}

void pic_write(const struct port_access *a, uint32_t value)
{
	struct pic_chip *c = &a->vm->pic.chip[chip_of(a)];
	uint8_t byte = (uint8_t)value;

	if ((a->port & 1) && c->step)
		initialization_word(c, byte);
	else if (a->port & 1)
		c->imr = byte;
	else if (byte & ICW1)
		initialize(a->vm, chip_of(a), byte);
	else if (byte & OCW3)
		mode(c, byte);
	else
		command(c, byte);
	vm_touch(a->vm, VM_DEVICE_PIC);
	update(a->vm, a->w, a->self);
}

uint32_t pic_elcr_read(const struct port_access *a)
{
	return a->vm->pic.chip[a->port & 1].elcr;
}

void pic_elcr_write(const struct port_access *a, uint32_t value)
{
	static const uint8_t fixed[2] = ELCR_FIXED;

	a->vm->pic.chip[a->port & 1].elcr = value & ~fixed[a->port & 1];
	vm_touch(a->vm, VM_DEVICE_PIC);
	update(a->vm, a->w, a->self);
}
