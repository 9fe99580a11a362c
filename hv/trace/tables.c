/*
 * tables.c: the VMCS field table, from vmcs.def. Read by everybody, written by nobody.
 */
#include "vmcs.h"

const struct vmcs_field vmcs_fields[VMCS_SLOTS] = {
#define VMCS(name, encoding, change) { encoding, VMCS_CHANGE_##change, #name },
#include "vmcs.def"
#undef VMCS
};
