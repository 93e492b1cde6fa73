#!/bin/sh
# faults.sh - eight sessions at work, a fault, and what is left afterwards
#
#	sh test/proof/faults.sh [--rounds N] [--jobs N] [--seed N] [--kind KIND] [--keep]
#	                  [--installed]
#
# Every round eight sessions claim keys for effects inside and outside, write
# effects that are bound to claims they may not have, order from two banks that
# answer in codes, move payments and their parcels, refund, enter and close days,
# book journals between purses, hold, post and give back, pay what may be the same
# payment, compare two records, and try what guards forbid, at random, at each
# isolation level, with savepoints, rollbacks and two-phase commits; each writes to
# a file what it was told, and there an effect outside is a line.  In the middle
# comes a fault:
#
#	crash      SIGKILL of the whole server
#	async      the same under synchronous_commit = off
#	backend    SIGKILL of one backend, the server restarts itself
#	promote    SIGKILL of the server, its synchronous standby is promoted
#	local      the same under synchronous_commit = local
#	cancel     the standby hears nothing for a moment, every wait for it is
#	           cancelled, then the server is killed and the standby promoted
#	disk       the disk gets full (skipped, loudly, where no small file system
#	           can be mounted, which needs root)
#	terminate  backends are cancelled and terminated one after the other
#	scopes     a scope is dropped and declared anew, with the other effect and
#	           with the same, all the time; then SIGKILL of the whole server
#	lag        a standby that nobody waits for hears nothing for a moment, then
#	           the server is killed and the standby promoted
#	restore    SIGKILL of the whole server, and a backup from before the round is
#	           started, or recovered
#	point      the same, and the backup is recovered to a moment of the round
#	prepared   transactions are left prepared, and a coordinator commits every
#	           second one; then SIGKILL of the whole server
#	stale      two administrators pause, resume and define anew, in transactions
#	           whose snapshots are older; then SIGKILL of the whole server
#	maintain   VACUUM FULL, CLUSTER, REINDEX, ALTER TABLE, guards that are taken
#	           off and put on in one transaction, and what would weaken one; then
#	           SIGKILL of the whole server
#	persons    nobody resumes without the approval of another person, and two
#	           pause, resume and approve; then SIGKILL of the whole server
#
# in turn, or always KIND.  Then every key that was tried is tried again, and
# an oracle that calls nothing of idem compares the tables with the files
# (faults/oracle.sql, faults/rooms_oracle.sql): no effect twice, none lost that was acknowledged, none
# of what was rolled back; totals equal sums and stay below the cap; purses are
# the sums of their entries and above their floor, what is held is what is
# pending, journals and all purses add up to zero; no row past a final state; and
# every answer is one that its isolation level allows.
# After lag, restore and point what was acknowledged is gone (of point: after the
# moment), and what is left has to hold; the database has a site, and what was sent is not sent again: not before it is
# adopted, not after it, and not when an operator has resolved what a bank says
# that it has, or has not, and every key is tried once more (oracle.moved).
# What idem said to be settled, to have been sent or to be fenced is held
# against the tables whatever synchronous_commit says, also after a promotion,
# and so is the commit of a claim, unless its scope is made with flush => false.
#
# The seed of the run is printed; round N of it is made anew by the same seed
# and --from N --rounds 1 --kind KIND (the scripts and moments, not how the
# sessions interleave).  16 rounds unless told otherwise.  The last line is
# "N rounds, N faults, ... N wrong"; the exit status is 1 if anything was.
# --jobs divides the rounds among N clusters that run at the same time: much of
# a round is waiting.  --keep leaves the folder of a round that went wrong (not
# with --jobs), --installed takes the idem that is installed with the server
# instead of building one.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

sessions=8
generation=10	# rounds on one database
kinds="crash async backend promote local cancel disk terminate scopes lag restore point prepared stale maintain persons"

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

