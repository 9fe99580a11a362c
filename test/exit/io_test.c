/*
 * IN, OUT, INS, OUTS (SDM, "Exit Qualification for I/O Instructions", "INS", "OUTS", "REP").
 */
#include "support/fake.h"

#define IN	(1u << 3)
#define STRING	(1u << 4)
#define REP	(1u << 5)

enum { ADDRESS_16, ADDRESS_32 = 1 << 7, ADDRESS_64 = 2 << 7 };

static uint64_t io(uint16_t port, unsigned size, unsigned flags)
{
	return (size - 1) | flags | (uint64_t)port << 16;
}

static enum exit_action string(struct fake *f, uint64_t qualification, unsigned address, enum segment seg)
{
	fake_set(&f->cpu[0], VMCS_EXIT_INSTRUCTION_INFO, address | seg << 15);
	return fake_exit(f, &f->cpu[0], REASON_IO_INSTRUCTION, qualification, 2);
}

static struct vcpu *set_up_64(struct fake *f)
{
	struct vcpu *v = &f->cpu[0];

	fake_long_mode(f, v);
	v->gpr[GPR_RSI] = v->gpr[GPR_RDI] = FAKE_DATA;
	return v;
}

static void out_al(void **state)
{
	struct fake *f = *state;

	f->cpu[0].gpr[GPR_RAX] = 0xffffff00 | 'A';
	assert_int_equal(fake_exit(f, &f->cpu[0], REASON_IO_INSTRUCTION, io(PORT_UART, 1, 0), 1),
			 ACTION_RETIRE);
	assert_string_equal(f->console, "A");
	assert_int_equal(f->cpu[0].gpr_dirty, 0);
}

/* Bytes and words leave the rest of RAX, 32 bits clear its upper half. */
static void in_sizes(void **state)
{
	static const struct { unsigned size; uint64_t rax; } rows[] = {
		{ 1, UINT64_C(0x11223344556677ff) }, { 2, UINT64_C(0x112233445566ffff) }, { 4, 0xffffffff },
	};
	struct fake *f = *state;

	for (unsigned i = 0; i < 3; i++) {
		f->cpu[0].gpr[GPR_RAX] = UINT64_C(0x1122334455667788);
		assert_int_equal(fake_exit(f, &f->cpu[0], REASON_IO_INSTRUCTION,
					   io(0x1234, rows[i].size, IN), 1),
				 ACTION_RETIRE);
		assert_int_equal(f->cpu[0].gpr[GPR_RAX], rows[i].rax);
	}
	assert_int_equal(f->vm.absent_io, 3);
}

static void debug_exit(void **state)
{
	struct fake *f = *state;

	f->cpu[0].gpr[GPR_RAX] = 3;
	assert_int_equal(fake_exit(f, &f->cpu[0], REASON_IO_INSTRUCTION, io(PORT_DEBUG_EXIT, 1, 0), 1),
			 ACTION_STOP);
	assert_int_equal(f->vm.stop.kind, STOP_DEBUG_EXIT);
	assert_int_equal(f->vm.stop.value, 3);
}

static void outsb(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	memcpy(f->memory + FAKE_DATA, "xy", 2);
	assert_int_equal(string(f, io(PORT_UART, 1, STRING), ADDRESS_64, SEG_DS), ACTION_RETIRE);
	assert_string_equal(f->console, "x");
	assert_int_equal(v->gpr[GPR_RSI], FAKE_DATA + 1);
}

/* A string for the console is one crossing, not one a byte. */
static void rep_outsb(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	memcpy(f->memory + FAKE_DATA, "hello, world", 12);
	v->gpr[GPR_RCX] = 12;
	assert_int_equal(string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS), ACTION_RETIRE);
	assert_string_equal(f->console, "hello, world");
	assert_int_equal(fake_count(f, CROSSING_CONSOLE_OUT), 1);
	assert_int_equal(v->gpr[GPR_RCX], 0);
	assert_int_equal(v->gpr[GPR_RSI], FAKE_DATA + 12);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE + 2);
}

