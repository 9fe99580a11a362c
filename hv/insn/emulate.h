/*
 * emulate.h: run one instruction that accesses memory, on a vCPU's registers and through the world.
 *
 * For what the processor couldn't do itself: accesses to devices. General-purpose instructions; no vector
 * registers, which aren't the core's.
 */
#ifndef VEXIT_INSN_EMULATE_H
#define VEXIT_INSN_EMULATE_H

#include "insn/decode.h"
#include "insn/linear.h"

enum emulate_result {
	EMULATE_DONE,		/* the instruction is complete: retire it */
	EMULATE_AGAIN,		/* a REP form did a part: it runs again */
	EMULATE_FAULT,		/* a->fault; nothing has changed but what earlier iterations did */
	EMULATE_UNSUPPORTED,
};

enum emulate_result insn_emulate(struct access *a, const struct insn *insn);

/* 16, 32, 64: what insn_decode() wants to know of the vCPU. */
unsigned insn_code_bits(struct vcpu *v);

#endif
