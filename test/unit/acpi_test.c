/*
 * The machine's tables, read as a guest reads them: found by their signatures, followed by their addresses,
 * summed up, and compared with the ports and addresses of platform.h. ACPICA's disassembler and compiler must
 * understand them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load/acpi.h"
#include "load/smbios.h"
#include "platform.h"
#include "support/fake.h"
#include "support/guest_image.h"

#define BASE	0xe0000u
#define CPUS	3u

static uint8_t tables[ACPI_SIZE_MAX];
static uint32_t tables_size;

static int build(void **state)
{
	(void)state;
	memset(tables, 0, sizeof(tables));
	tables_size = acpi_build(tables, BASE, CPUS);
	return 0;
}

static uint8_t sum(const uint8_t *at, uint64_t size)
{
	uint8_t s = 0;

	while (size--)
		s = (uint8_t)(s + *at++);
	return s;
}

/* A table at its address: signature, length and checksum are right. */
static const uint8_t *table_at(uint64_t address, const char *signature)
{
	const uint8_t *t = tables + (address - BASE);

	assert_in_range(address, BASE, BASE + tables_size - 36);
	assert_memory_equal(t, signature, 4);
	assert_in_range(image_get(t + 4, 4), 36, BASE + tables_size - address);
	if (strcmp(signature, "FACS"))
		assert_int_equal(sum(t, image_get(t + 4, 4)), 0);
	return t;
}

static const uint8_t *find(const char *signature)
{
	const uint8_t *xsdt = table_at(image_get(tables + 24, 8), "XSDT");

	for (unsigned at = 36; at < image_get(xsdt + 4, 4); at += 8) {
		uint64_t address = image_get(xsdt + at, 8);

		if (!memcmp(tables + (address - BASE), signature, 4))
			return table_at(address, signature);
	}
	fail_msg("no %s in the XSDT", signature);
	return NULL;
}

static void the_root_leads_to_all(void **state)
{
	(void)state;
	assert_memory_equal(tables, "RSD PTR ", 8);
	assert_int_equal(sum(tables, 20), 0);
	assert_int_equal(sum(tables, 36), 0);
	assert_int_equal(tables[15], 2);
	assert_int_equal(image_get(tables + 20, 4), 36);
	find("FACP");
	find("APIC");
	assert_in_range(tables_size, 500, ACPI_SIZE_MAX);
	/* The most that it has to hold */
	memset(tables, 0, sizeof(tables));
	assert_in_range(acpi_build(tables, BASE, VM_MAX_CPUS), tables_size, ACPI_SIZE_MAX);
}

static void check_port(const uint8_t *gas, unsigned bits, uint64_t port)
{
	assert_int_equal(gas[0], 1);	/* system I/O */
	assert_int_equal(gas[1], bits);
	assert_int_equal(gas[2], 0);
	assert_int_equal(image_get(gas + 4, 8), port);
}

/* ACPI, "Fixed ACPI Description Table (FADT)" */
static void the_fadt_has_our_ports(void **state)
{
	const uint8_t *t = find("FACP");
	uint64_t flags = image_get(t + 112, 4), boot = image_get(t + 109, 2);

	(void)state;
	assert_true(t[8] >= 5 && image_get(t + 4, 4) >= 268);
	table_at(image_get(t + 36, 4), "FACS");
	assert_int_equal(image_get(t + 36, 4) % 64, 0);
	assert_ptr_equal(table_at(image_get(t + 40, 4), "DSDT"), table_at(image_get(t + 140, 8), "DSDT"));
	assert_int_equal(image_get(t + 46, 2), 9);
	assert_int_equal(image_get(t + 48, 4), 0);			/* SMI_CMD: always in ACPI mode */
	assert_int_equal(image_get(t + 56, 4), PORT_PM1_EVENT);
	assert_int_equal(image_get(t + 64, 4), PORT_POWER_OFF);
	assert_int_equal(t[88], 4);
	assert_int_equal(t[89], 2);
	assert_int_equal(t[91], 0);					/* no PM timer … */
	assert_int_equal(image_get(t + 76, 4), 0);
	assert_int_equal(t[208 + 1], 0);
	assert_int_equal(t[92] | t[93], 0);				/* … and no GPEs */
	check_port(t + 148, 32, PORT_PM1_EVENT);
	check_port(t + 172, 16, PORT_POWER_OFF);
	check_port(t + 116, 8, PORT_RESET);
	assert_int_equal(t[128], 6);
	assert_int_equal(flags & (1 << 10), 1 << 10);			/* RESET_REG_SUP */
	assert_int_equal(flags & (1 << 20), 0);				/* not HW_REDUCED_ACPI */
	assert_int_equal(boot & 1 << 1, 0);				/* no 8042 to probe */
	assert_int_equal(boot & 1 << 5, 0);				/* there is a CMOS RTC */
	assert_int_equal(t[108], 0x32);
}

