#!/bin/sh
# docs.sh: docs/sql.md must name every table, view and column of the schema. Called by run.sh.
#
#	docs.sh VEXIT TRACE
set -u
vexit=$1 trace=$2 missing=0
names=$("$vexit" query -q --format csv "$trace" \
	"SELECT DISTINCT name FROM sqlite_schema WHERE type IN ('table', 'view') UNION
	 SELECT i.name FROM sqlite_schema s JOIN pragma_table_xinfo(s.name) i WHERE s.type IN ('table', 'view')" | tail -n +2)
for name in $names; do
	if ! grep -Eq "\`([a-z_]+\.)?$name\`" docs/sql.md; then
		echo "docs/sql.md doesn't mention '$name'"
		missing=1
	fi
done
[ -n "$names" ] && exit $missing
