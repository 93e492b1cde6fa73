#!/bin/sh
# sqlsmith.sh - random SQL against a database with every room in use
#
#	sh test/proof/sqlsmith.sh [--minutes N] [--seed N] [--keep]
#
# sqlsmith (the Debian package, installed if it is missing) makes queries of
# everything that the catalog shows: tables, functions, operators, and ours
# among them.  It works as a role that owns the tables and may call what is
# granted, N minutes (1, unless told otherwise), beginning anew with the next
# seed if it ends.  Found is a crash of the server, an assertion, an error of the
# class of internal errors (XX000) that idem raised or that a call of idem was
# part of, and a guard that is not intact afterwards.  Not found is what the
# server says in the same place without idem, too (sqlsmith_server.sql).
#
# A server with assertions sees more: PG_CONFIG names it.  The last line is
# "N queries, N failed with an error, N findings"; the exit status is 1 if
# there are findings.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

minutes=1
seed=
keep_wanted=no
while [ $# -gt 0 ]; do
	case $1 in
		--minutes)	minutes=${2:?"--minutes needs a number"}; shift ;;
		--seed)	seed=${2:?"--seed needs a number"}; shift ;;
		--keep)	keep_wanted=yes ;;
		-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
		*)	die "unknown option $1" ;;
	esac
	shift
done
[ -n "$seed" ] || seed=$(date +%s)

idem_begin "$here"
idem_need sqlsmith
idem_need_command sqlsmith sqlsmith
idem_relocate
idem_build "$tmp/build.log" || die "building failed"
idem_cluster "fsync = off" "statement_timeout = 2s" "lock_timeout = 1s" \
	"log_error_verbosity = verbose" "log_line_prefix = '%e '" \
	"log_min_error_statement = error" "restart_after_crash = on"
idem_step "$tmp/tables.log" "making the tables" "$bin/psql" -X -q -h "$tmp" \
	-U postgres -d postgres -v ON_ERROR_STOP=1 -f "$src/test/proof/sqlsmith.sql"
say "idem on PostgreSQL $version, $minutes minutes, seed $seed"

queries=0
until=$(($(date +%s) + minutes * 60))
while [ "$(date +%s)" -lt "$until" ]; do
	idem_run "$tmp/sqlsmith.log" timeout -s INT $((until - $(date +%s) + 1)) sqlsmith \
		--target="host=$tmp dbname=postgres user=smith" \
		--verbose --exclude-catalog --seed="$seed" --max-queries=20000
	queries=$((queries + $(tr '\r' '\n' <"$tmp/sqlsmith.log" |
		sed -n 's/^queries: \([0-9]*\).*/\1/p' | tail -n 1)))
	: >"$tmp/sqlsmith.log"
	say "seed $seed: $(grep -c '^XX000 ' "$tmp/server.log") internal errors in all"
	seed=$((seed + 1))
	idem_server_ensure
done

# Where the server has internal errors of its own, as "file:line"s.
known=$("$bin/psql" -X -q -h "$tmp" -U postgres -d template1 -f "$src/test/proof/sqlsmith_server.sql" 2>&1 |
	sed -n 's/^LOCATION:.*, //p' | tr '\n' ' ')

# Internal errors with the statement that had them: ours, if raised in one of
# our files or if idem is called in it, other than where the server has them.
ours=$(cd "$here" && printf '%s|' src/*/*.c | sed 's/[^|]*\///g; s/|$//')
awk -v ours="^($ours):" -v known=" $known" '
	/^XX000 (ERROR|FATAL|PANIC)/ { open = 1; text = $0; next }
	open && /^XX000 STATEMENT/ {
		statement = $0
		open = 2
		next
	}
	open && /^XX000 LOCATION/ { place = $0; sub(/.*, /, "", place); text = text " [" place "]"; next }
	open && /^[0-9A-Z]{5} / || open == 2 && /^[0-9A-Z][0-9A-Z][0-9A-Z][0-9A-Z][0-9A-Z] [A-Z]+:/ {
		tell()
		open = 0
	}
	open == 2 { statement = statement " " $0 }
	function tell()
	{
		if (place ~ ours ||
			statement ~ /idem\.|idem_|money_micro/ && !index(known, " " place " "))
			print text "\n    " substr(statement, 1, 2000)
	}
	END { if (open) tell() }' "$tmp/server.log" >"$tmp/findings"
grep -E 'TRAP|was terminated by signal' "$tmp/server.log" >>"$tmp/findings"
"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres -c \
	"SELECT 'guard not intact: ' || g FROM idem.guards g WHERE NOT intact" >>"$tmp/findings" 2>&1
found=$(grep -c '^[^ ]' "$tmp/findings")
sed 's/^/    /' "$tmp/findings" | head -n 60
errors=$(grep -cE '^[0-9A-Z]{5} ERROR' "$tmp/server.log")
keep=$keep_wanted
[ "$keep" = no ] || idem_kept postgres
say "$queries queries, $errors failed with an error, $found findings"
idem_result sqlsmith "$queries queries, $errors failed with an error, $found findings"
[ "$found" -eq 0 ]