arguments()
{
	rounds=16
	parts=1
	from=1
	seed=
	kind_wanted=
	keep_wanted=no
	installed=no
	while [ $# -gt 0 ]; do
		case $1 in
			--rounds)	rounds=${2:?"--rounds needs a number"}; shift ;;
			--jobs)	parts=${2:?"--jobs needs a number"}; shift ;;
			--from)	from=${2:?"--from needs a number"}; shift ;;
			--seed)	seed=${2:?"--seed needs a number"}; shift ;;
			--kind)	kind_wanted=${2:?"--kind needs a word"}; shift ;;
			--keep)	keep_wanted=yes ;;
			--installed)	installed=yes ;;
			-h | --help)	usage; exit 0 ;;
			*)	usage >&2; exit 2 ;;
		esac
		shift
	done
	case " $kinds " in
		*" $kind_wanted "*) ;;
		*)	[ -z "$kind_wanted" ] || die "no kind of fault is called $kind_wanted" ;;
	esac
	[ -n "$seed" ] || seed=$(date +%s)
	[ "$parts" -eq 1 ] || keep_wanted=no
}

main()
{
	arguments "$@"
	idem_begin "$here"
	idem_need faults
	idem_relocate
	[ "$installed" = yes ] || idem_build "$tmp/build.log" || die "building failed"
	say "idem on PostgreSQL $version, seed $seed"
	wrong=0
	faults=0
	skipped=0
	transactions=0
	grants=0
	sent=0
	if [ "$parts" -gt 1 ]; then
		in_parts
	else
		all_rounds
	fi
	say "$rounds rounds, $faults faults, $skipped skipped, $transactions transactions," \
		"$grants effects granted, $sent sent, $wrong wrong; seed $seed"
	idem_result faults "$rounds rounds, $faults faults, $skipped skipped, $transactions transactions, $grants effects granted, $sent sent, $wrong wrong; seed $seed"
	if [ "$wrong" -gt 0 ] && [ "$keep_wanted" = yes ]; then
		keep=yes
		mounted=
		idem_kept faults
	fi
	[ "$wrong" -eq 0 ]
}

# The rounds, in as many scripts as there are parts; who root is stays root, to
# mount what can be filled.
in_parts()
{
	part=0
	running=
	while [ "$part" -lt "$parts" ]; do
		first=$((from + rounds * part / parts))
		part=$((part + 1))
		log=$tmp/part$part.log
		: >"$log"
		setsid env --default-signal=INT,QUIT PG_CONFIG="$bin/pg_config" \
			sh "$src/test/proof/faults.sh" --installed --seed "$seed" --from "$first" \
			--rounds $((from + rounds * part / parts - first)) ${kind_wanted:+--kind "$kind_wanted"} \
			>"$log" 2>&1 &
		jobs="$jobs $!"
		running="$running $!"
		tail -n +1 -f --pid=$! "$log" | grep --line-buffered -E '^(round| )' &
	done
	for job in $running; do
		idem_wait "$job"
	done
	for log in "$tmp"/part*.log; do
		add_up "$log"
	done
}

# Add the last line of a part to ours; without one its rounds went wrong.
add_up()
{
	last=$(tail -n 1 "$1")
	case $last in
		*" rounds, "*" wrong; seed "*) ;;
		*)	sed 's/^/    /' "$1" | tail -n 20
			wrong=$((wrong + 1))
			return ;;
	esac
	# shellcheck disable=SC2046 # a list of numbers
	set -- $(echo "$last" | sed 's/;.*//; s/[^0-9]/ /g')
	faults=$((faults + $2))
	skipped=$((skipped + $3))
	transactions=$((transactions + $4))
	grants=$((grants + $5))
	sent=$((sent + $6))
	wrong=$((wrong + $7))
}

all_rounds()
{
	make_place
	make_cluster
	round=$((from - 1))
	while [ "$round" -lt $((from + rounds - 1)) ]; do
		round=$((round + 1))
		one_round
		if [ "$bad" -ne 0 ]; then
			wrong=$((wrong + 1))
			[ "$keep_wanted" = no ] || break
		fi
	done
}

# ----------------------------------------------------------------------
# The cluster
# ----------------------------------------------------------------------

# Its files lie on a small file system of its own, if one can be mounted: it
# can be filled, and is fast.
make_place()
{
	disk=$tmp/disk
	# shellcheck disable=SC2086 # $as is several words
	$as mkdir "$disk" "$tmp/standby" "$tmp/said"
	if mount -t tmpfs -o "size=600m,mode=755,uid=$(stat -c %u "$disk")" \
		idem "$disk" 2>/dev/null; then
		mounted=$disk
	fi
}

