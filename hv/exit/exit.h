/*
 * exit.h: the exit handlers of exits.def, and what they share.
 *
 * A handler acts on its own vCPU, on struct vm, and through the world; it never advances RIP itself.
 */
#ifndef VEXIT_EXIT_EXIT_H
#define VEXIT_EXIT_EXIT_H

#include "exit/inject.h"
#include "exit/mode.h"
#include "vm.h"
#include "world.h"

typedef enum exit_action exit_handler(struct vcpu *v, struct vm *vm, struct world *w);

#define EXIT(number, name, handler, lock) exit_handler handler;
#include "exits.def"
#undef EXIT

/*
 * An extra controller, asked before the handler: an action, or CONTROLLER_PASS for "not mine". vm->chain
 * names them by index into exit_controllers[] (controllers.c); 0 ends the chain.
 */
#define CONTROLLER_PASS (-1)
typedef int exit_controller(struct vcpu *v, struct vm *vm, struct world *w);
extern exit_controller *const exit_controllers[];
extern const unsigned exit_controller_count;

enum { CONTROLLER_NONE, CONTROLLER_STRICT_IO };

/* Stop the VM: `reason` has no handler, or can't be. */
enum exit_action exit_stop(struct vm *vm, enum stop_kind kind, uint64_t value);

/* State after INIT (SDM, "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT"). vcpu.c */
void vcpu_init(struct vcpu *v, struct vm *vm);

/*
 * What CR0 and CR4 hold when the guest believes `cr0` and `cr4`: VMX operation fixes bits, CD and NW stay
 * clear.
 */
uint64_t vcpu_real_cr0(const struct vm_config *config, uint64_t cr0);
uint64_t vcpu_real_cr4(const struct vm_config *config, uint64_t cr4);

/* SIPI with `vector`: real mode at vector << 12. */
void vcpu_startup(struct vcpu *v, uint8_t vector);

#endif