static void rep_of_nothing(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	v->gpr[GPR_RCX] = 0;
	v->gpr[GPR_RSI] = UINT64_C(0x8000000000000000);	/* not even canonical: nothing is accessed */
	assert_int_equal(string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS), ACTION_RETIRE);
	assert_int_equal(f->log_count, 0);
}

/* Offset 0 is as far from the end of a 64-bit address space as can be. */
static void string_at_zero(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	memcpy(f->memory, "zero", 4);
	v->gpr[GPR_RSI] = 0;
	v->gpr[GPR_RCX] = 4;
	assert_int_equal(string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS), ACTION_RETIRE);
	assert_string_equal(f->console, "zero");
}

/* A long string takes several exits; RIP stays until the last. */
static void long_string(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);
	unsigned exits = 0;

	memset(f->memory + FAKE_DATA, 'z', 10000);
	v->gpr[GPR_RCX] = 10000;
	while (vmcs_read(v, VMCS_GUEST_RIP) == FAKE_CODE) {
		string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS);
		exits++;
		assert_int_equal(f->console_size, 10000 - v->gpr[GPR_RCX]);
		assert_true(exits < 100);
	}
	assert_int_equal(f->console_size, 10000);
	assert_in_range(exits, 3, 40);
}

static void downwards(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);
	unsigned exits = 0;

	memcpy(f->memory + FAKE_DATA, "cba", 3);
	fake_set(v, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_DF);
	v->gpr[GPR_RCX] = 3;
	v->gpr[GPR_RSI] = FAKE_DATA + 2;
	while (vmcs_read(v, VMCS_GUEST_RIP) == FAKE_CODE && exits++ < 10)
		string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS);
	assert_string_equal(f->console, "abc");
	assert_int_equal(v->gpr[GPR_RSI], FAKE_DATA - 1);
}

static void rep_insw(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	v->gpr[GPR_RCX] = 3;
	assert_int_equal(string(f, io(0x1f0, 2, IN | STRING | REP), ADDRESS_64, 7), ACTION_RETIRE);
	assert_memory_equal(f->memory + FAKE_DATA, "\xff\xff\xff\xff\xff\xff\0", 7);
	assert_int_equal(v->gpr[GPR_RDI], FAKE_DATA + 6);
	assert_int_equal(f->vm.absent_io, 3);
}

/* With a 32-bit address size RSI and RCX are ESI and ECX: written, their upper halves are cleared. */
static void address_size_32(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	memcpy(f->memory + FAKE_DATA, "ab", 2);
	v->gpr[GPR_RSI] |= UINT64_C(0xdead) << 32;
	v->gpr[GPR_RCX] = UINT64_C(0xbeef00000002);
	assert_int_equal(string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_32, SEG_DS), ACTION_RETIRE);
	assert_string_equal(f->console, "ab");
	assert_int_equal(v->gpr[GPR_RSI], FAKE_DATA + 2);
	assert_int_equal(v->gpr[GPR_RCX], 0);
}

/* Real-address mode, with a segment override, and a 16-bit index that wraps. */
static void address_size_16(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	unsigned exits = 0;

	fake_real_mode(v);
	fake_set(v, VMCS_GUEST_ES_BASE, FAKE_DATA + 0x10000);
	memcpy(f->memory + FAKE_DATA + 0x10000 + 0xfffe, "pq", 2);
	memcpy(f->memory + FAKE_DATA + 0x10000, "rs", 2);
	v->gpr[GPR_RSI] = 0x7777fffe;
	v->gpr[GPR_RCX] = 0x10004;
	while (vmcs_read(v, VMCS_GUEST_RIP) == 0 && exits++ < 5)
		string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_16, SEG_ES);
	assert_string_equal(f->console, "pqrs");
	assert_int_equal(v->gpr[GPR_RSI], 0x77770002);
	assert_int_equal(v->gpr[GPR_RCX], 0x10000);
}

