# The Linux guest: Debian's kernel, and an initramfs of its BusyBox, init and work.c. Included by the Makefile.
# KERNEL=/boot/vmlinuz-… and BUSYBOX=/path take the place of what would be fetched (into $(O)/linux, once).
KERNEL  ?= $(O)/linux/vmlinuz
BUSYBOX ?= $(O)/linux/busybox
export KERNEL

## linux: the Linux guest: fetch Debian's kernel and BusyBox, make build/linux/initrd.gz
.PHONY: linux
linux: $(KERNEL) $(O)/linux/initrd.gz

$(O)/linux/vmlinuz:
	@guests/linux/fetch.sh kernel $@

$(O)/linux/busybox:
	@guests/linux/fetch.sh busybox $@

$(O)/linux/work: guests/linux/work.c
	@mkdir -p $(@D)
	$(call Q,GUEST,$<)$(CC) -std=gnu11 -O2 $(WARN) -ffreestanding -fno-stack-protector -fcf-protection=none \
		-fno-asynchronous-unwind-tables -fno-pie -no-pie -static -nostdlib -s -Wl,--build-id=none -Wl,-z,noseparate-code \
		-o $@ $<

$(O)/linux/initrd.gz: guests/linux/init guests/linux/initramfs.sh $(BUSYBOX) $(O)/linux/work
	$(call Q,CPIO,$@)guests/linux/initramfs.sh $@ $(BUSYBOX) $(O)/linux/work

## demo-linux: fetch and boot a stock Linux kernel, record every VM exit, verify, replay, ask in SQL
.PHONY: demo-linux test-linux
demo-linux: deps
	@$(PARALLEL_MAKE) all linux
	@test/demo-linux.sh $(O)

## test-linux: boots of a stock Linux kernel with one and two vCPUs, a million exits, and what goes wrong: about half an hour
test-linux: test-deps
	@$(PARALLEL_MAKE) test-build
	@FULL=1 test/run.sh $(O) e2e/linux
