#!/bin/sh
# citus.sh - guards and keys on a Citus cluster of three nodes
#
#	IDEM_CITUS=PG_CONFIG sh test/proof/citus.sh [--runs N] [--deliveries N]
#	                                            [--no-race] [--keep]
#
# IDEM_CITUS names the pg_config of a server that has Citus, or of a copy of
# one: nothing is installed there.  Without it, or without Citus there, the last
# line is "skipped: " with the reason, and the exit status is 0.  How a copy of
# a server gets Citus is in docs/scale.md.
#
# A coordinator and two workers are made in a temporary folder, and talk to each
# other through sockets in it.  First what docs/scale.md says of Citus is tried
# (citus/*.sql, a line for each statement that does what it has to, or is
# refused with the SQLSTATE that it has to be), and the steps of that page are
# run as they stand there.  Then the race, three times unless told otherwise: 9 clients, three
# at each node, bring 22,000 deliveries of 8,000 messages, some with another
# payer, each a key and a debit in one transaction; others refund, and move
# payments from state to state, each further than it can go.  Meanwhile shards
# move from node to node, machines are redefined, and a worker is killed with
# SIGKILL.  At the end every message comes once more, and plain SQL counts: one
# debit a key, none without one, nothing refunded above what was paid, no state
# that cannot be, the doctor quiet.
#
# The last line is "N runs, N deliveries, ... N wrong"; the exit status is 1 if
# anything was.  --keep leaves the three servers running.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

nodes="0 1 2"
port=55010
keys=8000

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

arguments()
{
	runs=3
	deliveries=22000
	keep_wanted=no
	while [ $# -gt 0 ]; do
		case $1 in
			--runs)	runs=${2:?"--runs needs a number"}; shift ;;
			--deliveries)	deliveries=${2:?"--deliveries needs a number"}; shift ;;
			--no-race)	runs=0 ;;
			--keep)	keep_wanted=yes ;;
			-h | --help)	usage; exit 0 ;;
			*)	usage >&2; exit 2 ;;
		esac
		shift
	done
}

main()
{
	arguments "$@"
	[ -n "${IDEM_CITUS:-}" ] || skip "IDEM_CITUS names no pg_config"
	[ -x "$IDEM_CITUS" ] || skip "there is no $IDEM_CITUS"
	[ -e "$("$IDEM_CITUS" --pkglibdir)/citus.so" ] || skip "$IDEM_CITUS has no Citus"
	PG_CONFIG=$IDEM_CITUS
	idem_begin "$here"
	idem_need citus
	[ "$pg_config" = "$IDEM_CITUS" ] || die "cannot build for $IDEM_CITUS"
	idem_relocate
	idem_build "$tmp/build.log" || die "building failed"
	make_nodes
	say "idem on PostgreSQL $version, $(ask 0 -c 'SELECT citus_version()' | sed 's/ on .*//')"
	wrong=0
	steps
	run=0
	while [ $run -lt "$runs" ]; do
		run=$((run + 1))
		race
	done
	verdict="$runs runs of $deliveries deliveries of $keys keys, each with 6 moves and a killed worker, $wrong wrong"
	say "$verdict"
	idem_result citus "$verdict"
	if [ "$keep_wanted" = yes ]; then
		keep=yes
		say "kept: $tmp"
		for node in $nodes; do
			say "node $node:  $bin/psql -h $tmp -p $((port + node)) -U postgres;  $bin/pg_ctl -D $tmp/node$node stop"
		done
		say "remove:  rm -r $tmp"
	fi
	[ "$wrong" -eq 0 ]
}

skip()
{
	say "skipped: $1"
	exit 0
}

# ----------------------------------------------------------------------
# Three servers
# ----------------------------------------------------------------------

# psql at a node, for our own questions: ask NODE ARGUMENT...
ask()
{
	at=$1
	shift
	"$bin/psql" -X -q -A -t -h "$tmp" -p $((port + at)) -U postgres -d postgres \
		-v ON_ERROR_STOP=1 "$@"
}