make_cluster()
{
	idem_step "$tmp/initdb.log" "making a cluster" "$bin/initdb" -D "$disk/a" \
		-A trust -U postgres --locale=C.UTF-8 --encoding=UTF8 -N --wal-segsize=1
	for setting in "listen_addresses = ''" "unix_socket_directories = '$tmp'" \
		"fsync = off" "max_connections = 40" "shared_buffers = 32MB" \
		"min_wal_size = 4MB" "max_wal_size = 16MB" "checkpoint_timeout = 30s" \
		"deadlock_timeout = 20ms" "wal_sender_timeout = 5s" \
		"max_prepared_transactions = 20" "max_wal_senders = 4" "wal_keep_size = 64MB" "hot_standby = on" \
		"include_if_exists = '$tmp/site.conf'"; do
		echo "$setting"
	done | $as tee -a "$disk/a/postgresql.conf" >/dev/null
	$as sed -i '1i local all alice,bob scram-sha-256' "$disk/a/pg_hba.conf"
	data_is a
	echo "idem.site = 'here'" | $as tee "$tmp/site.conf" >/dev/null
	idem_server_start
	database=
	ask -c "CREATE ROLE alice LOGIN SUPERUSER PASSWORD 'alice'" -c "CREATE ROLE bob LOGIN PASSWORD 'bob'"
}

# The cluster in folder $1 is the one that the server of this script runs.
data_is()
{
	folder=$1
	# shellcheck disable=SC2086
	$as ln -sfn "$disk/$1" "$tmp/data"
}

# psql for our own questions, of the server with its socket in $socket.
socket=
ask()
{
	PGOPTIONS="-c client_min_messages=error" "$bin/psql" -X -q -A -t -h "${socket:-$tmp}" -U postgres \
		-d "${database:-postgres}" -v ON_ERROR_STOP=1 "$@"
}

# After some rounds all begins anew, so that the oracle stays quick.
new_database()
{
	database=
	ask -c "DROP DATABASE IF EXISTS faults WITH (FORCE)" -c "CREATE DATABASE faults" || die "no database"
	database=faults
	for file in tables rooms oracle rooms_oracle; do
		ask -f "$src/test/proof/faults/$file.sql" >"$tmp/tables.log" 2>&1 || {
			tail -n 5 "$tmp/tables.log"
			die "faults/$file.sql failed"
		}
	done
}

# ----------------------------------------------------------------------
# One round
# ----------------------------------------------------------------------

