#!/bin/sh
# Print docs/exits.md: the policy tables, out of exits.def and msrs.def. test/e2e/docs.sh compares.
set -eu
cd "$(dirname "$0")/.."
cat <<'HEAD'
# Exit policy

Made by `docs/exits.sh` from `hv/include/exits.def` and `hv/include/msrs.def`; edit those.

## What happens on each exit reason

| reason | name | what vexit does |
| --- | --- | --- |
HEAD
sed -n 's/^EXIT( *\([0-9]*\), *\([A-Z0-9_]*\), *\([a-z_0-9]*\),.*/\1 \2 \3/p' hv/include/exits.def |
	while read -r number name handler; do
		case $handler in
		exit_unhandled) what="stops the VM with a full report: not handled yet" ;;
		exit_impossible) what="stops the VM with a full report: the control or feature that causes it is off" ;;
		exit_undefined) what="injects #UD: CPUID says that the instruction isn't there" ;;
		*) what="\`$handler()\` in \`$(grep -l "^enum exit_action $handler(" hv/exit/*.c)\`" ;;
		esac
		printf '| %s | %s | %s |\n' "$number" "$name" "$what"
	done
cat <<'MIDDLE'

## MSRs

An MSR that isn't listed gives #GP(0). `PASS`: no exit, the processor keeps it. `CPU`: the value is in `struct vm_cpu`. `VMCS`: in a VMCS field. `CHECK`: written after
checks of its own (reserved bits give #GP). `CONST`: a constant. `CONFIG`: fixed when the
VM starts (`struct vm_config`). `DROP`: written and forgotten. `GP`: #GP(0).

| MSR | name | read | write |
| --- | --- | --- | --- |
MIDDLE
sed -n 's/^MSR(\(0x[0-9a-f]*\), *\([A-Z0-9_]*\), *\([A-Z]*\), *\([A-Z]*\),.*/| `\1` | \2 | \3 | \4 |/p' hv/include/msrs.def
