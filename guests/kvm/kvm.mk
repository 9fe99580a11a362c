# The peer: Linux's own KVM in the same Bochs, measured (measure.sh says how). Included by the Makefile.
KVMRUN := $(O)/kvm/kvmrun
KVMRUN_OBJ := $(patsubst %.c,$(O)/host/%.o,$(wildcard guests/kvm/*.c))

$(KVMRUN): $(KVMRUN_OBJ) $(O)/libcore.a
	@mkdir -p $(@D)
	$(call Q,LD,$@)$(CC) -static -o $@ $^

## bench-kvm: measure Linux's own KVM in the same Bochs, and write build/kvm.json, which `bench` then shows
.PHONY: bench-kvm
bench-kvm: deps
	@$(PARALLEL_MAKE) $(KVMRUN) $(O)/guests/bench.elf $(KERNEL) $(BUSYBOX) $(O)/linux/initrd.gz
	@guests/kvm/measure.sh $(O) $(KERNEL) $(BUSYBOX) $(O)/linux/initrd.gz
