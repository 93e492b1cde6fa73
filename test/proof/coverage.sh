#!/bin/sh
# coverage.sh - which lines of our C do the tests run?
#
#	sh test/proof/coverage.sh [--bar PERCENT] [--lines] [TEST]...
#
# Builds with gcov's counters, runs all suites (or the TESTs, by name) through
# test/run.sh (the test of the commands aside: they build copies of their own,
# which count elsewhere), and prints, file by file and then room by room, how many of the
# lines that have code were run; with --lines also each line that was not.  Nothing is left out: a
# line that cannot be reached counts as not run, and is explained in
# test/README.md or, better, is an Assert.
#
# A backend that is killed writes no counters, so what is printed is the least
# that was run.  The last line is "N of N lines, N %"; the exit status is 1 if
# that is below the bar, which is 95, or if a test failed.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

bar=95
lines=no
tests=
while [ $# -gt 0 ]; do
	case $1 in
		--bar)	bar=${2:?"--bar needs a number"}; shift ;;
		--lines)	lines=yes ;;
		-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
		*)	tests="$tests $1" ;;
	esac
	shift
done

if [ -z "$tests" ]; then
	tests="regress isolation"
	for file in "$here"/test/tap/*.pl; do
		case $file in
			*/910_commands.pl) ;;
			*)	file=${file##*/}
				tests="$tests ${file%.pl}" ;;
		esac
	done
fi

idem_begin "$here"
[ -n "$(command -v gcov)" ] || idem_need_command gcov gcc
idem_find_server || die "no PostgreSQL 15 or later with headers"
version=$("$("$pg_config" --bindir)/postgres" --version | sed 's/[^0-9]*\([^ ]*\).*/\1/')

# Atomic counters, because many processes add to one file.  The suites run in
# a folder of their own; $tmp/saved is what is left of it.
# shellcheck disable=SC2086 # names of tests
IDEM_CFLAGS="-O0 --coverage -fprofile-update=atomic" IDEM_LDFLAGS=--coverage \
	IDEM_SAVE=$tmp/saved idem_foreground sh "$here/test/run.sh" $tests
status=$?
cd "$tmp/saved" || exit 1

# For each line of our files the highest count that one object has for it (a
# header is compiled into several); "#####" is a line that never ran, "=====" one
# that only an error would reach.
find src -name '*.gcno' | sort | while read -r notes; do
	gcov --stdout --relative-only --object-directory "${notes%/*}" "$notes" 2>/dev/null
done | awk -F : -v lines="$lines" '
	$2 + 0 == 0 && $3 == "Source" { file = $4; next }
	file !~ /^src\// || $1 ~ /^ *-$/ { next }
	{
		count = $1
		gsub(/[ *]/, "", count)
		count = count ~ /^[#=]/ ? 0 : 1
		n = $2 + 0
		if (!((file, n) in seen)) {
			seen[file, n] = 0
			total[file]++
			if (n > last[file])
				last[file] = n
		}
		if (count && !seen[file, n]) {
			seen[file, n] = 1
			run[file]++
		}
		text = $0
		sub(/^[^:]*:[^:]*:/, "", text)
		code[file, n] = text
	}
	END {
		for (file in total) {
			printf "%s 0 %-36s %5d of %5d  %5.1f %%\n", file, file, run[file], total[file], 100 * run[file] / total[file]
			split(file, part, "/")
			room_total[part[2]] += total[file]
			room_run[part[2]] += run[file]
			all += total[file]
			ran += run[file]
			if (lines != "yes")
				continue
			for (n = 1; n <= last[file]; n++)
				if ((file, n) in seen && !seen[file, n])
					printf "%s %d     %s:%d: %s\n", file, n, file, n, code[file, n]
		}
		for (room in room_total)
			printf "~%s 0 %-36s %5d of %5d  %5.1f %%\n", room, room, room_run[room], room_total[room],
				100 * room_run[room] / room_total[room]
		printf "~~ 0 %d of %d lines, %.1f %%\n", ran, all, all ? 100 * ran / all : 0
	}' | sort -k 1,1 -k 2,2n | cut -d ' ' -f 3- | tee "$tmp/coverage"
idem_result coverage "$(tail -n 1 "$tmp/coverage")"
tail -n 1 "$tmp/coverage" | awk -v bar="$bar" '{ exit !($5 >= bar) }' || status=1
exit $status
