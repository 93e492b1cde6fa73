#!/bin/sh
# run.sh - what idem costs, beside what one would write by hand
#
#	sh bench/run.sh [--rounds N] [--report NAME] [--keep] [PART]...
#
# Builds this checkout for a private copy of the server and measures the parts
# (the files PART.sql of this folder) on a cluster of its own.  What SQL can
# time is prepared by PART.sql (see bench.sql); what it cannot, clients, files,
# instructions, sizes, is measured by PART.sh, read in after it.  All ways of a
# part run in turn; the ratio is the median over the rounds (5, unless told
# otherwise) of idem's cost by the other's.  Bars that are not met are shown
# and nothing fails.  The machine should have nothing else to do.
#
# The table, with machine, versions and settings, is also written to NAME.txt
# and as a plot to NAME.svg, NAME being bench/report unless told otherwise.

set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$here/test/lib.sh"

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

rounds=5
keep_wanted=no
report=$here/bench/report
parts=
while [ $# -gt 0 ]; do
	case $1 in
		--rounds)	rounds=${2:?"--rounds needs a number"}; shift ;;
		--report)	report=${2:?"--report needs a name"}; shift ;;
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
	idem_step "$tmp/bench.log" "$1" env PGOPTIONS="-c bench.part=${part:-}" \
		"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres \
		-v ON_ERROR_STOP=1 "$2" "$3"
}

# ----------------------------------------------------------------------
# For PART.sh
# ----------------------------------------------------------------------

# The answer to one query.
bench_ask()
{
	"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres -c "$1"
}

# bench_record WHAT UNIT ALTERNATIVE IDEM OTHER [BAR [<=|>=]]
bench_record()
{
	sql "recording $1" -c "INSERT INTO bench.record
		(what, unit, alternative, idem, other, bar, direction)
		VALUES (\$q\$$1\$q\$, '$2', \$q\$$3\$q\$, $4, $5, ${6:-NULL}, '${7:-<=}')"
}

# The median of the numbers on standard input, one a line.
bench_median()
{
	sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# Stop the server in good order and start it again, with settings that stay
# until the next restart: bench_restart [SETTING]...
bench_restart()
{
	kill -INT "$server"
	wait "$server" 2>/dev/null
	server=
	for setting in "$@"; do
		echo "$setting"
	done | $as tee "$tmp/data/postgresql.auto.conf" >/dev/null
	idem_server_start
}

# Transactions a second: bench_tps SCRIPT CLIENTS SECONDS [OPTION]...  In
# database $bench_database, here and below, or in postgres.
bench_tps()
{
	bench_script=$1 bench_clients=$2 bench_seconds=$3
	shift 3
	idem_run "$tmp/pgbench.log" "$bin/pgbench" -h "$tmp" -U postgres -n \
		-M prepared -c "$bench_clients" -j 2 -T "$bench_seconds" \
		-f "$bench_script" "$@" "${bench_database:-postgres}"
	sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$tmp/pgbench.log" | tail -n 1
}

# From here to bench_uncounted the server runs under callgrind; says no if
# there is none.
bench_counted()
{
	command -v valgrind >/dev/null || {
		say "$part: no valgrind, so no instructions are counted"
		return 1
	}
	under="valgrind --quiet --tool=callgrind --trace-children=yes
		--callgrind-out-file=$tmp/tmp/callgrind.%p"
	bench_restart "$@"
	# the first backend writes the file from which later ones read the catalog
	bench_ask "SELECT count(*) FROM pg_class" >/dev/null
}

bench_uncounted()
{
	under=
	bench_restart
}

# Instructions of the backend for one transaction of a pgbench script, one
# client, prepared: the difference of a long and a short run.
# bench_instructions SCRIPT [TRANSACTIONS]
bench_instructions()
{
	short=$(bench_counted_run "$1" 50)
	long=$(bench_counted_run "$1" $((50 + ${2:-400})))
	echo $(((long - short) / ${2:-400}))
}

# (Only the backends of pgbench end while it counts, the one with which it
# looks around and the one that does the work; each leaves a file, a moment
# after its client is gone.)
bench_counted_run()
{
	for _ in $(seq 100); do
		[ "$(bench_ask "SELECT count(*) FROM pg_stat_activity
			WHERE backend_type = 'client backend'")" -gt 1 ] || break
		sleep 0.1
	done
	sleep 1
	$as rm -f "$tmp"/tmp/callgrind.*
	idem_run "$tmp/pgbench.log" "$bin/pgbench" -h "$tmp" -U postgres -n \
		-M prepared -c 1 -t "$2" -f "$1" "${bench_database:-postgres}"
	for _ in $(seq 100); do
		[ "$(cat "$tmp"/tmp/callgrind.* 2>/dev/null | grep -c '^totals: ')" -lt 2 ] || break
		sleep 0.1
	done
	sed -n 's/^totals: //p' "$tmp"/tmp/callgrind.* | sort -n | tail -n 1
}

# What the numbers hold for: the day, the machine, versions and settings.
bench_statement()
{
	model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
	memory=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null)
	commit=$(git -C "$here" rev-parse --short HEAD 2>/dev/null)
	say "$(date -u +%F), idem $(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" \
		"$src/idem.control")${commit:+ at $commit}, PostgreSQL $version, $($compiler --version | head -n 1)"
	say "${model:-unknown processor}, $(nproc) cores, $(uname -m)," \
		"$((${memory:-0} / 1048576)) GB, $(uname -s) $(uname -r)"
	say "medians of $rounds rounds; $(bench_ask "SELECT string_agg(name || ' ' || current_setting(name), ', ' ORDER BY name)
		FROM pg_settings WHERE source = 'configuration file' AND (name IN ('fsync', 'synchronous_commit',
		'autovacuum', 'jit', 'shared_buffers', 'work_mem', 'max_wal_size'))") unless a line says otherwise"
}