make_nodes()
{
	for node in $nodes; do
		idem_step "$tmp/initdb.log" "making a cluster" "$bin/initdb" \
			-D "$tmp/node$node" -A trust -U postgres --locale=C.UTF-8 --encoding=UTF8 -N
		for setting in "listen_addresses = ''" "unix_socket_directories = '$tmp'" \
			"port = $((port + node))" "fsync = off" "max_connections = 200" \
			"shared_buffers = 64MB" "shared_preload_libraries = 'citus'" \
			"wal_level = logical" "max_prepared_transactions = 200" \
			"max_worker_processes = 32" "deadlock_timeout = 100ms" \
			"citus.node_conninfo = 'sslmode=prefer'" "citus.shard_count = 8" \
			"citus.local_hostname = '$tmp'" "citus.enable_statistics_collection = off"; do
			echo "$setting"
		done | $as tee -a "$tmp/node$node/postgresql.conf" >/dev/null
		start_node "$node"
		ask "$node" -c 'CREATE EXTENSION citus' || die "no Citus on node $node"
	done
	ask 0 -c "SELECT citus_set_coordinator_host('$tmp', $port)" >/dev/null || exit 1
	for node in 1 2; do
		ask 0 -c "SELECT citus_add_node('$tmp', $((port + node)))" >/dev/null || exit 1
	done
}

# Start the server of a node; its process id is $node0, $node1, $node2.
start_node()
{
	# shellcheck disable=SC2086 # $as is several words
	setsid $as "$bin/postgres" -D "$tmp/node$1" >>"$tmp/node$1.log" 2>&1 &
	jobs="$jobs $!"
	eval "node$1=$!"
	for _ in $(seq 600); do
		! ask "$1" -c 'SELECT 1' >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	tail -n 20 "$tmp/node$1.log" | sed 's/^/    /'
	die "node $1 did not start, see above"
}

# ----------------------------------------------------------------------
# Each statement by itself
# ----------------------------------------------------------------------

# Each file ends with an error where something is not as it has to be.
steps()
{
	for file in declare write; do
		step 0 "$file"
	done
	step 1 worker
	ask 0 -c "SELECT citus_move_shard_placement(shardid, '$tmp', nodeport, '$tmp', CASE nodeport WHEN $((port + 1)) THEN $((port + 2)) ELSE $((port + 1)) END, 'block_writes')
		FROM (SELECT shardid, nodeport FROM pg_dist_shard_placement JOIN pg_dist_shard USING (shardid) WHERE logicalrelid = 'shop.payment'::regclass ORDER BY 1 LIMIT 4) s" >/dev/null &&
		ask 0 -c "SELECT citus_split_shard_by_split_points(shardid, ARRAY[((shardminvalue::bigint + shardmaxvalue::bigint) / 2)::text],
			ARRAY(SELECT nodeid::int FROM pg_dist_node WHERE groupid <> 0 ORDER BY 1), 'block_writes')
			FROM (SELECT * FROM pg_dist_shard WHERE logicalrelid = 'shop.payment'::regclass ORDER BY shardid LIMIT 1) s" >/dev/null ||
		wrong=$((wrong + 1))
	for file in moved machine doctor drop; do
		step 0 "$file"
	done
	# and each step of the page, as it stands there
	sed -n '/^## Citus/,/^### What to know/s/^    //p' "$src/docs/scale.md" |
		$as tee "$src/test/proof/citus/page.sql" >/dev/null
	step 0 page
}

step()
{
	if ask "$1" -v sock="$tmp" -v at=$((port + $1)) -f "$src/test/proof/citus/$2.sql" >"$tmp/$2.out" 2>&1; then
		say "ok      $2: $(grep -c '^ok ' "$tmp/$2.out") errors and successes as they have to be"
	else
		wrong=$((wrong + 1))
		say "WRONG   $2"
		tail -n 20 "$tmp/$2.out" | sed 's/^/    /'
	fi
}

