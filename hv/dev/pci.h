/* pci.h: PCI configuration mechanism 1 (PCI Local Bus Specification, "Configuration Mechanism #1"). */
#ifndef VEXIT_DEV_PCI_H
#define VEXIT_DEV_PCI_H

#include "dev/ports.h"

/* CONFIG_ADDRESS, 32 bits at PORT_PCI, and CONFIG_DATA, four ports behind it. */
uint32_t pci_address_read(const struct port_access *a);
void pci_address_write(const struct port_access *a, uint32_t value);
uint32_t pci_data_read(const struct port_access *a);
void pci_data_write(const struct port_access *a, uint32_t value);

#endif
