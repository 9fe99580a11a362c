/*
 * recording.h: a trace made on the host by running handlers, as metal would: the load, the handler, a world
 * that does things and tells the encoder, the record. For tests of replay and of the analyzer.
 */
#ifndef VEXIT_RECORDING_H
#define VEXIT_RECORDING_H

#include "trace/encode.h"

struct recording_core {			/* the handlers that run */
	enum exit_action (*exit)(struct vcpu *v, struct vm *vm, struct world *w);
	enum entry_result (*entry)(struct vcpu *v, struct vm *vm, struct world *w);
};

struct recording;

#define RECORDING_MEMORY (1u << 20)	/* bytes of guest memory */

/* `level`: what the session frame says, and how exits are loaded. */
struct recording *recording_new(unsigned cpus, const struct recording_core *core, enum trace_level level);
struct vm *recording_vm(struct recording *r);
struct vcpu *recording_cpu(struct recording *r, unsigned cpu);
uint8_t *recording_memory(struct recording *r);

/*
 * Of the next exit: what the processor changed (a slot, or ITEM_GPR + register), its instruction, its cycles.
 */
void recording_load(struct recording *r, unsigned code, uint64_t value);
void recording_instruction(struct recording *r, const void *bytes, unsigned len);

/*
 * A step at host TSC `tsc`. An exit gives its handler 100 cycles, and the tracer 20 since the vCPU's exit
 * before.
 */
void recording_exit(struct recording *r, unsigned cpu, uint64_t tsc);
void recording_entry(struct recording *r, unsigned cpu, uint64_t tsc);
void recording_unfinished(struct recording *r, unsigned cpu, uint64_t tsc);

/* Close the frame; the next step opens another. */
void recording_cut(struct recording *r);

/* The whole trace, to be freed; `r` is gone. */
uint8_t *recording_finish(struct recording *r, enum stop_kind kind, uint64_t value, size_t *size);

#endif