# ----------------------------------------------------------------------
# The run
# ----------------------------------------------------------------------

idem_begin "$here"
idem_need bench
idem_relocate
say "building idem for PostgreSQL $version"
idem_build "$tmp/build.log" || die "building failed"
idem_step "$tmp/build.log" "building the modules of the benchmarks" \
	make -s -C "$src/bench" with_llvm=no PG_CONFIG="$bin/pg_config" all install
idem_cluster "fsync = off" "synchronous_commit = off" "jit = off" \
	"shared_buffers = 4GB" "max_wal_size = 8GB" "work_mem = 512MB" \
	"maintenance_work_mem = 512MB" "max_parallel_workers_per_gather = 0" \
	"max_parallel_maintenance_workers = 0" "autovacuum = off"

sql "creating the extension" -c "CREATE EXTENSION idem"
sql "the harness" -f "$src/bench/bench.sql"
for part in ${parts:-bound channel claim ddl doctor fixed ledger limit machine money pair reconcile}; do
	say "measuring $part, $rounds rounds"
	sql "preparing $part" -f "$src/bench/$part.sql"
	sql "clean tables" -c "VACUUM ANALYZE"
	sql "measuring $part" -c "CALL bench.measure($rounds, '$part')"
	if [ -e "$src/bench/$part.sh" ]; then
		# shellcheck source=/dev/null
		. "$src/bench/$part.sh"
	fi
done

statement=$(bench_statement)
{
	say "$statement"
	"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres -P footer=off \
		-P linestyle=ascii -P border=2 \
		-c "SELECT * FROM bench.report ORDER BY part, what, alternative, unit"
} >"$tmp/report.txt"
say ""
cat "$tmp/report.txt"
"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres \
	-v statement="$statement" -f "$src/bench/plot.sql" >"$tmp/report.svg"
if cp "$tmp/report.txt" "$report.txt" && cp "$tmp/report.svg" "$report.svg"; then
	say "written: $report.txt, $report.svg"
else
	say "the report could not be written to $report.*"
fi

idem_result "bench${parts:+-$(printf '%s' "${parts# }" | tr ' ' -)}" \
	"$(bench_ask "SELECT count(bar) || ' bars, ' || count(*) FILTER (WHERE met = 'NO') || ' not met' FROM bench.report")"

keep=$keep_wanted
[ "$keep" = no ] || idem_kept postgres
