/* startup.h: INIT and SIPI, taken by a vCPU's own entry step. */
#ifndef VEXIT_EXIT_STARTUP_H
#define VEXIT_EXIT_STARTUP_H

#include "vm.h"
#include "world.h"

/* The pending INIT. false: it was for the BSP, which means a reset of the machine; vm->stop says so. */
bool vcpu_take_init(struct vcpu *v, struct vm *vm, struct world *w);

/* The pending SIPI of a vCPU that waits for it. */
void vcpu_take_sipi(struct vcpu *v, struct vm *vm);

#endif
