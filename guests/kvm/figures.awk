#!/usr/bin/awk -f
# figures.awk: L1's console (guests/kvm/init) to lines "NAME VALUE UNIT"; measure.sh says what the names mean. Called by it.
# Status 1, and why on stderr, if events were lost or not all understood: then bytes and exits would be wrong.
#
# Usage: figures.awk -v khz=N CONSOLE      khz: of the TSC
$1 == "==" { what = $2; mode = $3; next }
$1 == "bench:" && $3 ~ /^[0-9]+$/ { loop($2, $3) }
$1 == "kvmrun:" { run[what, mode, $2] = $3 }
$1 == "ring:" && $2 == "event" { run[what, mode, $3] = $4; seen[what, mode] += $4 }
$1 == "ring:" && $2 == "entries:" { kept[what, mode] = $3 }
$1 == "ring:" && $2 == "bytes:" { run[what, mode, "bytes"] = $3 }
$1 == "ring:" && $2 == "guest_ns" { run[what, mode, "guest_ns"] = $3 }
$1 == "ring:" && /(overrun|dropped events): [^0]/ { wrong(what " " mode ": the ring lost events") }

END {
	for (i in kept)
		if (kept[i] != seen[i])
			wrong("of " kept[i] " events " seen[i] + 0 " were found in the ring")
	boot("acpi", "")
	boot("pic", ".pic")
	exit failed
}

function wrong(text) {
	print "figures.awk: " text >"/dev/stderr"
	failed = 1
}

function figure(name, value, unit) {
	if (value != "")
		printf "%s %.10g %s\n", name, value, unit
}

# A kind of guests/bench. What costs less than 50 doesn't exit. Its `io` loops use the UART, which for KVM is a port of
# user space; `io` is the peer of a port that vexit has in the hypervisor, whichever that is.
function loop(name, value) {
	if (value < 50)
		return
	if (name == "io-pic")
		figure("kvm.io." mode, value, "instructions")
	if (name == "io" || name == "io-in" || name == "io-string")
		sub(/^io/, "io-user", name)
	figure("kvm." name "." mode, value, "instructions")
}

function boot(what, suffix) {
	if (!((what, "untraced", "instructions") in run))
		return
	figure("linux.instr.kvm" suffix, run[what, "untraced", "instructions"], "instructions")
	figure("linux.kvm.kvm_exit" suffix, run[what, "kvm_exit", "instructions"], "instructions")
	figure("linux.kvm.all" suffix, run[what, "all", "instructions"], "instructions")
	figure("linux.exits.kvm" suffix, run[what, "untraced", "exits"], "exits")
	figure("linux.wire.kvm" suffix, run[what, "kvm_exit", "bytes"], "bytes")
	figure("linux.wire.kvm.all" suffix, run[what, "all", "bytes"], "bytes")
	figure("linux.share.kvm" suffix, share(what), "%")
	figure("linux.halted.kvm" suffix, run[what, "untraced", "halted"], "instructions")
}

# KVM's part of a boot in per cent. What the guest itself executes is known from the run with all events: the time from
# each kvm_entry to its kvm_exit, less the shortest such time, which is the host's own code between the two.
function share(what,    total, guest) {
	total = run[what, "untraced", "instructions"]
	guest = run[what, "all", "guest_ns"] * khz / 1000000
	return guest ? sprintf("%.2f", 100 * (total - guest) / total) : ""
}