one_round()
{
	bad=0
	if [ -n "$kind_wanted" ]; then
		kind=$kind_wanted
	else
		# shellcheck disable=SC2086 # a list of words
		set -- $kinds
		shift $(((round - 1) % $#))
		kind=$1
	fi
	if [ "$kind" = disk ] && [ -z "$mounted" ]; then
		say "round $round: disk SKIPPED, no small file system can be mounted here"
		skipped=$((skipped + 1))
		return
	fi
	if [ -z "$database" ] || [ $(((round - 1) % generation)) -eq 0 ]; then
		new_database
	fi
	rm -f "$tmp"/said/*
	ask -c "INSERT INTO payment (id, amount, currency, status)
		SELECT i, 80 + i % 50, 'EUR', 'created' FROM generate_series(greatest(1, $(((round - 1) % generation * 20 - 19))),
			$(((round - 1) % generation * 20 + 20))) i ON CONFLICT DO NOTHING" || die "no payments"
	"before_$kind"
	start_workers
	pause
	"fault_$kind"
	faults=$((faults + 1))
	end_workers
	"after_$kind"
	end_prepared
	read_files
	judge
}

# The script of a worker or an administrator depends on seed and round only.
script()
{
	main=$1
	shift
	awk -v seed=$((seed + round)) -v round="$round" -v kind="$kind" -v generation=$generation "$@" \
		-f "$src/test/proof/faults/words.awk" -f "$src/test/proof/faults/rooms.awk" -f "$src/test/proof/faults/$main.awk"
}

start_workers()
{
	workers=
	options="-c client_min_messages=error"
	case $kind in
		async)	options="$options -c synchronous_commit=off" ;;
		local)	options="$options -c synchronous_commit=local" ;;
	esac
	for worker in $(seq $sessions); do
		script work -v worker="$worker" -v count=400 | $as tee "$tmp/said/$worker.sql" >/dev/null
	done
	for worker in $(seq $sessions); do
		idem_start env PGOPTIONS="$options" "$bin/psql" -X -A -t -h "$tmp" -U postgres -d faults \
			-f "$tmp/said/$worker.sql" >"$tmp/said/$worker.out" 2>"$tmp/said/$worker.err"
		workers="$workers $!"
	done
}

# From 0.2 to 1.2 seconds.
pause()
{
	sleep "$(awk -v seed=$((seed * 3 + round)) 'BEGIN { srand(seed); print 0.2 + rand() }')"
}

end_workers()
{
	# INT lets psql write what it has to say
	for job in $workers; do
		idem_signal INT "$job"
	done
	for job in $workers; do
		idem_wait "$job" 2>/dev/null
	done
}

# Every way of not running stops at once: the postmaster is held, so that it
# starts no one while its children are listed.  Without /proc only it is
# killed; the others end as they notice.
kill_server()
{
	kill -STOP "$server"
	# shellcheck disable=SC2046 # a list of process ids
	kill -KILL "$server" $(grep -ls "^PPid:[[:space:]]*$server\$" /proc/[0-9]*/status |
		cut -d / -f 3) 2>/dev/null
	wait "$server" 2>/dev/null
	server=
	[ -e /proc/self ] || sleep 1
}

before_crash() { :; }
fault_crash() { kill_server; }
after_crash() { idem_server_start; }

before_async() { :; }
fault_async() { kill_server; }
after_async() { idem_server_start; }

before_terminate() { :; }
fault_terminate()
{
	for _ in 1 2 3 4; do
		ask -c "SELECT CASE WHEN random() < 0.5 THEN pg_terminate_backend(pid) ELSE pg_cancel_backend(pid) END
			FROM pg_stat_activity WHERE datname = 'faults' AND pid <> pg_backend_pid()
			ORDER BY random() LIMIT 2" >/dev/null
		sleep 0.05
	done
}
after_terminate() { :; }

before_backend() { :; }
fault_backend()
{
	victim=$(ask -c "SELECT pid FROM pg_stat_activity
		WHERE datname = 'faults' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1")
	[ -z "$victim" ] || kill -KILL "$victim"
}
after_backend()
{
	for _ in $(seq 100); do
		! ask -c "SELECT 1" >/dev/null 2>&1 || return
		sleep 0.1
	done
	die "the server did not come back"
}

# The disk gets full, and is so for a moment.
before_disk() { :; }
fault_disk()
{
	$as dd if=/dev/zero of="$disk/ballast" bs=64k 2>/dev/null
	sleep 0.3
}
after_disk()
{
	rm -f "$disk/ballast"
	for _ in $(seq 20); do
		! ask -c "SELECT 1" >/dev/null 2>&1 || return
		sleep 0.1
	done
	idem_stop_server
	idem_server_start
}

# A standby that has everything before a commit is acknowledged.
before_promote()
{
	other=b
	[ "$folder" = a ] || other=a
	rm -rf "${disk:?}/$other"
	idem_step "$tmp/standby.log" "copying the cluster" "$bin/pg_basebackup" -h "$tmp" \
		-U postgres -D "$disk/$other" -c fast -X stream --no-sync
	# shellcheck disable=SC2086
	$as touch "$disk/$other/standby.signal"
	echo "primary_conninfo = 'host=$tmp user=postgres'" | $as tee "$disk/$other/postgresql.auto.conf" >/dev/null
	idem_start "$bin/postgres" -D "$disk/$other" -k "$tmp/standby" >>"$tmp/standby.log" 2>&1
	standby=$!
	ask -c "ALTER SYSTEM SET synchronous_standby_names = '*'" -c "SELECT pg_reload_conf()" >/dev/null
	for _ in $(seq 100); do
		[ "$(ask -c "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")" != sync ] ||
			return
		sleep 0.1
	done
	die "the standby does not follow"
}
# It hears nothing for a moment before: who does not wait for it runs ahead.
fault_promote()
{
	receiver=$(socket=$tmp/standby ask -c "SELECT pid FROM pg_stat_wal_receiver")
	[ -z "$receiver" ] || kill -STOP "$receiver"
	sleep 0.1
	kill_server
	[ -z "$receiver" ] || kill -TERM "$receiver"
	[ -z "$receiver" ] || kill -CONT "$receiver"
}
after_promote()
{
	socket=$tmp/standby
	[ "$(ask -c "SELECT pg_promote()")" = t ] || die "the standby was not promoted"
	socket=
	kill -INT "$standby"
	idem_wait "$standby"
	data_is "$other"
	idem_server_start
}

# The standby hears nothing, and whoever waits for it is told to wait no more:
# the server says COMMIT all the same.  What idem vouches for must not be said.
before_cancel() { before_promote; }
fault_cancel()
{
	receiver=$(socket=$tmp/standby ask -c "SELECT pid FROM pg_stat_wal_receiver")
	[ -z "$receiver" ] || kill -STOP "$receiver"
	for _ in 1 2 3 4 5 6 7 8; do
		ask -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
			WHERE wait_event = 'SyncRep' AND pid <> pg_backend_pid()" >/dev/null
		sleep 0.05
	done
	kill_server
	[ -z "$receiver" ] || kill -TERM "$receiver"
	[ -z "$receiver" ] || kill -CONT "$receiver"
}
after_cancel() { after_promote; }

# One session does nothing but drop a scope and declare it anew.  Each time
# has a number in a table of the user's, changed in the same transaction.
before_scopes()
{
	ask -c "SELECT idem.create_scope('mayfly', 'inside', '{}')" >/dev/null 2>&1
	awk -v seed=$((seed + round)) 'BEGIN {
		srand(seed)
		for (i = 0; i < 400; i++)
			printf "BEGIN; SELECT idem.drop_scope(%s, %s); SELECT idem.create_scope(%s, %s, %s); UPDATE mayfly_generation SET n = n + 1; %s; SELECT pg_sleep(0.01);\n",
				"\047mayfly\047", "force => \047it lives for a moment\047", "\047mayfly\047",
				rand() < 0.5 ? "\047inside\047" : "\047outside\047", "\047{}\047",
				rand() < 0.8 ? "COMMIT" : "ROLLBACK"
	}' | $as tee "$tmp/said/scopes.sql" >/dev/null
	idem_start "$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d faults \
		-f "$tmp/said/scopes.sql" >"$tmp/said/scopes.log" 2>&1
	scopes_job=$!
}
fault_scopes() { sleep 0.5; kill_server; }
after_scopes()
{
	idem_signal INT "$scopes_job"
	idem_wait "$scopes_job" 2>/dev/null
	idem_server_start
}

# The database has a place, so that a copy of it does not send.
set_site()
{
	ask -c "SELECT FROM idem.set_site('here')" >/dev/null || die "no site was set"
}

before_lag()
{
	before_promote
	ask -c "ALTER SYSTEM RESET synchronous_standby_names" -c "SELECT pg_reload_conf()" >/dev/null
	set_site
}
fault_lag()
{
	receiver=$(socket=$tmp/standby ask -c "SELECT pid FROM pg_stat_wal_receiver")
	[ -z "$receiver" ] || kill -STOP "$receiver"
	sleep 0.3
	kill_server
	[ -z "$receiver" ] || kill -TERM "$receiver"
	[ -z "$receiver" ] || kill -CONT "$receiver"
}
after_lag() { after_promote; }

# In every other round the backup begins a timeline of its own.
before_restore()
{
	set_site
	other=b
	[ "$folder" = a ] || other=a
	rm -rf "${disk:?}/$other"
	idem_step "$tmp/standby.log" "copying the cluster" "$bin/pg_basebackup" -h "$tmp" \
		-U postgres -D "$disk/$other" -c fast -X stream --no-sync
	[ $((round % 2)) -eq 0 ] || return 0
	# shellcheck disable=SC2086
	$as touch "$disk/$other/recovery.signal"
	for setting in "restore_command = 'false'" "recovery_target = 'immediate'" "recovery_target_action = 'promote'"; do
		echo "$setting"
	done | $as tee -a "$disk/$other/postgresql.auto.conf" >/dev/null
}
fault_restore() { kill_server; }
after_restore()
{
	data_is "$other"
	idem_server_start
	for _ in $(seq 100); do
		[ "$(ask -c "SELECT pg_is_in_recovery()" 2>/dev/null)" != f ] || return
		sleep 0.1
	done
	die "the backup does not come up"
}

# A moment of the round, after which everybody went on for a while.
before_point()
{
	set_site
	other=b
	[ "$folder" = a ] || other=a
	rm -rf "${disk:?}/$other"
	idem_step "$tmp/standby.log" "copying the cluster" "$bin/pg_basebackup" -h "$tmp" \
		-U postgres -D "$disk/$other" -c fast -X stream --no-sync
}
fault_point()
{
	sleep 0.2
	moment=$(ask -c "SELECT clock_timestamp()")
	sleep 0.4
	kill_server
}
after_point()
{
	# shellcheck disable=SC2086
	$as touch "$disk/$other/recovery.signal"
	for setting in "restore_command = 'cp $disk/$folder/pg_wal/%f %p'" "recovery_target_time = '$moment'" \
		"recovery_target_action = 'promote'"; do
		echo "$setting"
	done | $as tee -a "$disk/$other/postgresql.auto.conf" >/dev/null
	after_restore
	ask -c "INSERT INTO moment VALUES ($round, '$moment')" || die "no moment"
	ask -c "ALTER SYSTEM RESET ALL" || die "the settings of the recovery stay"
}

# Every second transaction that was left prepared is committed, a moment later.
before_prepared()
{
	echo "$decide AND clock_timestamp() > prepared + interval '40 ms' \\gexec
		SELECT pg_sleep(0.02) \\g /dev/null
		\\ir coordinator.sql" | $as tee "$tmp/said/coordinator.sql" >/dev/null
	idem_start "$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d faults \
		-f "$tmp/said/coordinator.sql" >"$tmp/said/coordinator.log" 2>&1
	coordinator=$!
}
fault_prepared() { sleep 0.5; kill_server; }
after_prepared()
{
	idem_signal INT "$coordinator"
	idem_wait "$coordinator" 2>/dev/null
	idem_server_start
}

# administrator WORKER [NAME]: starts one (admin.awk), who logs in as NAME
administrator()
{
	script admin -v worker="$1" -v count=400 | $as tee "$tmp/said/$1.sql" >/dev/null
	idem_start env PGPASSWORD="${2:-}" PGOPTIONS="-c client_min_messages=error -c synchronous_commit=${flushes:-on}" "$bin/psql" -X -A -t -h "$tmp" -U "${2:-postgres}" \
		-d faults -f "$tmp/said/$1.sql" >"$tmp/said/$1.out" 2>"$tmp/said/$1.err"
	administrators="$administrators $!"
}

end_administrators()
{
	workers="$administrators" end_workers
	idem_server_start
}

# In every other round their commits are not flushed, but for what stops and goes
# on.
before_stale()
{
	administrators=
	[ $((round % 2)) -eq 0 ] || flushes=off
	administrator 21
	administrator 22
}
fault_stale() { sleep 1; kill_server; }
after_stale()
{
	flushes=
	end_administrators
}

before_maintain()
{
	administrators=
	administrator 21
}
fault_maintain() { sleep 2; kill_server; }
after_maintain() { end_administrators; }

# What two persons are asked for stays so: the next round begins anew.
before_persons()
{
	ask -c "SELECT idem.grant_operator('bob')" -c "GRANT SELECT ON ALL TABLES IN SCHEMA public TO bob" || die "bob is no operator"
	PGPASSWORD=alice "$bin/psql" -X -q -A -t -h "$tmp" -U alice -d faults -v ON_ERROR_STOP=1 \
		-c "SELECT idem.require_approval(true)" || die "nobody is asked for"
	administrators=
	administrator 21 alice
	administrator 22 bob
}
fault_persons() { sleep 1; kill_server; }
after_persons() { end_administrators; }

before_local() { before_promote; }
fault_local() { fault_promote; }
after_local() { after_promote; }

# ----------------------------------------------------------------------
# What is left
# ----------------------------------------------------------------------

# Tables and files are compared once every key was tried again.
judge()
{
	views="acknowledged history rooms_said"
	anew=no
	case $kind in
		lag | restore | point)
			adopt
			anew=yes
			views=moved
			[ "$kind" != point ] || views="moved recovered" ;;
		persons)
			anew=yes ;;
	esac
	retry 9
	compare 12
	ask -c "ANALYZE said" -c "SELECT wrong || ': ' || min(what) || ' (' || count(*) || ')' FROM (
		SELECT * FROM oracle.state UNION ALL SELECT * FROM oracle.rooms$(printf ' UNION ALL SELECT * FROM oracle.%s' $views)) o
		GROUP BY wrong" >"$tmp/wrong" 2>&1 || bad=1
	crashes "$tmp/server.log" "$tmp/standby.log" >>"$tmp/wrong" 2>/dev/null
	[ ! -s "$tmp/wrong" ] || bad=1
	count=$(ask -c "SELECT count(DISTINCT (worker, tx)) FILTER (WHERE ended = 'COMMIT') || '|' ||
		count(*) FILTER (WHERE what = 'claim' AND w3 = 't' AND ended = 'COMMIT' AND NOT undone) || '|' ||
		count(*) FILTER (WHERE what = 'sent') || '|' ||
		count(*) FILTER (WHERE what = 'claim' AND w2 = 'in_progress') || '|' ||
		count(*) FILTER (WHERE what = 'code' AND w1 <> '00000') FROM said WHERE round = $round")
	# shellcheck disable=SC2046 # a list of numbers
	set -- $(echo "$count" | tr '|' ' ')
	transactions=$((transactions + ${1:-0}))
	grants=$((grants + ${2:-0}))
	sent=$((sent + ${3:-0}))
	say "round $round: $kind, ${1:-?} committed, ${2:-?} effects granted, ${3:-?} sent," \
		"${4:-?} met a rival, ${5:-?} errors$([ "$bad" -eq 0 ] || echo ", WRONG")"
	[ "$bad" -eq 0 ] || {
		sed 's/^/    /' "$tmp/wrong" | head -n 20
		: >"$tmp/server.log"
		say "    again: sh test/proof/faults.sh --seed $seed --from $round --rounds 1 --kind $kind"
	}
	# what was acknowledged is gone, or needs two persons: the next round begins anew
	[ "$anew" = no ] || [ "$bad$keep_wanted" = 1yes ] || database=
}

