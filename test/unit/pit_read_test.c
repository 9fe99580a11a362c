/*
 * What a guest reads of the 8254 (Intel's data sheet, "Read Operations": counts, latches, the read-back
 * command) and of port 0x61.
 */
#include "support/fake_pit.h"

static void access_forms(void **state)
{
	struct fake *f = *state;

	fake_pit_at(f, 1000);
	fake_outb(f, CONTROL, CHANNEL(1) | LSB | MODE(2));
	fake_outb(f, PORT_PIT + 1, 18);
	fake_pit_at(f, 1001 + 5);
	assert_int_equal(fake_inb(f, PORT_PIT + 1), 13);
	assert_int_equal(fake_inb(f, PORT_PIT + 1), 13);
	fake_pit_at(f, 1000);
	fake_outb(f, CONTROL, CHANNEL(1) | MSB | MODE(2));
	fake_outb(f, PORT_PIT + 1, 0x10);
	fake_pit_at(f, 1001 + 0x123);
	assert_int_equal(fake_inb(f, PORT_PIT + 1), 0x0e);
	/* Low and high in turn; the control word can't be read. */
	fake_pit_at(f, 1000);
	fake_outb(f, CONTROL, CHANNEL(1) | BOTH | MODE(2));
	fake_pit_write(f, 1, 0x1234);
	fake_pit_at(f, 1001);
	assert_int_equal(fake_inb(f, PORT_PIT + 1), 0x34);
	assert_int_equal(fake_inb(f, PORT_PIT + 1), 0x12);
	assert_int_equal(fake_inb(f, CONTROL), 0xff);
	/* A word is two bytes at successive ports, as on an ISA bus. */
	assert_int_equal(fake_in(f, CONTROL - 1, 2) >> 8, 0xff);
}

/* "If a counter is latched and latched again before it is read, the second latch is ignored." */
static void latch_holds(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 2, 1000);
	fake_pit_at(f, 1001 + 10);
	fake_outb(f, CONTROL, CHANNEL(2) | LATCH);
	fake_pit_at(f, 1001 + 20);
	fake_outb(f, CONTROL, CHANNEL(2) | LATCH);
	fake_pit_at(f, 1001 + 30);
	assert_int_equal(fake_pit_read(f, 2), 990);
	assert_int_equal(fake_pit_count(f, 2), 970);
}

/* "If both count and status are latched, the first read gives the status, the next one or two the count." */
static void read_back(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 2, 1000);
	assert_int_equal(fake_pit_status(f, 2), 0x80 | 0x40 | BOTH | MODE(2));	/* not loaded before the next clock */
	fake_pit_at(f, 1001 + 10);
	fake_outb(f, CONTROL, READ_BACK(2) | READ_BACK(0));
	assert_int_equal(fake_inb(f, PORT_PIT + 2), 0x80 | BOTH | MODE(2));
	assert_int_equal(fake_pit_read(f, 2), 990);
	assert_int_equal(fake_inb(f, PORT_PIT), 0x80 | 0x40 | BOTH | MODE(3));	/* no count since reset */
	/* Count alone. */
	fake_inb(f, PORT_PIT), fake_inb(f, PORT_PIT);
	fake_outb(f, CONTROL, READ_BACK(2) | NO_STATUS);
	fake_pit_at(f, 1001 + 500);
	assert_int_equal(fake_pit_read(f, 2), 990);
}

static void control_word_forgets(void **state)
{
	struct fake *f = *state;

	fake_pit_program(f, 2, 1000);
	fake_outb(f, CONTROL, CHANNEL(2) | LATCH);
	fake_outb(f, PORT_PIT + 2, 7);			/* half a count */
	fake_outb(f, CONTROL, CHANNEL(2) | BOTH | MODE(3));
	assert_int_equal(fake_pit_status(f, 2), 0x80 | 0x40 | BOTH | MODE(3));
	fake_pit_write(f, 2, 500);
	fake_pit_at(f, 1001);
	assert_int_equal(fake_pit_read(f, 2), 500);
}

static void system_port(void **state)
{
	struct fake *f = *state;
	unsigned toggles = 0, last;

	fake_pit_at(f, 1000);
	fake_pit_gate(f, 0xff);
	assert_int_equal(fake_inb(f, PORT_SYSTEM) & 0xcf, 0x0f);
	fake_pit_gate(f, 0);
	assert_int_equal(fake_inb(f, PORT_SYSTEM) & 0xcf, 0);
	/* The refresh bit toggles each 15 µs. */
	last = fake_inb(f, PORT_SYSTEM) & 0x10;
	for (unsigned i = 0; i < 1800; i++) {
		fake_pit_at(f, 2000 + i);
		toggles += (fake_inb(f, PORT_SYSTEM) & 0x10) != last;
		last = fake_inb(f, PORT_SYSTEM) & 0x10;
	}
	assert_int_equal(toggles, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(access_forms),
		TEST(latch_holds),
		TEST(read_back),
		TEST(control_word_forgets),
		TEST(system_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
