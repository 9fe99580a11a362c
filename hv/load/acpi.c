/*
 * acpi.c: RSDP, XSDT, FADT, FACS, MADT and DSDT (ACPI Specification 6.0, "ACPI Software Programming Model").
 *
 * Called by load.c. Describes platform.h's machine and nothing that isn't there: a guest probes what it is
 * told of, and each probe is an exit. There is no power management timer (the TSC's frequency is known, and
 * reading a port costs an exit), no keyboard controller, no general-purpose events, and no PCI host bridge,
 * as the bus is empty.
 */
#include <string.h>

#include "dev/irq.h"
#include "load/acpi.h"
#include "load/aml.h"
#include "platform.h"

#define OEM_ID			"VEXIT "
#define OEM_TABLE_ID		"VEXIT   "
#define HEADER_SIZE		36u
#define CHECKSUM_AT		9u

#define RSDP_SIZE		36u
#define RSDP_SIZE_1		20u	/* what its first checksum covers: all of ACPI 1.0's */
#define FACS_SIZE		64u
#define FADT_SIZE		276u

enum {				/* FADT, by offset */
	FADT_FIRMWARE_CTRL = 36, FADT_DSDT = 40, FADT_SCI_INT = 46, FADT_PM1A_EVENT = 56,
	FADT_PM1A_CONTROL = 64, FADT_PM1_EVENT_LENGTH = 88, FADT_PM1_CONTROL_LENGTH = 89,
	FADT_C2_LATENCY = 96, FADT_C3_LATENCY = 98, FADT_CENTURY = 108, FADT_BOOT_ARCH = 109,
	FADT_FLAGS = 112, FADT_RESET_REGISTER = 116, FADT_RESET_VALUE = 128, FADT_X_DSDT = 140,
	FADT_X_PM1A_EVENT = 148, FADT_X_PM1A_CONTROL = 172, FADT_HYPERVISOR = 268,
};

#define FADT_REVISION		6
#define BOOT_LEGACY_DEVICES	(1u << 0)	/* user-visible ISA devices: the UART */
#define BOOT_NO_VGA		(1u << 2)
#define BOOT_NO_MSI		(1u << 3)
#define BOOT_NO_ASPM		(1u << 4)
#define FLAG_WBINVD		(1u << 0)
#define FLAG_C1			(1u << 2)	/* HLT works on all processors */
#define FLAG_NO_POWER_BUTTON	(1u << 4)	/* no fixed one, nor any other */
#define FLAG_NO_SLEEP_BUTTON	(1u << 5)
#define FLAG_RESET_REGISTER	(1u << 10)
#define NO_C2			101		/* µs: more than the largest latency that counts */
#define NO_C3			1001
#define RESET_VALUE		6		/* reset control: to the processor, and as a hard reset */

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4 };
#define MADT_8259		1u	/* PCAT_COMPAT: the 8259 pair is there */
#define LAPIC_ENABLED		1u
#define LEVEL_HIGH		0xdu	/* MPS INTI flags: level-triggered, active high */
#define ALL_PROCESSORS		0xff
#define PIN_IRQ0		2	/* of the I/O APIC */
#define RTC_CENTURY		0x32	/* where the RTC has it */

static void put(uint8_t *to, uint64_t value, unsigned size)
{
	memcpy(to, &value, size);
}

/* The byte that makes the sum of all zero; its own place is zero before. */
static uint8_t checksum(const uint8_t *at, uint32_t size)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + at[i]);
	return (uint8_t)-sum;
}

/* Completes a table, whose contents are there. */
static void finish(uint8_t *t, const char *signature, uint8_t revision, uint32_t size)
{
	memcpy(t, signature, 4);
	put(t + 4, size, 4);
	t[8] = revision;
	memcpy(t + 10, OEM_ID, 6);
	memcpy(t + 16, OEM_TABLE_ID, 8);
	put(t + 24, 1, 4);
	memcpy(t + 28, "VXIT", 4);	/* who made the table: no compiler did */
	put(t + 32, 1, 4);
	t[CHECKSUM_AT] = checksum(t, size);
}

static uint32_t build_dsdt(uint8_t *t, uint32_t cpus)
{
	struct aml a = { t + HEADER_SIZE };
	uint8_t *scope, *device;
	char name[] = "CPU0";

	/* SLP_TYP 0 is power-off: what PORT_POWER_OFF_VALUE writes */
	aml_name_zeros(&a, "_S5_", 4);
	scope = aml_scope(&a, "_SB_");
	for (uint32_t i = 0; i < cpus; i++) {
		name[3] = (char)('0' + i);
		device = aml_device(&a, name);
		aml_name_text(&a, "_HID", "ACPI0007");
		aml_name_integer(&a, "_UID", (uint8_t)i);
		aml_end(&a, device);
	}
	device = aml_device(&a, "COM1");
	aml_name_eisa_id(&a, "_HID", "PNP0501");
	aml_name_integer(&a, "_UID", 1);
	aml_resources(&a, PORT_UART, 8, IRQ_UART);
	aml_end(&a, device);
	device = aml_device(&a, "RTC_");
	aml_name_eisa_id(&a, "_HID", "PNP0B00");
	aml_resources(&a, PORT_RTC, 2, IRQ_RTC);
	aml_end(&a, device);
	aml_end(&a, scope);
	finish(t, "DSDT", 2, (uint32_t)(a.at - t));
	return (uint32_t)(a.at - t);
}

