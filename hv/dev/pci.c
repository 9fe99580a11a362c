/*
 * pci.c: PCI configuration space of an empty bus.
 *
 * Called by the port table. The address register reads back, so that a guest finds the mechanism; each
 * function it then looks for gives the all ones of a cycle that no device claimed.
 */
#include "dev/pci.h"

/* Enable, bus, device, function, register; bits 30:24 and 1:0 are hardwired to 0. */
#define ADDRESS_WRITABLE	0x80fffffcu

uint32_t pci_address_read(const struct port_access *a)
{
	return a->vm->chipset.pci_address;
}

void pci_address_write(const struct port_access *a, uint32_t value)
{
	a->vm->chipset.pci_address = value & ADDRESS_WRITABLE;
	vm_touch(a->vm, VM_DEVICE_CHIPSET);
}

uint32_t pci_data_read(const struct port_access *a)
{
	(void)a;
	return UINT32_MAX;
}

void pci_data_write(const struct port_access *a, uint32_t value)
{
	(void)a, (void)value;
}
