#!/bin/sh
# result.sh - keep what a proof said last, and make test/RESULTS.md of it
#
#	sh test/proof/result.sh [--check]
#	sh test/proof/result.sh NAME COMMIT VERSION SECONDS COMMAND RESULT
#
# Each proof calls idem_result of lib.sh at its end, which calls this when
# IDEM_RESULTS=yes is set.  The row is the file test/proof/results/NAME, which
# takes the place of the row of that name before it; nobody writes one by hand.
# test/RESULTS.md is made of all rows; without arguments only that is done.
# --check changes nothing, and fails unless RESULTS.md is what the rows make.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
rows=$here/test/proof/results

# The file of a row: a word, a colon and the rest of the line, as often as there
# is something to say.
write_row()
{
	cat <<-END
		day: $(date -u +%F)
		commit: $2
		version: $3
		seconds: $4
		command: $5
		result: $6
	END
}

make_table()
{
	cat <<-'END'
		# What the proofs said last

		Made by `test/proof/result.sh` from the rows in `test/proof/results/`, which the proofs write themselves
		(`IDEM_RESULTS=yes`, see README.md here). A row holds for the commit it names.

		| proof | said | PostgreSQL | day | commit | command | took |
		| --- | --- | --- | --- | --- | --- | --- |
	END
	find "$rows" -type f ! -name '.*' | LC_ALL=C sort | while read -r row; do
		awk -v name="${row##*/}" '
			{
				word = $1
				sub(/^[^:]*: */, "")
				gsub(/\|/, "\\|")
				of[word] = $0
			}
			END {
				printf "| %s | %s | %s | %s | %s | `%s` | %s |\n", name, of["result:"], of["version:"],
					of["day:"], of["commit:"], of["command:"], took(of["seconds:"])
			}
			function took(seconds)
			{
				return seconds < 120 ? seconds " s" : seconds < 7200 ? int(seconds / 60) " min" : \
					sprintf("%.1f h", seconds / 3600)
			}' "$row"
	done
}

case $#${1:-} in
	0)	;;
	1--check)	make_table | cmp -s - "$here/test/RESULTS.md" && exit
		echo "test/RESULTS.md is not what the rows make: sh test/proof/result.sh" >&2
		exit 1 ;;
	6*)	mkdir -p "$rows" && write_row "$@" >"$rows/$1" || exit 1 ;;
	*)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
		exit 2 ;;
esac
make_table >"$here/test/RESULTS.md"
