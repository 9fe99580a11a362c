#!/bin/bash
# docs/exits.md is what docs/exits.sh makes of the tables today.
cd "$(dirname "$0")/../.." || exit 2
diff <(docs/exits.sh) docs/exits.md
