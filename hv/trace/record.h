/*
 * record.h: the head byte of a record, shared by encode.c and decode.c. traces/FORMAT.md, "Records".
 */
#ifndef VEXIT_TRACE_RECORD_H
#define VEXIT_TRACE_RECORD_H

#define RECORD_KIND		(1u << 0)	/* enum step_kind */
#define RECORD_VCPU		(1u << 1)	/* u8 follows: the vCPU, if it isn't the last record's */
#define RECORD_TIME		(1u << 2)	/* the time column has one: time from the record before, less what the memo has */
#define RECORD_SNAPSHOT		(1u << 3)	/* section follows: what the load found changed */
#define RECORD_EFFECTS		(1u << 4)	/* section follows: action, crossings, what the handler changed, check bytes */
#define RECORD_NOTES		(1u << 5)	/* the time column has three (exits): cycles, less what the memo has */
#define RECORD_UNFINISHED	(1u << 6)	/* the hypervisor died in this step: no effects, no notes */
#define RECORD_INSN		(1u << 7)	/* u8 size and instruction bytes follow (exits) */

/* An entry step's first byte of effects: its result, and how each of its two times stands there. */
#define WAIT_RESULT		0x03		/* enum entry_result */
#define WAIT_WAKE_AT		2		/* shifts */
#define WAIT_DEADLINE		4
#define WAIT_MASK		3
#define WAIT_SAME		0		/* as it was */
#define WAIT_NONE		1		/* TIME_NONE */
#define WAIT_TIME		2		/* from the step's time; a signed follows */

#endif