# ----------------------------------------------------------------------
# The race
# ----------------------------------------------------------------------

race()
{
	began=$(date +%s)
	ask 0 -v keys=$keys -f "$src/test/proof/citus/race.sql" >"$tmp/race.log" 2>&1 || {
		tail -n 20 "$tmp/race.log" | sed 's/^/    /'
		die "could not make the tables of the race"
	}
	each=$((deliveries / 9))
	working=
	for client in 1 2 3 4 5 6 7 8 9; do
		rm -f "$tmp/done.$client"
		deliver $client $((client % 3)) &
		working="$working $!"
		jobs="$jobs $!"
	done
	disturb
	for job in $working; do
		idem_wait "$job"
	done
	judge
	say "run $run: $(cat "$tmp"/done.* | awk '{n += $1; r += $2} END {print n " delivered, " r " of them again after an error"}'), $(($(date +%s) - began)) s"
}

# One client: its share of the deliveries, whatever happens to the node, by
# batches, each a call of race.deliver in the client's own loop.
deliver()
{
	n=0
	again=0
	while [ $n -lt $each ]; do
		if ask "$2" -c "CALL race.deliver($1, $n, 50, $keys)" >>"$tmp/client.$1.log" 2>&1; then
			n=$((n + 50))
		else
			again=$((again + 1))
			sleep 0.2
		fi
	done
	echo "$n $again" >"$tmp/done.$1"
}

# Moves of shards to and fro, two redefinitions, and a worker that is killed
disturb()
{
	for move in 1 2 3 4 5 6; do
		sleep 1
		[ $move -ne 3 ] || kill_worker
		mode=block_writes
		[ $((move % 2)) -eq 0 ] || mode=force_logical
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			ask 0 -c "SELECT citus_move_shard_placement(shardid, '$tmp', nodeport, '$tmp', CASE nodeport WHEN $((port + 1)) THEN $((port + 2)) ELSE $((port + 1)) END, '$mode')
				FROM (SELECT shardid, nodeport FROM pg_dist_shard_placement JOIN pg_dist_shard USING (shardid)
					WHERE logicalrelid = 'race.request_key'::regclass ORDER BY shardid OFFSET $move LIMIT 1) s" >>"$tmp/moves.log" 2>&1 && break
			sleep 1
		done || { say "    move $move failed"; wrong=$((wrong + 1)); }
		ask 0 -c "SELECT race.redefine($move)" >>"$tmp/moves.log" 2>&1
	done
}

kill_worker()
{
	kill -KILL "$node2"
	wait "$node2" 2>/dev/null
	for _ in $(seq 100); do
		pgrep -f "$tmp/node2" >/dev/null || break
		sleep 0.1
	done
	rm -f "$tmp/node2/postmaster.pid"
	start_node 2
}

# Plain SQL, nothing of idem: a line for each sum that has to be nothing.
judge()
{
	ask 0 -c "SELECT recover_prepared_transactions()" >/dev/null
	for client in 1 2 3; do
		ask $((client - 1)) -c "CALL race.once_more($((client - 1)), $keys)" >>"$tmp/client.$client.log" 2>&1 || wrong=$((wrong + 1))
	done
	ask 0 -c "SELECT * FROM race.verdict WHERE found <> 0" >"$tmp/verdict" || wrong=$((wrong + 1))
	ask 0 -c "SELECT * FROM race.figures" | sed 's/^/    /'
	ask 0 -c "SELECT 'doctor', object, finding FROM idem.doctor() WHERE severity = 'error' AND object <> 'setting fsync'" >>"$tmp/verdict" || wrong=$((wrong + 1))
	if [ -s "$tmp/verdict" ]; then
		sed 's/^/    WRONG /' "$tmp/verdict"
		wrong=$((wrong + $(wc -l <"$tmp/verdict")))
	fi
}

main "$@"