/* ACPI, "Multiple APIC Description Table (MADT)" */
static void the_madt_has_our_processors(void **state)
{
	const uint8_t *t = find("APIC"), *end = t + image_get(t + 4, 4);
	unsigned processors = 0, overrides = 0, ioapics = 0, nmis = 0;

	(void)state;
	assert_int_equal(image_get(t + 36, 4), MMIO_LAPIC);
	assert_int_equal(image_get(t + 40, 4), 1);
	for (t += 44; t < end; t += t[1]) {
		assert_true(t[1] >= 6 && t + t[1] <= end);
		if (t[0] == 0) {
			assert_int_equal(t[2], processors);
			assert_int_equal(t[3], processors);
			assert_int_equal(image_get(t + 4, 4), 1);
			processors++;
		} else if (t[0] == 1) {
			assert_int_equal(image_get(t + 4, 4), MMIO_IOAPIC);
			assert_int_equal(image_get(t + 8, 4), 0);
			ioapics++;
		} else if (t[0] == 2) {
			assert_int_equal(t[2], 0);
			assert_int_equal(image_get(t + 4, 4), t[3] == 0 ? 2 : 9);
			assert_int_equal(image_get(t + 8, 2), t[3] == 0 ? 0 : 0xd);
			overrides += t[3] == 0 || t[3] == 9;
		} else {
			assert_int_equal(t[0], 4);
			assert_int_equal(t[2], 0xff);
			assert_int_equal(t[5], 1);
			nmis++;
		}
	}
	assert_ptr_equal(t, end);
	assert_int_equal(processors, CPUS);
	assert_int_equal(ioapics, 1);
	assert_int_equal(overrides, 2);
	assert_int_equal(nmis, 1);
}

static void write_table(const char *directory, const char *name, const uint8_t *t)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.aml", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(t, 1, image_get(t + 4, 4), f), image_get(t + 4, 4));
	fclose(f);
}

/*
 * iasl takes the tables apart; of the DSDT it says what we meant, and its own compilation of that has our
 * bytes.
 */
static void acpica_understands_them(void **state)
{
	static const char script[] =
		"cd %s && iasl -d DSDT.aml FACP.aml APIC.aml >out 2>&1 &&"
		" grep -q 'EisaId (\"PNP0501\")' DSDT.dsl && grep -q 'EisaId (\"PNP0B00\")' DSDT.dsl &&"
		" grep -q '{4}' DSDT.dsl && grep -q '{8}' DSDT.dsl && [ $(grep -c ACPI0007 DSDT.dsl) = 3 ] &&"
		" grep -q 'Name (_S5, Package (0x04)' DSDT.dsl &&"
		" grep -q 'Reset Register Supported (V2) : 1' FACP.dsl &&"
		" ! grep -qi 'warning\\|error\\|invalid' out &&"
		" iasl -p again -oa DSDT.dsl >out2 2>&1 && grep -q '0 Errors, 0 Warnings' out2";
	char directory[] = "/tmp/acpi_test.XXXXXX", command[2000];
	int status;

	(void)state;
	if (system("command -v iasl >/dev/null"))
		skip();
	assert_non_null(mkdtemp(directory));
	write_table(directory, "FACP", find("FACP"));
	write_table(directory, "APIC", find("APIC"));
	write_table(directory, "DSDT", table_at(image_get(find("FACP") + 40, 4), "DSDT"));
	snprintf(command, sizeof(command), script, directory);
	status = system(command);
	if (status) {
		snprintf(command, sizeof(command), "cat %s/out %s/out2 %s/DSDT.dsl", directory, directory,
			 directory);
		fail_msg("iasl: status %d, %d", status, system(command));
	}
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

/* DMTF, SMBIOS 3.0: entry point, then structures up to type 127, each with its strings. */
static void smbios_has_a_date(void **state)
{
	uint8_t smbios[SMBIOS_SIZE_MAX] = { 0 };
	uint32_t size = smbios_build(smbios, 0xf0000);
	const uint8_t *s, *end;
	unsigned types = 0;

	(void)state;
	assert_memory_equal(smbios, "_SM3_", 5);
	assert_int_equal(sum(smbios, smbios[6]), 0);
	assert_in_range(size, 64, SMBIOS_SIZE_MAX);
	s = smbios + (image_get(smbios + 16, 8) - 0xf0000);
	end = s + image_get(smbios + 12, 4);
	assert_ptr_equal(end, smbios + size);
	for (;;) {
		const char *text = (const char *)s + s[1];
		unsigned strings = 0, type = s[0];

		types |= 1u << type % 32;
		for (; *text; text += strlen(text) + 1) {
			strings++;
			if (type == 0 && strings == s[8])
				assert_string_equal(text, "01/01/2026");
		}
		if (type == 0)
			assert_int_equal(strings, 3);
		s = (const uint8_t *)text + (strings ? 1 : 2);
		assert_true(s <= end);
		if (type == 127)
			break;
	}
	assert_ptr_equal(s, end);
	assert_int_equal(types, 1u << 0 | 1u << 1 | 1u << 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_root_leads_to_all, build),
		cmocka_unit_test_setup(the_fadt_has_our_ports, build),
		cmocka_unit_test_setup(the_madt_has_our_processors, build),
		cmocka_unit_test_setup(acpica_understands_them, build),
		cmocka_unit_test(smbios_has_a_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