# Assertions and processes that ended by themselves.  Only that is expected of a
# full disk: a server that cannot write its log stops at once.
crashes()
{
	awk '/PANIC:.*No space left on device/ { match($0, /\[[0-9]+\]/); full[substr($0, RSTART + 1, RLENGTH - 2)] = 1 }
		/TRAP/
		/terminated by signal (6|7|8|11)/ {
			match($0, /PID [0-9]+/)
			if (!(substr($0, RSTART + 4, RLENGTH - 4) in full))
				print
		}' "$@"
}

# What was left prepared for a coordinator ("q...") is committed if its number is
# even; what the fault left is committed, as its client would.
decide="SELECT format('%s PREPARED %L', CASE WHEN split_part(gid, '.', 3)::int % 2 = 1 THEN 'ROLLBACK' ELSE 'COMMIT' END, gid)
	FROM pg_prepared_xacts WHERE database = 'faults' AND gid LIKE 'q%'"

end_prepared()
{
	{
		ask -c "SELECT format('COMMIT PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = 'faults' AND gid NOT LIKE 'q%'"
		ask -c "$decide"
	} | sed 's/$/;/' | ask -f - >/dev/null || die "what is prepared cannot be ended"
}

# The files, as rows of "said".
read_files()
{
	durable=t
	case $kind in
		async | local | cancel) durable=f ;;
	esac
	rows_of "$tmp"/said/?.out
	case $kind in
		stale)	[ $((round % 2)) -eq 0 ] || durable=f ;;
	esac
	rows_of "$tmp"/said/2?.out
}