/* The memory operand's faults are the instruction's: nothing was output, RIP and registers stay. */
static void page_fault(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	memset(f->memory + FAKE_TABLES + 0x2000 + 8, 0, 8);	/* the second 2 MiB */
	v->gpr[GPR_RCX] = 4;
	assert_int_equal(string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_PF, 0);
	assert_int_equal(v->gpr[GPR_CR2], FAKE_DATA);
	assert_int_equal(v->gpr[GPR_RCX], 4);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_RIP), FAKE_CODE);
	/* INS from a port that counts: the fault comes before the port is read. */
	assert_int_equal(string(f, io(0x1f0, 1, IN | STRING | REP), ADDRESS_64, 0), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_PF, PF_WRITE);
	assert_int_equal(f->vm.absent_io, 0);
}

/* The elements before a page that isn't there are output first. */
static void fault_in_the_middle(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	memcpy(f->memory + 0x3ffffd, "abc", 3);
	memset(f->memory + FAKE_TABLES + 0x2000 + 8 * 2, 0, 8);	/* from 4 MiB on */
	v->gpr[GPR_RSI] = 0x3ffffd;
	v->gpr[GPR_RCX] = 5;
	assert_int_equal(string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS), ACTION_RESUME);
	assert_string_equal(f->console, "abc");
	assert_int_equal(v->gpr[GPR_RCX], 2);
	assert_int_equal(string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS), ACTION_INJECT);
	assert_int_equal(v->gpr[GPR_CR2], 0x400000);
}

static void segment_faults(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	v->gpr[GPR_RSI] = UINT64_C(0x8000000000000000);
	assert_int_equal(string(f, io(PORT_UART, 1, STRING), ADDRESS_64, SEG_DS), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_GP, 0);
	assert_int_equal(string(f, io(PORT_UART, 1, STRING), ADDRESS_64, SEG_SS), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_SS, 0);
}

/* Up to the limit, and then #GP. */
static void limit_in_the_middle(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = &f->cpu[0];
	unsigned exits = 0;

	memcpy(f->memory + FAKE_DATA, "abcdefgh", 8);
	fake_set(v, VMCS_GUEST_DS_BASE, FAKE_DATA);
	fake_set(v, VMCS_GUEST_DS_LIMIT, 4);
	v->gpr[GPR_RCX] = 8;
	while (string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_32, SEG_DS) == ACTION_RESUME && exits < 10)
		exits++;
	assert_string_equal(f->console, "abcde");
	fake_assert_injected(v, VECTOR_GP, 0);
	assert_int_equal(v->gpr[GPR_RCX], 3);
}

/* SDM, "Single-Step Exception Condition": a REP instruction traps after each iteration. */
static void single_step(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	memcpy(f->memory + FAKE_DATA, "ab", 2);
	fake_set(v, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	v->gpr[GPR_RCX] = 2;
	assert_int_equal(string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS), ACTION_RESUME);
	assert_int_equal(vmcs_read(v, VMCS_GUEST_PENDING_DBG_EXCEPTIONS), PENDING_DBG_BS);
	assert_string_equal(f->console, "a");
	assert_int_equal(string(f, io(PORT_UART, 1, STRING | REP), ADDRESS_64, SEG_DS), ACTION_RETIRE);
	assert_string_equal(f->console, "ab");
}

/* User code that was given the port reads its own pages alone. */
static void user_string(void **state)
{
	struct fake *f = *state;
	struct vcpu *v = set_up_64(f);

	fake_set_cpl(v, 3);
	f->memory[FAKE_TABLES + 0x2000 + 8] &= ~4;		/* supervisor */
	assert_int_equal(string(f, io(PORT_UART, 1, STRING), ADDRESS_64, SEG_DS), ACTION_INJECT);
	fake_assert_injected(v, VECTOR_PF, PF_PRESENT | PF_USER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(out_al),
		TEST(in_sizes),
		TEST(debug_exit),
		TEST(outsb),
		TEST(rep_outsb),
		TEST(rep_of_nothing),
		TEST(string_at_zero),
		TEST(long_string),
		TEST(downwards),
		TEST(rep_insw),
		TEST(address_size_32),
		TEST(address_size_16),
		TEST(page_fault),
		TEST(fault_in_the_middle),
		TEST(segment_faults),
		TEST(limit_in_the_middle),
		TEST(single_step),
		TEST(user_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
