#!/bin/sh
# wallet.sh - eight sessions move money in the wallet of examples/, with kills
#
#	sh test/proof/wallet.sh [--seconds N] [--kills N] [--keep]
#
# Payments with fees, holds, captures in full, in part and beyond, releases and
# reversals meet each other on ten accounts, journals of several entries, some
# of them out of balance, on twenty others (wallet/books.sql), at each isolation
# level, while backends and the whole server are killed with SIGKILL, in turn,
# at even distances.  Afterwards views say, with SQL that uses nothing of idem,
# whether every balance is the sum of its transfers, what is held is what is
# pending and not captured, nobody is below the floor, and the total of each
# currency and of each journal is zero.
#
# 600 seconds and 20 kills unless told otherwise.  The last line is "N
# transfers, N journals, N kills, N deadlocks, N wrong"; the exit status is 1 if
# anything was wrong or deadlocked.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

clients=8
seconds=600
kills=20
keep_wanted=no

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

while [ $# -gt 0 ]; do
	case $1 in
		--seconds)	seconds=${2:?"--seconds needs a number"}; shift ;;
		--kills)	kills=${2:?"--kills needs a number"}; shift ;;
		--keep)	keep_wanted=yes ;;
		-h | --help)	usage; exit 0 ;;
		*)	usage >&2; exit 2 ;;
	esac
	shift
done

ask()
{
	"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres -v ON_ERROR_STOP=1 "$@"
}

# Move money until it is time, whatever happens to the server.
move()
{
	while [ "$(date +%s)" -lt "$until" ]; do
		# shellcheck disable=SC2086 # $as is several words
		PGOPTIONS="-c default_transaction_isolation=$2 -c client_min_messages=error" \
			$as "$bin/pgbench" -n -c 1 --max-tries=100 -T 20 -D top=5000 \
			-f "$src/examples/wallet/wallet.pgbench" \
			-f "$src/test/proof/wallet/books.pgbench" \
			-h "$tmp" -U postgres postgres >"$tmp/said/$1.out" 2>>"$tmp/said/$1.err"
		sleep 0.2
	done
}

start_clients()
{
	until=$(($(date +%s) + seconds))
	working=
	for client in $(seq $clients); do
		case $((client % 3)) in
			0)	level=serializable ;;
			1)	level="repeatable\\ read" ;;
			*)	level="read\\ committed" ;;
		esac
		move "$client" "$level" &
		working="$working $!"
		jobs="$jobs $!"
	done
}

kill_backend()
{
	victim=$(ask -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench' ORDER BY random() LIMIT 1")
	[ -z "$victim" ] || kill -KILL "$victim"
	for _ in $(seq 200); do
		! ask -c "SELECT 1" >/dev/null 2>&1 || return
		sleep 0.1
	done
	die "the server did not come back"
}

# The postmaster is held, so that it starts no one while its children are
# listed.
kill_server()
{
	kill -STOP "$server"
	# shellcheck disable=SC2046 # a list of process ids
	kill -KILL "$server" $(grep -ls "^PPid:[[:space:]]*$server\$" /proc/[0-9]*/status |
		cut -d / -f 3) 2>/dev/null
	wait "$server" 2>/dev/null
	server=
}

kill_now_and_then()
{
	killed=0
	while [ "$killed" -lt "$kills" ]; do
		sleep $((seconds / (kills + 1) + 1))
		killed=$((killed + 1))
		if [ $((killed % 2)) -eq 1 ]; then
			kill_backend
		else
			kill_server
			idem_server_start
		fi
	done
}

idem_begin "$here"
idem_need wallet
idem_relocate
idem_build "$tmp/build.log" || die "building failed"
say "idem on PostgreSQL $version"
idem_cluster "fsync = off" "max_connections = 40" "deadlock_timeout = 50ms" "autovacuum_naptime = 5s"
$as mkdir "$tmp/said"
idem_step "$tmp/wallet.log" "making the wallet" "$bin/psql" -X -q -h "$tmp" -U postgres -d postgres \
	-v ON_ERROR_STOP=1 -f "$src/examples/wallet/wallet.sql" -f "$src/test/proof/wallet/books.sql" -c "
	SELECT wallet.open('bank', 'EUR', true), wallet.open('fees', 'EUR', true);
	SELECT wallet.open('user ' || i, 'EUR') FROM generate_series(1, 10) i;
	SELECT wallet.pay(1, i, '100') FROM generate_series(3, 12) i"
start_clients
kill_now_and_then
for job in $working; do
	idem_wait "$job"
done

ask -c "SELECT reason || ', ' || status || ': ' || count(*) FROM wallet.transfer GROUP BY reason, status ORDER BY 1"
ask -c "SELECT id || ': ' || balance || ' where the sum is ' || sum || ', ' || held || ' held where ' || pending || ' is pending' FROM wallet.proof WHERE NOT holds"
ask -c "SELECT what FROM books.wrong ORDER BY 1 LIMIT 20"
wrong=$(ask -c "SELECT (SELECT count(*) FROM books.wrong) + (SELECT count(*) FROM wallet.proof WHERE NOT holds) + (SELECT count(*) FROM wallet.total WHERE balance <> '0')
	+ (SELECT count(*) FROM idem.doctor() WHERE object ~ '^(balance|journal) guard' AND severity = 'error')") || die "the oracle failed"
deadlocks=$(grep -c 'deadlock detected' "$tmp/server.log")
crashes=$(grep -c 'TRAP\|terminated by signal \(6\|7\|8\|11\)' "$tmp/server.log")
wrong=$((wrong + crashes))
last="$(ask -c "SELECT count(*) FROM wallet.transfer") transfers, $(ask -c "SELECT count(DISTINCT journal_id) FROM books.entry") journals, $kills kills, $deadlocks deadlocks, $wrong wrong"
say "$last"
idem_result wallet "$last"
if [ "$keep_wanted" = yes ]; then
	keep=yes
	idem_kept postgres
fi
[ "$wrong" -eq 0 ] && [ "$deadlocks" -eq 0 ]
