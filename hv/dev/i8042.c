/*
 * i8042.c: the keyboard controller: its commands, its one reply, and the reset line.
 *
 * Called by the port table. The input buffer is always empty: a command is done when it was written.
 * Translation and A20 have nothing to act on.
 */
#include "dev/i8042.h"
#include "dev/irq.h"
#include "dev/vm_state.h"

/* Status register */
#define STATUS_OUTPUT_FULL	(1u << 0)
#define STATUS_SYSTEM		(1u << 2)	/* self-test passed; follows the command byte */
#define STATUS_COMMAND		(1u << 3)	/* the last write was to the command port */
#define STATUS_UNLOCKED		(1u << 4)
#define STATUS_AUX		(1u << 5)	/* what is in the output buffer comes from the mouse's side */
#define STATUS_TIMEOUT		(1u << 6)
/* Command byte */
#define COMMAND_INTERRUPT	(1u << 0)
#define COMMAND_SYSTEM		(1u << 2)
#define COMMAND_DISABLED	(1u << 4)
#define COMMAND_AUX_DISABLED	(1u << 5)
#define COMMAND_TRANSLATE	(1u << 6)

#define OUTPUT_PORT		0x03		/* A20 on, reset line up */
#define OUTPUT_PORT_RESET	(1u << 0)
#define REPLY_RESEND		0xfe		/* what a transfer that timed out leaves */

enum {
	READ_COMMAND_BYTE = 0x20, WRITE_COMMAND_BYTE = 0x60,
	DISABLE_AUX = 0xa7, ENABLE_AUX = 0xa8, TEST_AUX = 0xa9,
	SELF_TEST = 0xaa, TEST_KEYBOARD = 0xab, DISABLE_KEYBOARD = 0xad, ENABLE_KEYBOARD = 0xae,
	READ_INPUT_PORT = 0xc0, READ_OUTPUT_PORT = 0xd0, WRITE_OUTPUT_PORT = 0xd1,
	WRITE_OUTPUT_BUFFER = 0xd2, WRITE_AUX_BUFFER = 0xd3, WRITE_AUX = 0xd4,
	READ_TEST_INPUTS = 0xe0, PULSE_OUTPUT_PORT = 0xf0,
};

void i8042_reset(struct chipset *c)
{
	/* As a BIOS leaves it that found no keyboard. */
	c->i8042_command = COMMAND_SYSTEM | COMMAND_DISABLED | COMMAND_AUX_DISABLED | COMMAND_TRANSLATE;
	c->i8042_status = STATUS_UNLOCKED;
	c->i8042_data = 0;
	c->i8042_awaits = 0;
}

/* A write or a read is done: the interrupt line follows the output buffer. */
static void done(const struct port_access *a)
{
	const struct chipset *c = &a->vm->chipset;

	vm_touch(a->vm, VM_DEVICE_CHIPSET);
	irq_set(a->vm, a->w, a->self, IRQ_KEYBOARD, (c->i8042_status & STATUS_OUTPUT_FULL) &&
						    !(c->i8042_status & STATUS_AUX) &&
						    (c->i8042_command & COMMAND_INTERRUPT));
}

static void reply(struct chipset *c, uint8_t byte, uint8_t status)
{
	c->i8042_data = byte;
	c->i8042_status &= ~(STATUS_AUX | STATUS_TIMEOUT);
	c->i8042_status |= STATUS_OUTPUT_FULL | status;
}

uint32_t i8042_data_read(const struct port_access *a)
{
	struct chipset *c = &a->vm->chipset;

	if (c->i8042_status & STATUS_OUTPUT_FULL) {
		c->i8042_status &= ~(STATUS_OUTPUT_FULL | STATUS_AUX | STATUS_TIMEOUT);
		done(a);
	}
	return c->i8042_data;
}

uint32_t i8042_status_read(const struct port_access *a)
{
	const struct chipset *c = &a->vm->chipset;

	return c->i8042_status | (c->i8042_command & COMMAND_SYSTEM ? STATUS_SYSTEM : 0);
}

void i8042_data_write(const struct port_access *a, uint32_t value)
{
	struct chipset *c = &a->vm->chipset;
	uint8_t awaits = c->i8042_awaits;

	c->i8042_status &= ~STATUS_COMMAND;
	c->i8042_awaits = 0;
	switch (awaits) {
	case WRITE_COMMAND_BYTE:
		c->i8042_command = (uint8_t)value;
		break;
	case WRITE_OUTPUT_PORT:
		if (!(value & OUTPUT_PORT_RESET))
			vm_end(a->vm, STOP_RESET, 0);
		break;
	case WRITE_OUTPUT_BUFFER:
	case WRITE_AUX_BUFFER:	/* to a controller for a keyboard alone, the same */
		reply(c, (uint8_t)value, 0);
		break;
	case WRITE_AUX:
		reply(c, REPLY_RESEND, STATUS_TIMEOUT | STATUS_AUX);
		break;
	default:
		reply(c, REPLY_RESEND, STATUS_TIMEOUT);
		break;
	}
	done(a);
}

void i8042_command_write(const struct port_access *a, uint32_t value)
{
	struct chipset *c = &a->vm->chipset;

	c->i8042_status |= STATUS_COMMAND;
	c->i8042_awaits = 0;
	switch (value) {
	case READ_COMMAND_BYTE: reply(c, c->i8042_command, 0); break;
	case DISABLE_AUX: c->i8042_command |= COMMAND_AUX_DISABLED; break;
	case ENABLE_AUX: c->i8042_command &= ~COMMAND_AUX_DISABLED; break;
	case TEST_AUX: reply(c, 0x01, 0); break;	/* clock line stuck low: there is no such port */
	case SELF_TEST: reply(c, 0x55, 0); break;
	case TEST_KEYBOARD: reply(c, 0x00, 0); break;
	case DISABLE_KEYBOARD: c->i8042_command |= COMMAND_DISABLED; break;
	case ENABLE_KEYBOARD: c->i8042_command &= ~COMMAND_DISABLED; break;
	case READ_INPUT_PORT: reply(c, 0xb0, 0); break;	/* not locked; no manufacturing jumper */
	case READ_OUTPUT_PORT: reply(c, OUTPUT_PORT, 0); break;
	case READ_TEST_INPUTS: reply(c, 0x00, 0); break;
	case WRITE_COMMAND_BYTE: case WRITE_OUTPUT_PORT: case WRITE_OUTPUT_BUFFER:
	case WRITE_AUX_BUFFER: case WRITE_AUX:
		c->i8042_awaits = (uint8_t)value;
		break;
	case PULSE_OUTPUT_PORT ... PULSE_OUTPUT_PORT + 15:
		/* Lines whose bit is 0 go low for a moment. */
		if (!(value & OUTPUT_PORT_RESET))
			vm_end(a->vm, STOP_RESET, 0);
		break;
	default: break;		/* no such command: nothing happens */
	}
	done(a);
}
