/*
 * test.h: how a guest says what it found.
 */
#ifndef GUEST_TEST_H
#define GUEST_TEST_H

#include "asm.h"

enum {
	VERDICT_SUCCESS = 0,
	VERDICT_FAILURE = 1, /* a bug in what is under test: the hypervisor */
	VERDICT_ERROR = 2,   /* a bug in the test, or in how it was called */
	VERDICT_SKIP = 3,    /* can't be tested on this machine */
};

/* Ends the run by the debug-exit port. */
void verdict(uint32_t value) __attribute__((noreturn));

/* True under vexit; guests also boot in plain QEMU or Bochs, where what needs vexit is skipped. */
extern bool under_vexit;

extern uint32_t test_failures; /* counted by atomic_add() */

/* Prints "FAILED: …" and counts it. */
void test_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The condition, or else a failure with this text. */
#define CHECK(condition, ...) ((condition) ? (void)0 : test_fail(__VA_ARGS__))

/* Compares two 64-bit values and names them. */
void test_equal(const char *what, uint64_t got, uint64_t expected);

/* Checks that an instruction raised `vector` (NO_TRAP: none) with this error code. */
struct trap;
void test_trap(const char *what, struct trap got, int32_t vector, uint32_t error);

/* vmx.c: each VMX instruction gives #UD. False if CPUID offers VMX, so that nothing was tried. */
bool test_vmx_undefined(void);

/* A guest of several parts: each prints "GUEST: PART ok" or "… FAILED". */
struct test_part {
	const char *name;
	void (*test)(void);
	bool everywhere;  /* on each vCPU at the same time, not on the BSP alone */
	bool needs_vexit; /* passed over elsewhere */
};

/* Runs them, or the one that option only= names; gives what main() returns. parts.c */
int test_parts(const char *guest, const struct test_part *parts, size_t count);

/* What main() returns: success or failure by what was counted, with a last line. */
int test_result(const char *name, const char *subject);

#endif
