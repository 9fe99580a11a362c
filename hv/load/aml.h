/*
 * aml.h: writes ACPI Machine Language (ACPI Specification, "ACPI Machine Language (AML) Specification"): the
 * few terms that a description of devices needs.
 */
#ifndef VEXIT_LOAD_AML_H
#define VEXIT_LOAD_AML_H

#include <stdint.h>

struct aml {
	uint8_t *at;		/* where the next byte goes */
};

/* Name (`name`, `value`); names are NameSegs of four characters. */
void aml_name_integer(struct aml *a, const char *name, uint8_t value);
void aml_name_text(struct aml *a, const char *name, const char *text);
void aml_name_eisa_id(struct aml *a, const char *name, const char *id);		/* EisaId ("PNP0501") */
void aml_name_zeros(struct aml *a, const char *name, uint8_t count);		/* Package (count) {0, …} */

/* Scope (`path`) {…} and Device (`name`) {…}: the first gives a mark that aml_end() takes. */
uint8_t *aml_scope(struct aml *a, const char *path);
uint8_t *aml_device(struct aml *a, const char *name);
void aml_end(struct aml *a, uint8_t *mark);

/* Name (_CRS, ResourceTemplate () { IO (Decode16, port, port, 0, count) IRQNoFlags () { irq } }) */
void aml_resources(struct aml *a, uint16_t port, uint8_t count, uint8_t irq);

#endif