# rows_of FILE...: keep what the sessions said
rows_of()
{
	[ -e "$1" ] || return 0
	awk -v round="$round" -v durable="$durable" -v kind="$kind" \
		-f "$src/test/proof/faults/said.awk" "$@" >"$tmp/said/rows"
	ask -c "\\copy said FROM '$tmp/said/rows'" || die "cannot read what the workers said"
}

# retry WORKER: a client that was cut off comes again, with every key that it
# tried.
retry()
{
	ask -c "SELECT DISTINCT w2 FROM said WHERE round = $round AND what = 'try' AND w1 IN ('claim', 'reserve', 'bound', 'own', 'order')" |
		script work -v worker="$1" -v again=1 >"$tmp/said/$1.sql"
	say_script "$1"
}

# say_script WORKER: run it, and keep what it says
say_script()
{
	durable=t
	"$bin/psql" -X -A -t -h "$tmp" -U postgres -d faults -f "$tmp/said/$1.sql" \
		>"$tmp/said/$1.out" 2>"$tmp/said/$1.err"
	rows_of "$tmp/said/$1.out"
}

# compare WORKER: all days are compared once more, and whatever an administrator
# left paused is resumed.
compare()
{
	{
		say "SELECT 'end|' || clock_timestamp();"
		say "\\echo tx|1|READ COMMITTED"
		say "SELECT 'standing|' || kind || '|' || name FROM idem.pause;"
		[ "$kind" = persons ] || say "\\echo try|resume||$round.$1.1.1|
			SELECT idem.resume(kind, name, NULLIF(state, ''), reason => 'the storm is over') FROM idem.pause;
			\\echo code|:SQLSTATE|:LAST_ERROR_MESSAGE"
		say "\\echo COMMIT"
		say "SELECT 'end|' || clock_timestamp();"
		say "SELECT count(*) FROM (SELECT DISTINCT day FROM book_line UNION SELECT day FROM bank_line) d, idem.reconcile('both', d.day);"
	} >"$tmp/said/$1.sql"
	say_script "$1"
}