static uint32_t build_facs(uint8_t *t)
{
	memcpy(t, "FACS", 4);
	put(t + 4, FACS_SIZE, 4);
	t[32] = 2;	/* version; this table has no checksum */
	return FACS_SIZE;
}

/* Generic address structure of a register in I/O space, accessed whole */
static void put_port(uint8_t *to, uint8_t bytes, uint8_t access_size, uint16_t port)
{
	to[0] = 1;	/* system I/O space */
	to[1] = (uint8_t)(bytes * 8);
	to[3] = access_size;
	put(to + 4, port, 8);
}

static uint32_t build_fadt(uint8_t *t, uint32_t facs, uint32_t dsdt)
{
	put(t + FADT_FIRMWARE_CTRL, facs, 4);
	put(t + FADT_DSDT, dsdt, 4);
	put(t + FADT_X_DSDT, dsdt, 8);
	put(t + FADT_SCI_INT, IRQ_SCI, 2);
	/* SMI_CMD stays 0: the machine is in ACPI mode from the start. */
	put(t + FADT_PM1A_EVENT, PORT_PM1_EVENT, 4);
	put(t + FADT_PM1A_CONTROL, PORT_POWER_OFF, 4);
	t[FADT_PM1_EVENT_LENGTH] = 4;
	t[FADT_PM1_CONTROL_LENGTH] = 2;
	put_port(t + FADT_X_PM1A_EVENT, 4, 2, PORT_PM1_EVENT);
	put_port(t + FADT_X_PM1A_CONTROL, 2, 2, PORT_POWER_OFF);
	put(t + FADT_C2_LATENCY, NO_C2, 2);
	put(t + FADT_C3_LATENCY, NO_C3, 2);
	t[FADT_CENTURY] = RTC_CENTURY;
	put(t + FADT_BOOT_ARCH, BOOT_LEGACY_DEVICES | BOOT_NO_VGA | BOOT_NO_MSI | BOOT_NO_ASPM, 2);
	put(t + FADT_FLAGS, FLAG_WBINVD | FLAG_C1 | FLAG_NO_POWER_BUTTON | FLAG_NO_SLEEP_BUTTON |
	    FLAG_RESET_REGISTER, 4);
	put_port(t + FADT_RESET_REGISTER, 1, 1, PORT_RESET);
	t[FADT_RESET_VALUE] = RESET_VALUE;
	memcpy(t + FADT_HYPERVISOR, "vexit", 5);
	finish(t, "FACP", FADT_REVISION, FADT_SIZE);
	return FADT_SIZE;
}

static uint8_t *put_override(uint8_t *e, uint8_t irq, uint32_t pin, uint16_t flags)
{
	e[0] = MADT_OVERRIDE;
	e[1] = 10;
	e[3] = irq;	/* e[2], the bus: ISA */
	put(e + 4, pin, 4);
	put(e + 8, flags, 2);
	return e + 10;
}

static uint32_t build_madt(uint8_t *t, uint32_t cpus)
{
	uint8_t *e = t + HEADER_SIZE;

	put(e, MMIO_LAPIC, 4);
	put(e + 4, MADT_8259, 4);
	e += 8;
	for (uint32_t i = 0; i < cpus; i++) {
		e[0] = MADT_LAPIC;
		e[1] = 8;
		e[2] = (uint8_t)i;	/* _UID */
		e[3] = (uint8_t)i;	/* APIC id */
		e[4] = LAPIC_ENABLED;
		e += 8;
	}
	/* Its id, e[2], is 0 as in its register after reset: local APICs' ids are another space. */
	e[0] = MADT_IOAPIC;
	e[1] = 12;
	put(e + 4, MMIO_IOAPIC, 4);
	e += 12;			/* its first interrupt: 0 */
	e = put_override(e, IRQ_PIT, PIN_IRQ0, 0);	/* edge-triggered, active high, as the ISA bus */
	e = put_override(e, IRQ_SCI, IRQ_SCI, LEVEL_HIGH);
	e[0] = MADT_LAPIC_NMI;
	e[1] = 6;
	e[2] = ALL_PROCESSORS;
	e[5] = 1;			/* LINT1 */
	e += 6;
	finish(t, "APIC", 4, (uint32_t)(e - t));
	return (uint32_t)(e - t);
}

static void build_rsdp(uint8_t *t, uint32_t xsdt)
{
	memcpy(t, "RSD PTR ", 8);
	memcpy(t + 9, OEM_ID, 6);
	t[15] = 2;			/* revision; no RSDT */
	put(t + 20, RSDP_SIZE, 4);
	put(t + 24, xsdt, 8);
	t[8] = checksum(t, RSDP_SIZE_1);
	t[32] = checksum(t, RSDP_SIZE);
}

uint32_t acpi_build(uint8_t *at, uint32_t base, uint32_t cpus)
{
	uint32_t facs = 64, dsdt = facs + FACS_SIZE, fadt, madt, xsdt, end;

	build_facs(at + facs);
	fadt = (dsdt + build_dsdt(at + dsdt, cpus) + 15) & ~15u;
	madt = (fadt + build_fadt(at + fadt, base + facs, base + dsdt) + 15) & ~15u;
	xsdt = (madt + build_madt(at + madt, cpus) + 15) & ~15u;
	put(at + xsdt + HEADER_SIZE, base + fadt, 8);
	put(at + xsdt + HEADER_SIZE + 8, base + madt, 8);
	end = xsdt + HEADER_SIZE + 16;
	finish(at + xsdt, "XSDT", 1, end - xsdt);
	build_rsdp(at, base + xsdt);
	return end;
}
