# vexit: everything is built, tested and measured from here. `make help` lists the targets.
#
# Kinds of objects:  core  (hv/exit, hv/insn, hv/dev, hv/trace, hv/load) compiled three times from the same sources: for
#                          the metal, for the host, and for the tests with sanitizers
#                    metal (hv/boot, hv/vmx, hv/lib) for the hypervisor alone
#                    host  (recorder, replay, analyzer) for build/vexit
O ?= build
# One spelling: an absolute path to the tree's own directory would hide from make what it knows of the objects there.
override O := $(patsubst $(CURDIR)/%,%,$(O))
CC = gcc
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
# What a target builds first is built on all processors, unless make was told how many.
PARALLEL_MAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
# V=1 shows whole commands; otherwise a line for each file.
Q = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2);)

# ---- what is built from what: each list stands once ----
CORE   := $(sort $(wildcard hv/exit/*.c hv/insn/*.c hv/dev/*.c hv/trace/*.c hv/load/*.c) hv/lib/print.c)
METAL  := $(sort $(filter-out $(CORE),$(wildcard hv/boot/*.[cS] hv/vmx/*.[cS] hv/lib/*.c)))
HOST   := $(sort $(wildcard recorder/*.c replay/*.c analyzer/*.c))
GUESTS := $(sort $(filter-out lib linux kvm,$(notdir $(patsubst %/,%,$(wildcard guests/*/)))))
UNIT   := $(sort $(wildcard test/unit/*_test.c test/exit/*_test.c))
SUPPORT := $(sort $(wildcard test/support/*.c))

# What a Debian machine needs, by package: to build and run, then for the tests.
PACKAGES := gcc libc6-dev binutils make bochs bochsbios vgabios bochs-term grub-pc-bin grub-common xorriso mtools \
            zstd cpio libzstd-dev libsqlite3-dev sqlite3 libzydis-dev libxxhash-dev zlib1g-dev patch
TEST_PACKAGES := $(PACKAGES) libcmocka-dev acpica-tools python3 qemu-system-x86

WARN   := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla
COMMON := -std=gnu11 -O2 -g $(WARN) -MMD -MP -Ihv/include -Ihv
METAL_CFLAGS := $(COMMON) -ffreestanding -fno-pic -mno-red-zone -mgeneral-regs-only -mcmodel=small \
                -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
HOST_CFLAGS  := $(COMMON) -I. -D_GNU_SOURCE -pthread -fno-strict-aliasing
HOST_LIBS    := -lzstd -lz -lsqlite3 -lZydis -lpthread -lm
ASAN         := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
GUEST_CFLAGS := -std=gnu11 -O2 -g $(WARN) -MMD -MP -ffreestanding -fno-pic -mno-red-zone -mgeneral-regs-only \
                -mcmodel=small -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
                -Iguests/lib -Ihv/include

objects = $(patsubst %,$(O)/$(1)/%.o,$(basename $(2)))
METAL_OBJ := $(call objects,metal,$(METAL))
CORE_OBJ  := $(call objects,metal,$(CORE))
HOST_OBJ  := $(call objects,host,$(HOST))
HOST_CORE := $(call objects,host,$(CORE))
ASAN_OBJ  := $(call objects,asan,$(filter-out recorder/main.c,$(HOST)))
ASAN_CORE := $(call objects,asan,$(CORE))
GUEST_ELF := $(GUESTS:%=$(O)/guests/%.elf)
FUZZ_BIN  := $(patsubst test/%.c,$(O)/test/%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
UNIT_BIN  := $(patsubst test/%.c,$(O)/test/%,$(UNIT))

## all: build/vexit, the hypervisor image and the guests (the default)
.PHONY: all
all: $(O)/vexit $(O)/vexit.elf $(GUEST_ELF) $(O)/purity.ok

# ---- the hypervisor ----
$(O)/metal/%.o: %.c
	@mkdir -p $(@D)
	$(call Q,CC,$<)$(CC) $(METAL_CFLAGS) -c $< -o $@

$(O)/metal/%.o: %.S
	@mkdir -p $(@D)
	$(call Q,AS,$<)$(CC) $(METAL_CFLAGS) -D__ASSEMBLY__ -c $< -o $@

$(O)/vexit.elf: $(METAL_OBJ) $(CORE_OBJ) $(O)/metal/build_id.o hv/boot/link.ld
	$(call Q,LD,$@)$(CC) -nostdlib -static -no-pie -Wl,-T,hv/boot/link.ld -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
		-Wl,--no-warn-rwx-segments -o $@ $(METAL_OBJ) $(CORE_OBJ) $(O)/metal/build_id.o -l:libzstd.a -lgcc

# The build id names the sources by content, so that equal sources give equal images and traces.
$(O)/metal/build_id.o: $(METAL) $(CORE) $(wildcard hv/*/*.h hv/include/*.def hv/boot/link.ld)
	@mkdir -p $(@D)
	@printf 'const char build_id[] = "%s";\n' "$$(cat $(sort $^) | sha256sum | cut -c1-16)" > $(@:.o=.c)
	@$(CC) -c $(@:.o=.c) -o $@

# The core may lean on its world, on mem* and on vcpu_load() alone, and keeps no state of its own.
$(O)/purity.ok: $(CORE_OBJ) test/purity.sh
	$(call Q,CHECK,$@)test/purity.sh $(CORE_OBJ)
	@touch $@

# ---- the host tool ----
$(O)/host/%.o: %.c
	@mkdir -p $(@D)
	$(call Q,HOST,$<)$(CC) $(HOST_CFLAGS) -c $< -o $@

$(O)/asan/%.o: %.c
	@mkdir -p $(@D)
	$(call Q,ASAN,$<)$(CC) $(HOST_CFLAGS) $(ASAN) -c $< -o $@

$(O)/host/recorder/main.o $(O)/asan/recorder/main.o: HOST_CFLAGS += -DVEXIT_VERSION='"$(VERSION)"'
$(O)/host/analyzer/schema.o $(O)/asan/analyzer/schema.o: analyzer/schema.sql

$(O)/libcore.a: $(HOST_CORE)
	$(call Q,AR,$@)rm -f $@ && ar rcs $@ $^

$(O)/vexit: $(HOST_OBJ) $(O)/libcore.a
	$(call Q,LD,$@)$(CC) -pthread -rdynamic -o $@ $^ $(HOST_LIBS)

# The same tool under AddressSanitizer and UBSan, for tests with hostile input.
$(O)/vexit-asan: $(ASAN_OBJ) $(O)/asan/recorder/main.o $(ASAN_CORE)
	$(call Q,LD,$@)$(CC) -pthread $(ASAN) -o $@ $^ $(HOST_LIBS)

$(O)/bench-host: $(O)/host/test/bench/host.o $(filter-out $(O)/host/recorder/main.o,$(HOST_OBJ)) $(O)/libcore.a
	$(call Q,LD,$@)$(CC) -pthread -o $@ $^ $(HOST_LIBS)

# ---- guests: 64-bit code in a 32-bit multiboot ELF ----
GUEST_LIB := $(patsubst %,$(O)/guest/%.o,$(basename $(wildcard guests/lib/*.[cS])))
$(O)/guest/%.o: %.c
	@mkdir -p $(@D)
	$(call Q,GUEST,$<)$(CC) $(GUEST_CFLAGS) -c $< -o $@

$(O)/guest/%.o: %.S
	@mkdir -p $(@D)
	$(call Q,GUEST,$<)$(CC) $(GUEST_CFLAGS) -D__ASSEMBLY__ -c $< -o $@

.SECONDEXPANSION:
$(O)/guests/%.elf: $$(patsubst $$(PERCENT),$(O)/guest/$$(PERCENT).o,$$(basename $$(wildcard guests/$$*/*.[cS]))) $(GUEST_LIB) guests/lib/link.ld
	@mkdir -p $(@D)
	$(call Q,LD,$@)ld -m elf_x86_64 -nostdlib -static -T guests/lib/link.ld --build-id=none -z max-page-size=4096 \
		--no-warn-rwx-segments -o $(@:.elf=.elf64) $(filter %.o,$^)
	@objcopy -O elf32-i386 $(@:.elf=.elf64) $@
