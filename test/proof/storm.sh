#!/bin/sh
# storm.sh - a storm of deliveries, kills, and one effect each
#
#	sh test/proof/storm.sh [--deliveries N] [--keys N] [--kills N] [--keep]
#	                  [--installed]
#
# Eight consumers work at the same messages at the same moments, each of which
# comes several times, at each isolation level: careful ones, careless ones
# that do not look at the answer, naive ones that look for the effect instead
# of claiming, and malicious ones (storm/tables.sql has them).  Half of the
# messages is claimed in a scope, half inserted into a table of keys; nothing
# but guard_claimed keeps effects apart.  Meanwhile backends and the whole
# server are killed with SIGKILL, in turn, at even distances.  Afterwards every
# message comes once more, and is judged by SQL that uses nothing of idem: one
# effect each, none without a claim, no key granted twice.
#
# 1,000,000 deliveries of 300,000 keys and 20 kills unless told otherwise, which
# takes some minutes.  A delivery that was killed or ended with 40001 is not
# counted, nor is the one more.  The last line is "N deliveries of N keys, N
# kills, ... N wrong"; the exit status is 1 if anything was.  --keep leaves the
# server running, --installed takes the idem that is installed with the server
# instead of building one.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

consumers=8

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

arguments()
{
	deliveries=1000000
	keys=300000
	kills=20
	keep_wanted=no
	installed=no
	while [ $# -gt 0 ]; do
		case $1 in
			--deliveries)	deliveries=${2:?"--deliveries needs a number"}; shift ;;
			--keys)	keys=${2:?"--keys needs a number"}; shift ;;
			--kills)	kills=${2:?"--kills needs a number"}; shift ;;
			--keep)	keep_wanted=yes ;;
			--installed)	installed=yes ;;
			-h | --help)	usage; exit 0 ;;
			*)	usage >&2; exit 2 ;;
		esac
		shift
	done
}

main()
{
	arguments "$@"
	idem_begin "$here"
	idem_need storm
	idem_relocate
	[ "$installed" = yes ] || idem_build "$tmp/build.log" || die "building failed"
	say "idem on PostgreSQL $version"
	make_cluster
	began=$(date +%s)
	start_consumers
	kill_now_and_then
	for job in $working; do
		idem_wait "$job"
	done
	judge
	if [ "$keep_wanted" = yes ]; then
		keep=yes
		idem_kept postgres
	fi
	[ "$wrong" -eq 0 ]
}

make_cluster()
{
	idem_step "$tmp/initdb.log" "making a cluster" "$bin/initdb" -D "$tmp/data" \
		-A trust -U postgres --locale=C.UTF-8 --encoding=UTF8 -N
	for setting in "listen_addresses = ''" "unix_socket_directories = '$tmp'" \
		"fsync = off" "max_connections = 40" "shared_buffers = 128MB" \
		"max_wal_size = 1GB" "deadlock_timeout = 50ms"; do
		echo "$setting"
	done | $as tee -a "$tmp/data/postgresql.conf" >/dev/null
	idem_server_start
	$as mkdir "$tmp/said"
	idem_step "$tmp/tables.log" "making the tables" "$bin/psql" -X -q -h "$tmp" -U postgres -d postgres \
		-v ON_ERROR_STOP=1 -v deliveries="$deliveries" -v keys="$keys" -f "$src/test/proof/storm/tables.sql"
	echo "SELECT storm.deliver();" | $as tee "$tmp/said/deliver.pgbench" >/dev/null
}

# psql for our own questions; waits for a server that is coming back
ask()
{
	"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres -v ON_ERROR_STOP=1 "$@"
}

start_consumers()
{
	working=
	for consumer in $(seq $consumers); do
		case $((consumer % 4)) in
			0)	level=serializable ;;
			1)	level="repeatable\\ read" ;;
			*)	level="read\\ committed" ;;
		esac
		: >"$tmp/said/$consumer.done"
		consume "$consumer" "$level" &
		working="$working $!"
		jobs="$jobs $!"
	done
}

# Deliver until the share of this consumer is done, whatever happens to the
# server; what was done is a number a line in $consumer.done.
consume()
{
	left=$((deliveries / consumers))
	while [ "$left" -gt 0 ]; do
		# shellcheck disable=SC2086 # $as is several words
		PGOPTIONS="-c default_transaction_isolation=$2 -c client_min_messages=error" \
			$as "$bin/pgbench" -n -M prepared -c 1 --max-tries=100 -t "$left" -f "$tmp/said/deliver.pgbench" \
			-h "$tmp" -U postgres postgres >"$tmp/said/$1.out" 2>>"$tmp/said/$1.err"
		done=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$tmp/said/$1.out")
		echo "${done:-0}" >>"$tmp/said/$1.done"
		left=$((left - ${done:-0}))
		[ "${done:-0}" -gt 0 ] || sleep 0.1
	done
}

# The deliveries so far
delivered()
{
	ask -c "SELECT last_value FROM storm.delivery" 2>/dev/null || echo 0
}

# Kill in turn a backend, after which the server starts anew by itself, and the
# whole server, each after the same number of deliveries.
kill_now_and_then()
{
	killed=0
	while [ "$killed" -lt "$kills" ]; do
		next=$((deliveries * (killed + 1) / (kills + 2)))
		while [ "$(delivered)" -lt "$next" ]; do
			sleep 0.2
		done
		killed=$((killed + 1))
		if [ $((killed % 2)) -eq 1 ]; then
			kill_backend
		else
			kill_server
			idem_server_start
		fi
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

# Every way of not running stops at once: the postmaster is held, so that it
# starts no one while its children are listed.
kill_server()
{
	kill -STOP "$server"
	# shellcheck disable=SC2046 # a list of process ids
	kill -KILL "$server" $(grep -ls "^PPid:[[:space:]]*$server\$" /proc/[0-9]*/status |
		cut -d / -f 3) 2>/dev/null
	wait "$server" 2>/dev/null
	server=
}

# Every message once more, and what the oracle says.
judge()
{
	took=$(($(date +%s) - began))
	count=$(cat "$tmp"/said/*.done | awk '{ n += $1 } END { print n + 0 }')
	late=$(ask -c "SELECT storm.last_delivery()") || die "the last deliveries failed"
	ask -c "SELECT how || ': ' || count(*) || ' deliveries, ' || count(*) FILTER (WHERE granted) || ' granted, ' ||
		count(*) FILTER (WHERE refused) || ' effects refused' FROM storm.said GROUP BY how ORDER BY how"
	ask -c "SELECT count || ' ' || what FROM storm.wrong" || die "the oracle failed"
	wrong=$(ask -c "SELECT sum(count) FROM storm.wrong")
	crashes=$(grep -c 'TRAP\|terminated by signal \(6\|7\|8\|11\)' "$tmp/server.log")
	wrong=$((wrong + crashes))
	last="$count deliveries of $keys keys, $killed kills, $late granted at the end, $took s, $wrong wrong"
	say "$last"
	idem_result storm "$last"
	idem_result storm "$count deliveries of $keys keys, $killed kills, $late granted at the end, $took s, $wrong wrong"
}

main "$@"
