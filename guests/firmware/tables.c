/*
 * tables.c: ACPI's tables (ACPI Specification 6.0, "ACPI Software Programming Model"), from the scan for the
 * RSDP to the value that switches the power off, and the SMBIOS entry point.
 */
#include "firmware.h"

#define SCAN_START  0xe0000
#define SCAN_END    0x100000
#define SLP_EN      (1u << 13)
#define SCI_EN      1u
#define OP_PACKAGE  0x12

static const uint8_t *scan(const char *signature, size_t length, uint64_t from)
{
	for (uint64_t a = from; a < SCAN_END; a += 16)
		if (!memcmp((const void *)a, signature, length))
			return (const void *)a;
	return NULL;
}

static const uint8_t *find(const char *signature)
{
	const uint8_t *rsdp = scan("RSD PTR ", 8, SCAN_START);
	const uint8_t *xsdt = rsdp ? (const void *)get(rsdp + 24, 8) : NULL;

	for (uint64_t at = 36; xsdt && at < get(xsdt + 4, 4); at += 8) {
		const uint8_t *t = (const void *)get(xsdt + at, 8);

		if (!memcmp(t, signature, 4))
			return t;
	}
	test_fail("there is no %s", signature);
	return NULL;
}

static void check_madt(const uint8_t *t)
{
	unsigned processors = 0, ioapics = 0;

	test_equal("address of the local APICs", get(t + 36, 4), MMIO_LAPIC);
	for (const uint8_t *e = t + 44; e < t + get(t + 4, 4) && e[1]; e += e[1]) {
		processors += e[0] == 0 && (e[4] & 1);
		ioapics += e[0] == 1 && get(e + 4, 4) == MMIO_IOAPIC;
	}
	test_equal("processors in the MADT", processors, cpu_count());
	test_equal("I/O APICs in the MADT", ioapics, 1);
}

void test_acpi(void)
{
	const uint8_t *rsdp = scan("RSD PTR ", 8, SCAN_START), *fadt = find("FACP"), *madt = find("APIC");

	if (!rsdp || !fadt || !madt)
		return;
	test_equal("sum of the RSDP", sum(rsdp, get(rsdp + 20, 4)), 0);
	test_equal("sum of the FADT", sum(fadt, get(fadt + 4, 4)), 0);
	test_equal("sum of the MADT", sum(madt, get(madt + 4, 4)), 0);
	check_madt(madt);
	/* No SMI command to switch ACPI on, so it is on. */
	test_equal("SMI_CMD", get(fadt + 48, 4), 0);
	test_equal("SCI_EN", inw((uint16_t)get(fadt + 64, 4)) & SCI_EN, SCI_EN);
	/* A status bit that is set stays so until it is cleared; none is, and nothing is enabled. */
	test_equal("PM1 status", inw((uint16_t)get(fadt + 56, 4)), 0);
	test_equal("PM1 enable", inw((uint16_t)get(fadt + 56, 4) + 2), 0);
}

/* The DSDT's Name (_S5, Package () {SLP_TYPa, …}), whose first element is ZeroOp or OneOp, or -1. */
static int sleep_type(const uint8_t *dsdt)
{
	const uint8_t *end = dsdt + get(dsdt + 4, 4);

	for (const uint8_t *p = dsdt + 36; p + 8 < end; p++)
		if (!memcmp(p, "_S5_", 4) && p[4] == OP_PACKAGE) {
			p += 5 + 1 + (p[5] >> 6) + 1;	/* PkgLength, number of elements */
			return *p <= 1 ? *p : -1;
		}
	return -1;
}

void acpi_power_off(void)
{
	const uint8_t *fadt = find("FACP");
	int type = fadt ? sleep_type((const void *)get(fadt + 40, 4)) : -1;
	uint16_t port = fadt ? (uint16_t)get(fadt + 64, 4) : 0;

	if (type < 0 || !port)
		return;
	/* As ACPICA does it: first the type, then the type and SLP_EN. */
	outw(port, (uint16_t)(SCI_EN | type << 10));
	outw(port, (uint16_t)(SCI_EN | type << 10 | SLP_EN));
}

void test_smbios(void)
{
	const uint8_t *entry = scan("_SM3_", 5, 0xf0000);

	CHECK(entry, "there is no SMBIOS entry point");
	if (!entry)
		return;
	test_equal("sum of the SMBIOS entry point", sum(entry, entry[6]), 0);
	test_equal("the first structure's type", *(const uint8_t *)get(entry + 16, 8), 0);
}