PERCENT := %

include guests/linux/linux.mk
include guests/kvm/kvm.mk

# ---- tests ----
$(O)/asan/test/%.o: test/%.c
	@mkdir -p $(@D)
	$(call Q,ASAN,$<)$(CC) $(HOST_CFLAGS) $(ASAN) -Itest -c $< -o $@

$(UNIT_BIN): $(O)/test/%: $(O)/asan/test/%.o $(patsubst %.c,$(O)/asan/%.o,$(SUPPORT)) $(ASAN_OBJ) $(ASAN_CORE)
	@mkdir -p $(@D)
	$(call Q,LD,$@)$(CC) -pthread $(ASAN) -o $@ $^ -lcmocka $(HOST_LIBS)

# Fuzz targets in libFuzzer's form, with a driver that replays seeds and seeded mutations without the engine.
$(FUZZ_BIN): $(O)/test/%: $(O)/asan/test/%.o $(O)/asan/test/fuzz/driver.o $(patsubst %.c,$(O)/asan/%.o,$(SUPPORT)) $(ASAN_OBJ) $(ASAN_CORE)
	@mkdir -p $(@D)
	$(call Q,LD,$@)$(CC) -pthread $(ASAN) -o $@ $^ -lcmocka $(HOST_LIBS)

## deps: install what is missing of the packages that building and running need
.PHONY: deps test-deps
deps:
	@test/install.sh $(PACKAGES)
test-deps:
	@test/install.sh $(TEST_PACKAGES)

## demo: boot the hypervisor, record the guest `print`, verify, replay, import and ask in SQL
.PHONY: demo
demo: deps
	@$(PARALLEL_MAKE) all
	@test/demo.sh $(O)

## test: everything that is checked, in under 15 minutes on two cores; ends with `N passed, N failed`
.PHONY: test test-full test-build
test: test-deps
	@$(PARALLEL_MAKE) test-build
	@test/run.sh $(O)

## test-full: test, and what takes longer
test-full: test-deps
	@$(PARALLEL_MAKE) test-build
	@FULL=1 test/run.sh $(O)

test-build: all linux $(KVMRUN) $(UNIT_BIN) $(FUZZ_BIN) $(O)/vexit-asan

## golden: record the golden traces anew and say what changed
.PHONY: golden
golden: deps linux
	@$(PARALLEL_MAKE) all
	@traces/golden.sh $(O)

## bench: measure, print the figures beside KVM's, and write build/bench.json
.PHONY: bench
bench: deps
	@$(PARALLEL_MAKE) all $(O)/bench-host
	@test/bench.sh $(O)

## cov: line coverage of the core under the unit and handler tests
.PHONY: cov
cov: test-deps
	@test/cov.sh $(O)

## clean: remove what was built
.PHONY: clean help
clean:
	rm -rf $(O)

## help: list the targets
help:
	@sed -n 's/^## \([a-z-]*\): \(.*\)/make \1|\2/p' Makefile guests/*/*.mk | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

-include $(shell find $(O) -name '*.d' 2>/dev/null)
