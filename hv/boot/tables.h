/* tables.h: the host's GDT, TSS, IDT and FS block, and where they are, for the VMCS's host-state area. */
#ifndef BOOT_TABLES_H
#define BOOT_TABLES_H

#include <stdint.h>

#define TABLES_CS	0x08
#define TABLES_DS	0x10
#define TABLES_TR	0x18

/* Loads GDT, TSS and IDT: from here on a fault is a readable panic. */
void tables_init(void);

uint64_t tables_gdt_base(void);
uint64_t tables_idt_base(void);
uint64_t tables_tss_base(void);

/* FS.base: zstd's stack protector reads its canary at %fs:0x28. */
uint64_t tables_fs_base(void);

#endif
