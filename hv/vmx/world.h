/* world.h: struct world on metal. The interface is include/world.h. */
#ifndef VMX_WORLD_H
#define VMX_WORLD_H

struct vmx;

/* Sets x->world. Calls are about x->running. */
void world_init(struct vmx *x);

#endif
