/*
 * guest_image.c: see guest_image.h. Written from the formats' own texts, not with the loader's constants.
 */
#include <elf.h>
#include <string.h>

#include "support/guest_image.h"

#define CODE_SIZE	0x100u
#define DATA_SIZE	16u
#define DATA_MEMORY	4096u

void image_put(uint8_t *to, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

uint64_t image_get(const uint8_t *from, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)from[i] << 8 * i;
	return value;
}

uint64_t image_linux(uint8_t *to)
{
	memset(to, 0, IMAGE_MAX);
	to[0x1f1] = 1;							/* setup_sects */
	image_put(to + 0x1f4, IMAGE_LINUX_KERNEL / 16, 4);		/* syssize */
	image_put(to + 0x1fe, 0xaa55, 2);
	image_put(to + 0x200, 0x6aeb, 2);				/* jump: the header ends at 0x26c */
	memcpy(to + 0x202, "HdrS", 4);
	image_put(to + 0x206, 0x20f, 2);				/* version */
	to[0x211] = 1;							/* loadflags: LOADED_HIGH */
	image_put(to + 0x22c, 0x7fffffff, 4);				/* initrd_addr_max */
	image_put(to + 0x230, 0x200000, 4);				/* kernel_alignment */
	to[0x234] = 1;							/* relocatable */
	image_put(to + 0x236, 0x7f, 2);					/* xloadflags */
	image_put(to + 0x238, IMAGE_LINUX_CMDLINE, 4);
	image_put(to + 0x248, 0x220, 4);				/* payload */
	image_put(to + 0x24c, 0x100, 4);
	image_put(to + 0x258, IMAGE_LINUX_AT, 8);
	image_put(to + 0x260, IMAGE_LINUX_INIT_SIZE, 4);
	for (unsigned i = 0; i < IMAGE_LINUX_KERNEL; i++)
		to[IMAGE_LINUX_SETUP + i] = (uint8_t)(i * 7 + 1);
	return IMAGE_LINUX_SETUP + IMAGE_LINUX_KERNEL;
}

/* Code and data behind the headers; gives the file's size. */
static uint64_t put_contents(uint8_t *to, unsigned code)
{
	for (unsigned i = 0; i < CODE_SIZE + DATA_SIZE; i++)
		to[code + i] = (uint8_t)(i * 5 + 3);
	image_put(to + code, 0x1badb002, 4);
	image_put(to + code + 4, 3, 4);
	image_put(to + code + 8, -(0x1badb002 + 3), 4);
	return code + CODE_SIZE + DATA_SIZE;
}

/* The fields that both classes have by one name. */
#define PUT_HEADER(h, p, class, machine, segments) \
	do { \
		memcpy((h)->e_ident, ELFMAG class "\1\1", 7); \
		(h)->e_type = ET_EXEC; \
		(h)->e_machine = machine; \
		(h)->e_entry = IMAGE_ELF_CODE_AT + IMAGE_ELF_VIRTUAL + IMAGE_ELF_ENTRY; \
		(h)->e_phoff = sizeof(*(h)); \
		(h)->e_phentsize = sizeof(*(p)); \
		(h)->e_phnum = segments; \
	} while (0)

uint64_t image_elf32(uint8_t *to)
{
	const unsigned code = sizeof(Elf32_Ehdr) + 3 * sizeof(Elf32_Phdr);
	Elf32_Ehdr *h = (Elf32_Ehdr *)to;
	Elf32_Phdr *p = (Elf32_Phdr *)(to + sizeof(*h));

	memset(to, 0, IMAGE_MAX);
	PUT_HEADER(h, p, "\1", EM_386, 3);
	p[0] = (Elf32_Phdr){ .p_type = PT_GNU_STACK };
	p[1] = (Elf32_Phdr){ PT_LOAD, code, IMAGE_ELF_CODE_AT + IMAGE_ELF_VIRTUAL, IMAGE_ELF_CODE_AT,
			    CODE_SIZE, CODE_SIZE, 5, 4 };
	p[2] = (Elf32_Phdr){ PT_LOAD, code + CODE_SIZE, IMAGE_ELF_DATA_AT + IMAGE_ELF_VIRTUAL,
			    IMAGE_ELF_DATA_AT, DATA_SIZE, DATA_MEMORY, 6, 4 };
	return put_contents(to, code);
}

uint64_t image_elf64(uint8_t *to)
{
	const unsigned code = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
	Elf64_Ehdr *h = (Elf64_Ehdr *)to;
	Elf64_Phdr *p = (Elf64_Phdr *)(to + sizeof(*h));

	memset(to, 0, IMAGE_MAX);
	PUT_HEADER(h, p, "\2", EM_X86_64, 2);
	p[0] = (Elf64_Phdr){ PT_LOAD, 5, code, IMAGE_ELF_CODE_AT + IMAGE_ELF_VIRTUAL, IMAGE_ELF_CODE_AT,
			    CODE_SIZE, CODE_SIZE, 4 };
	p[1] = (Elf64_Phdr){ PT_LOAD, 6, code + CODE_SIZE, IMAGE_ELF_DATA_AT + IMAGE_ELF_VIRTUAL,
			    IMAGE_ELF_DATA_AT, DATA_SIZE, DATA_MEMORY, 4 };
	return put_contents(to, code);
}
