#!/bin/sh
# run.sh - what idem costs, beside what one would write by hand
#
#	sh bench/run.sh [--rounds N] [--keep] [PART]...
#
# Builds this checkout for a private copy of the server and runs the parts
# (the files of this folder: claim, fixed, limit, machine, money) on a cluster of its
# own.  All ways of a part run in turn in one session; the ratio is the median
# over the rounds (5, unless told otherwise) of idem's time by the other's.
# The machine should have nothing else to do.

set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$here/test/lib.sh"

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

rounds=5
keep_wanted=no
parts=
while [ $# -gt 0 ]; do
	case $1 in
		--rounds)	rounds=${2:?"--rounds needs a number"}; shift ;;
		--keep)	keep_wanted=yes ;;
		-h | --help)	usage; exit 0 ;;
		-*)	usage >&2; exit 2 ;;
		*)	[ -e "$here/bench/$1.sql" ] || die "no part is called $1"
			parts="$parts $1" ;;
	esac
	shift
done

sql()
{
	idem_step "$tmp/bench.log" "$1" "$bin/psql" -X -q -h "$tmp" -U postgres \
		-d postgres -v ON_ERROR_STOP=1 "$2" "$3"
}

idem_begin "$here"
idem_need bench
idem_relocate
say "building idem for PostgreSQL $version"
idem_build "$tmp/build.log" || die "building failed"
idem_cluster "fsync = off" "synchronous_commit = off" "jit = off" \
	"shared_buffers = 512MB" "max_wal_size = 4GB" "work_mem = 256MB" \
	"max_parallel_workers_per_gather = 0" "autovacuum = off"

sql "creating the extension" -c "CREATE EXTENSION idem"
sql "the harness" -f "$src/bench/bench.sql"
for part in ${parts:-claim fixed limit machine money}; do
	sql "preparing $part" -f "$src/bench/$part.sql"
done
sql "clean tables" -c "VACUUM ANALYZE"
say "measuring, $rounds rounds"
sql "measuring" -c "CALL bench.measure($rounds)"

say ""
say "PostgreSQL $version, $(nproc) cores, fsync and synchronous_commit off, jit off; medians of $rounds rounds"
"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres -P footer=off -P linestyle=ascii -P border=2 \
	-c "SELECT part, alternative, idem_ms, alternative_ms, ratio FROM bench.report ORDER BY part, alternative"

keep=$keep_wanted
[ "$keep" = no ] || idem_kept postgres
