/*
 * machine.h: the machine under the hypervisor: an emulator process, its three serial ports, its boot medium.
 *
 * machine.c starts and ends it, bochs.c and qemu.c know their emulator's words, image.c makes the medium,
 * serial.c is a serial port that is a socket, follow.c one that is a file. record.c alone uses them.
 */
#ifndef VEXIT_MACHINE_H
#define VEXIT_MACHINE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum machine_kind { MACHINE_AUTO, MACHINE_BOCHS, MACHINE_QEMU };

struct machine_config {
	enum machine_kind kind;
	const char *cpu;		/* the emulator's model, NULL: its default with VMX */
	uint64_t memory_mib;		/* of the machine: the guest's and the hypervisor's; the medium's comes on top */
	uint64_t rtc;			/* seconds since 1970, UTC, at power-on */
	bool input;			/* the console is two-way: a socket, not a file, and slower */
};

/* ---- serial.c ---- */

struct serial_port {				/* a serial port that the emulator connects to a socket of ours */
	int listener, fd;		/* -1: none; the connection, once it is there */
	uint16_t number;		/* TCP, on the loopback interface */
};

/* A new one; what was open is closed. false: printed. */
bool serial_listen(struct serial_port *p, const char *what);
/* Both give the number of bytes, and never wait; they take the connection when it comes. */
size_t serial_read(struct serial_port *p, void *bytes, size_t size);
size_t serial_write(struct serial_port *p, const void *bytes, size_t size);
/* The descriptor whose POLLIN says that serial_read() has something to do, or -1. */
int serial_to_poll(const struct serial_port *p);
void serial_close(struct serial_port *p);

/* ---- machine.c ---- */

/* In the machine's directory. The emulator writes them, the recorder follows. */
#define MACHINE_CONSOLE	"console"	/* COM1: the guest's console, where nobody types */
#define MACHINE_WIRE	"wire"		/* COM2: the trace stream */
#define MACHINE_LOG	"log"		/* COM3 as it came; written by the recorder */
#define MACHINE_ISO	"boot.iso"
#define MACHINE_OUTPUT	"machine.out"	/* stdout and stderr of the emulator */
#define MACHINE_EVENTS	"machine.log"	/* what the emulator itself logs */

struct machine {
	char directory[PATH_MAX];
	bool keep;			/* the directory stays */
	enum machine_kind kind;
	bool kvm;
	pid_t pid;			/* 0: not running */
	int status;			/* waitpid()'s, after it ended */
	struct serial_port console;		/* COM1, with input; otherwise a file */
	struct serial_port log;		/* COM3 */
};

/* A directory for a run, under $TMPDIR, or `keep` if not NULL. Removes those that killed recorders left.
 * false: printed. */
bool machine_make_directory(struct machine *m, const char *keep);
void machine_remove_directory(struct machine *m);

/* The emulator for `kind`. false: printed why none can be had. */
bool machine_choose(struct machine *m, enum machine_kind kind);

/* Start it on MACHINE_ISO in m->directory. It dies with the recorder. false: printed. */
bool machine_start(struct machine *m, const struct machine_config *c);
/* Whether it still runs; reaps it when not. */
bool machine_running(struct machine *m);
void machine_kill(struct machine *m);

/* Ask the hypervisor for a stop. */
void machine_ask_stop(struct machine *m);
/* Give back the disk of what the emulator has logged, but for the end. */
void machine_trim_log(const struct machine *m);
/* Lines of the emulator's own output that say why it ended, to stderr. */
void machine_explain(const struct machine *m);

/* Arguments to exec, NULL at the end, in storage of their own. bochs.c, qemu.c */
char **bochs_command(const struct machine *m, const struct machine_config *c);
char **qemu_command(const struct machine *m, const struct machine_config *c);
bool qemu_has_vmx(void);	/* KVM is there and gives guests VMX */

/* ---- image.c ---- */

struct image_config {
	const char *hypervisor;		/* ELF */
	const char *guest, *guest_name;	/* file; what its command line begins with */
	const char *append;		/* the rest of it, or NULL */
	const char *initrd;		/* or NULL */
	uint64_t memory;		/* of the guest, bytes */
	uint32_t vcpus;
	char options[256];		/* the hypervisor's, after session= */
	uint64_t session;
};

struct image_part {			/* a file of the medium */
	const char *name;		/* below /boot */
	uint8_t *bytes;
	size_t size;
};

/* DIRECTORY/MACHINE_ISO, from a cache when it has one, if the guest can be loaded at all. false: printed. */
bool image_build(const struct image_config *c, const char *directory);
/* Where the tool's own files are: $VEXIT_DIR, or the directory of the executable. */
const char *image_directory(void);

/* ---- guest_file.c ---- */

/*
 * Whether the hypervisor will load this guest, and this initrd if not NULL. false: printed why not, and
 * where in which file.
 */
bool guest_file_check(const struct image_config *c, const struct image_part *guest, const struct image_part *initrd);

/* ---- follow.c ---- */

struct follow {				/* a file that an emulator makes and appends to */
	char path[PATH_MAX];
	int fd;				/* -1: not there yet */
	uint64_t offset, punched;
};

void follow_init(struct follow *f, const char *directory, const char *name);
/* Next bytes, 0: none now. What was read is given back to the disk. */
size_t follow_read(struct follow *f, uint8_t *bytes, size_t size);
void follow_close(struct follow *f);

#endif