# All clients come again before an operator has adopted the database (worker 10)
# and after it (11).  Then the bank says what it has.
adopt()
{
	retry 10
	ask -c "SELECT FROM idem.adopt_site('the fault', lost => '5 min')" >/dev/null || die "the site was not adopted"
	retry 11
	ask -c "SELECT count(idem.resolve('sent', c.key, CASE WHEN EXISTS (SELECT FROM said s WHERE s.what = 'sent' AND s.w1 = c.key)
			THEN 'succeeded' ELSE 'released' END, '{\"by\": \"bank\"}', force => 'the bank has said so'))
			FROM idem.open_claims c WHERE c.scope = 'sent' AND c.state IN ('dispatched', 'unknown')" \
		-c "SELECT count(idem.fence('sent', s.w1, 'the bank has it'))
			FROM (SELECT DISTINCT w1 FROM said WHERE what = 'sent') s
			WHERE s.w1 NOT IN (SELECT key FROM idem.reservation)" \
		-c "SELECT count(idem.resolve('wired', c.key, CASE WHEN EXISTS (SELECT FROM oracle.ordered o WHERE o.key = c.key AND o.truth = 'paid')
			THEN 'succeeded' WHEN EXISTS (SELECT FROM oracle.ordered o WHERE o.key = c.key AND o.truth = 'refused')
			THEN 'failed' ELSE 'released' END, '{\"by\": \"bank\"}', force => 'the bank has said so'))
			FROM idem.open_claims c WHERE c.scope = 'wired' AND c.state IN ('dispatched', 'unknown')" \
		-c "SELECT count(idem.fence('wired', o.key, 'the bank has it'))
			FROM (SELECT DISTINCT key FROM oracle.ordered WHERE truth <> 'never') o
			WHERE o.key NOT IN (SELECT key FROM idem.reservation)" \
		-c "SELECT FROM idem.adopt_site('the bank was asked', lost => '0')" >/dev/null || die "the bank could not be asked"
}

main "$@"
