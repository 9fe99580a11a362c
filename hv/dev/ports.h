/* ports.h: the I/O port space: which device answers where. */
#ifndef VEXIT_DEV_PORTS_H
#define VEXIT_DEV_PORTS_H

#include "vm.h"
#include "world.h"

struct port_access {
	struct vm *vm;
	struct world *w;
	unsigned self;		/* the vCPU whose step this is */
	uint64_t now;		/* the VM's time, vm_time() */
	uint16_t port;
	unsigned size;		/* 1, 2, 4 bytes */
};

/* IN: all ones where nothing is. */
uint32_t port_read(const struct port_access *a);

/*
 * OUT: `count` values of a->size bytes each, one after another (REP OUTS), little-endian in `bytes`. May end
 * the run: vm->stop.kind says so. Gives how many values were taken: all, unless the run ended.
 */
uint32_t port_write(const struct port_access *a, const uint8_t *bytes, uint32_t count);

/* Whether any device is at `port`. */
bool port_exists(uint16_t port, unsigned size);

#endif
