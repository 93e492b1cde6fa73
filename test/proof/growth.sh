#!/bin/sh
# growth.sh - what a key, a child, an entry costs when there are many of them
#
#	sh test/proof/growth.sh [--keys N] [--only KIND]... [--keep]
#
# Each KIND is measured small and large, in a database of its own that is gone
# before the next one begins:
#
#	claims		calls for keys where 1,000,000 are known, and where N are; half
#			of the keys are counted up, half are random
#	retire		idem.retire of N / 10 keys, by batches and by one call
#	limit		refunds of N / 10 payments, where there are N refunds
#	balance		transfers between N / 100 accounts, where there are N transfers
#	guards		idem.doctor() and DDL with 100 and with 1,000 guards
#	partitions	the same, of a table of 1,000 and of 10,000 partitions
#	sessions	memory of 1,000 sessions that have all used claims, states, limits
#			and balances, beside as many that wrote to tables without a guard
#
# N is 100000000 unless told otherwise, for which claims take some 16 GB of disk
# and the others less; where that is not there, the script says so and ends.
#
# Bytes are those on disk.  Instructions and misses are counted by callgrind, for
# one transaction of a prepared statement, with the caches of this machine's
# processor: a miss is a read or a write that its last cache does not hold.
# They repeat, whatever else the machine does; microseconds of CPU, of the
# cheapest of three, do not, and are told beside them.  "x" is large by small.
# A bar stands where what we wrote decides: what is beyond it is counted.
#
# The last line is "N figures, N beyond their bars"; the exit status is 1 if any
# is.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

keys=100000000
kinds=
keep_wanted=no
figures=0
beyond=0
while [ $# -gt 0 ]; do
	case $1 in
		--keys)	keys=${2:?"--keys needs a number"}; shift ;;
		--only)	kinds="$kinds ${2:?"--only needs a kind"}"; shift ;;
		--keep)	keep_wanted=yes ;;
		-h | --help)	usage; exit 0 ;;
		*)	usage >&2; exit 2 ;;
	esac
	shift
done
few=1000000
[ "$keys" -ge $((10 * few)) ] || few=$((keys / 10))

# ----------------------------------------------------------------------
# Asking and telling
# ----------------------------------------------------------------------

# In the database of the kind that is measured
ask()
{
	"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d "$kind" -v ON_ERROR_STOP=1 "$@" ||
		die "$kind: a statement failed"
}

# figure WHAT UNIT SMALL LARGE [BAR]: a line of the table
figure()
{
	[ -n "${3:-}" ] && [ -n "${4:-}" ] || die "$kind: $1 was not measured"
	figures=$((figures + 1))
	awk -v what="$kind: $1" -v unit="$2" -v small="$3" -v large="$4" -v bar="${5:-}" 'BEGIN {
		ratio = small > 0 ? large / small : 0
		printf "%-58s %12.6g %12.6g %-12s x %.2f%s\n", what, small, large, unit, ratio,
			bar == "" ? "" : " (" bar ")" (ratio > bar ? "  BEYOND" : "")
		exit bar != "" && ratio > bar
	}' || beyond=$((beyond + 1))
}

# Refuse to fill the disk: needs GIGABYTES
needs()
{
	free=$(df -Pk "$tmp" | awk 'NR == 2 { print int($4 / 1048576) }')
	[ "$free" -ge $(($1 + 10)) ] ||
		die "$kind: $1 GB and 10 to spare are needed in $tmp, $free are there"
}

# Microseconds of CPU a call of the cheapest of three: cpu CALLS STATEMENT
cpu()
{
	for _ in 1 2 3; do
		"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d "$kind" -v ON_ERROR_STOP=1 <<-SQL || die "$kind: $2"
			SELECT cpu_us() AS started \\gset
			$2;
			SELECT round((cpu_us() - :started) / $1.0, 3) AS cost \\gset
			\\echo cost :cost
		SQL
	done | sed -n 's/^cost //p' | sort -g | head -n 1
}

# Stop the server in good order and start it again
restart()
{
	ask -c CHECKPOINT
	kill -INT "$server"
	wait "$server" 2>/dev/null
	server=
	idem_server_start
}

# From here to uncounted the server runs under callgrind.
counted()
{
	under="valgrind --quiet --tool=callgrind --cache-sim=yes --trace-children=yes
		--callgrind-out-file=$tmp/tmp/callgrind.%p"
	restart
	ask -c "SELECT count(*) FROM pg_class" >/dev/null
}

uncounted()
{
	under=
	restart
}

# Instructions and misses of the backend for one transaction of a script, in
# $instructions and $misses: the difference of a long run and a short one.
# count TRANSACTIONS SCRIPT
count()
{
	first=$(($1 < 20 ? 3 : 20))
	printf '%s\n' "$2" | $as tee "$tmp/tmp/script" >/dev/null
	# shellcheck disable=SC2046 # four numbers
	set -- "$1" $(counted_run $first) $(counted_run $((first + $1)))
	instructions=$((($4 - $2) / $1))
	[ "$instructions" -gt 0 ] || die "$kind: somebody else's session was counted, or none"
	misses=$(awk -v n="$1" -v a="$3" -v b="$5" 'BEGIN { printf "%.1f", (b - a) / n }')
}

# The backend that did the work is the one with the most instructions; it
# leaves its file a moment after its client is gone.
counted_run()
{
	for _ in $(seq 100); do
		[ "$(ask -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")" -gt 1 ] || break
		sleep 0.1
	done
	sleep 1
	$as rm -f "$tmp"/tmp/callgrind.*
	idem_run "$tmp/pgbench.log" "$bin/pgbench" -h "$tmp" -U postgres -n -M prepared -c 1 -t "$1" \
		-f "$tmp/tmp/script" "$kind"
	for _ in $(seq 600); do
		[ "$(cat "$tmp"/tmp/callgrind.* 2>/dev/null | grep -c '^totals: ')" -lt 2 ] || break
		sleep 0.1
	done
	awk '/^events: / { for (i = 2; i <= NF; i++) of[$i] = i }
		/^totals: / && $of["Ir"] > most { most = $of["Ir"]; missed = $of["DLmr"] + $of["DLmw"] }
		END { print most, missed + 0 }' "$tmp"/tmp/callgrind.*
}

# Remember what was counted, by a name: keep NAME SIZE
keep_count()
{
	eval "instructions_$1_$2=$instructions misses_$1_$2=$misses"
}

# counts NAME WHAT BAR: both figures of what was counted small and large
counts()
{
	eval "figure '$2' instructions \$instructions_$1_small \$instructions_$1_large ${3:-}"
	eval "figure '$2' misses \$misses_$1_small \$misses_$1_large"
}

# ----------------------------------------------------------------------
# Claims
# ----------------------------------------------------------------------

counted_key="'20261122' || lpad((n)::text, 12, '0')"
random_key="left(md5((n)::text), 20)"

# The key of a number, made of an expression: key_of counted|random EXPRESSION
key_of()
{
	eval "key_form=\$${1}_key"
	# shellcheck disable=SC2154 # set by eval
	echo "$key_form" | sed "s#(n)#($2)#"
}

# A thousand keys a statement and a transaction, half of each form: fill FROM TO
fill()
{
	ask -c "DO \$d\$ BEGIN FOR j IN $1 / 1000 .. $2 / 1000 - 1 LOOP
		PERFORM FROM idem.claim_many('grow', ARRAY(SELECT unnest(ARRAY[
			$(key_of counted 'j * 500::bigint + i'), $(key_of random 'j * 500::bigint + i')]) FROM generate_series(1, 500) i));
		COMMIT; END LOOP; END \$d\$"
	ask -c "VACUUM ANALYZE idem.anchor"
}

# What a call costs where SIZE keys are known: claim_costs small|large KEYS
claim_costs()
{
	for form in counted random; do
		known="1 + (i * 7919::bigint + 104729) % ($2 / 2)"
		[ $form = random ] || known="1 + (i + 104729::bigint) % ($2 / 2)"
		eval "cpu_fresh_${form}_$1=$(cpu 50000 "SELECT count(*) FROM (SELECT nextval('fresh') AS i FROM generate_series(1, 50000)) s, idem.claim('grow', $(key_of $form i)) c")"
		eval "cpu_known_${form}_$1=$(cpu 50000 "SELECT count(*) FROM generate_series(1, 50000) i, idem.claim('grow', $(key_of $form "$known")) c")"
	done
	eval "heap_$1=$(ask -c "SELECT pg_table_size('idem.anchor') / count(*)::numeric FROM idem.anchor")"
	eval "index_$1=$(ask -c "SELECT pg_indexes_size('idem.anchor') / count(*)::numeric FROM idem.anchor")"
	counted
	for form in counted random; do
		count 400 "\\set n random(1000000000000, 9000000000000)
			SELECT granted FROM idem.claim('grow', $(key_of $form :n))"
		keep_count "fresh_$form" "$1"
		count 400 "\\set n random(1, $2 / 2)
			SELECT granted FROM idem.claim('grow', $(key_of $form :n))"
		keep_count "known_$form" "$1"
	done
	uncounted
}

measure_claims()
{
	needs $((keys / 6000000))
	ask -c "SELECT idem.create_scope('grow', effect => 'inside', fields => '{}', flush => false)" >/dev/null
	fill 0 "$few"
	claim_costs small "$few"
	fill "$few" "$keys"
	claim_costs large "$keys"
	# shellcheck disable=SC2154 # set by eval
	figure "table, a key" bytes "$heap_small" "$heap_large" 1.05
	# shellcheck disable=SC2154
	figure "index, a key" bytes "$index_small" "$index_large" 1.2
	for age in fresh known; do
		for form in counted random; do
			counts "${age}_$form" "$age key, $form" 1.2
			eval "figure '$age key, $form' 'us of CPU' \$cpu_${age}_${form}_small \$cpu_${age}_${form}_large"
		done
	done
}

# ----------------------------------------------------------------------
# Retiring
# ----------------------------------------------------------------------

# Keys of one day in a scope of their own: dated SCOPE N
dated()
{
	ask -c "SET idem.truncate_reason = 'growth'" -c "TRUNCATE idem.anchor" \
		-c "SELECT idem.create_scope('$1', effect => 'inside', fields => '{}', key_time => 'YYYYMMDD', flush => false)" \
		-c "DO \$d\$ BEGIN FOR j IN 0 .. $2 / 1000 - 1 LOOP
		PERFORM FROM idem.claim_many('$1', ARRAY(SELECT '20180718-' || j * 1000::bigint + i FROM generate_series(1, 1000) i));
		COMMIT; END LOOP; END \$d\$" -c "VACUUM ANALYZE idem.anchor" >/dev/null
}

# Microseconds of CPU a key of the first, the last and all batches, and the
# memory that the backend has then: retire SCOPE BATCH
retire()
{
	ask <<-SQL
		CREATE TEMP TABLE took (n serial, removed bigint, us numeric);
		DO \$d\$ DECLARE started numeric; gone bigint; BEGIN LOOP
			started := cpu_us();
			SELECT removed INTO gone FROM idem.retire('$1', before => '2018-07-19 00:00+00', batch => $2);
			EXIT WHEN gone = 0;
			INSERT INTO took (removed, us) VALUES (gone, cpu_us() - started);
			COMMIT;
		END LOOP; END \$d\$;
		SELECT concat_ws(' ', (SELECT us / removed FROM took ORDER BY n LIMIT 1),
			(SELECT us / removed FROM took ORDER BY n DESC LIMIT 1), sum(us) / sum(removed), high_water()) FROM took;
	SQL
}

measure_retire()
{
	many=$((keys / 10))
	needs $((many / 2500000 + 1))
	for size in small large; do
		n=$many
		[ $size = large ] || n=$((few < many ? few : many / 10))
		for way in batches call; do
			batch=$n
			[ $way = call ] || batch=$((n / 100 > 100000 ? n / 100 : 100000 < n / 10 ? 100000 : n / 10))
			dated "$way $size" "$n"
			# shellcheck disable=SC2046 # four numbers
			set -- $(retire "$way $size" "$batch")
			eval "first_${way}_$size=$1 last_${way}_$size=$2 all_${way}_$size=$3 memory_${way}_$size=$4"
		done
	done
	# shellcheck disable=SC2154 # set by eval
	figure "a key, the last batch by the first" "us of CPU" "$first_batches_large" "$last_batches_large" 3
	# shellcheck disable=SC2154
	figure "a key, by batches" "us of CPU" "$all_batches_small" "$all_batches_large" 3
	# shellcheck disable=SC2154
	figure "a key, by one call" "us of CPU" "$all_call_small" "$all_call_large" 2
	# shellcheck disable=SC2154
	figure "memory of the backend, by batches" kB "$memory_batches_small" "$memory_batches_large"
	# shellcheck disable=SC2154
	figure "memory of the backend, by one call" kB "$memory_call_small" "$memory_call_large"
}

# ----------------------------------------------------------------------
# Limits and balances
# ----------------------------------------------------------------------

# Tables are filled first and guarded then, as a restore does it.
measure_guarded()
{
	for size in small large; do
		n=$keys
		[ $size = large ] || n=$few
		"make_$kind" "$size" "$n"
		eval "declared_$size=$("declare_$kind" "$size" "$n")"
		ask -c "VACUUM ANALYZE" >/dev/null
		"script_$kind" "$size" "$n"
		eval "cpu_$size=$(cpu 20000 "$statement")"
	done
	counted
	for size in small large; do
		n=$keys
		[ $size = large ] || n=$few
		"script_$kind" "$size" "$n"
		warm "${parents}_$size"
		count 300 "$script"
		keep_count "row" "$size"
	done
	uncounted
	# shellcheck disable=SC2154 # set by eval
	figure "declared, a row" "us of CPU" "$declared_small" "$declared_large" 2
	counts row "one more" 1.1
	# shellcheck disable=SC2154
	figure "one more of 20000 in a statement" "us of CPU" "$cpu_small" "$cpu_large"
}

# After a restart everything would be read anew: what is counted is not that.
# All of a table is read by its primary key.
warm()
{
	ask -c "SET enable_seqscan = off" -c "SET enable_bitmapscan = off" \
		-c "SELECT count(ctid) FROM $1 WHERE id > 0" >/dev/null
}

measure_limit()
{
	parents=payment
	needs $((keys / 7000000 + 1))
	measure_guarded
}

measure_balance()
{
	parents=account
	needs $((keys / 7000000 + 1))
	measure_guarded
}

# make_limit SIZE N
make_limit()
{
	ask -c "CREATE TABLE payment_$1 (id bigint, amount bigint NOT NULL) WITH (fillfactor = 70)" \
		-c "CREATE TABLE refund_$1 (id bigint, payment_id bigint, amount bigint NOT NULL)" \
		-c "INSERT INTO payment_$1 SELECT i, 1000000000000 FROM generate_series(1, $2 / 10) i" \
		-c "INSERT INTO refund_$1 SELECT i, 1 + i * 7919::bigint % ($2 / 10), 1 FROM generate_series(1, $2) i" \
		-c "ALTER TABLE payment_$1 ADD PRIMARY KEY (id)" \
		-c "ALTER TABLE refund_$1 ADD PRIMARY KEY (id), ADD FOREIGN KEY (payment_id) REFERENCES payment_$1, ALTER payment_id SET NOT NULL" \
		-c "CREATE INDEX ON refund_$1 (payment_id)"
}

declare_limit()
{
	declared_cpu "SELECT idem.guard_limit('refund_$1', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded')" "$2"
}

script_limit()
{
	script="\\set p random(1, $2 / 10)
		INSERT INTO refund_$1 VALUES (nextval('fresh'), :p, 1)"
	statement="INSERT INTO refund_$1 SELECT nextval('fresh'), 1 + (i * 104729::bigint) % ($2 / 10), 1 FROM generate_series(1, 20000) i"
}

make_balance()
{
	ask -c "CREATE TABLE account_$1 (id bigint, floor bigint NOT NULL DEFAULT -1000000000000) WITH (fillfactor = 50)" \
		-c "CREATE TABLE transfer_$1 (id bigint, debit_id bigint, credit_id bigint, amount bigint NOT NULL)" \
		-c "INSERT INTO account_$1 SELECT i FROM generate_series(1, $2 / 100) i" \
		-c "INSERT INTO transfer_$1 SELECT i, 1 + i * 7919::bigint % ($2 / 100), 1 + (i * 104729::bigint + 1) % ($2 / 100), 1 FROM generate_series(1, $2) i" \
		-c "ALTER TABLE account_$1 ADD PRIMARY KEY (id)" \
		-c "ALTER TABLE transfer_$1 ADD PRIMARY KEY (id), ADD FOREIGN KEY (debit_id) REFERENCES account_$1, ADD FOREIGN KEY (credit_id) REFERENCES account_$1,
			ALTER debit_id SET NOT NULL, ALTER credit_id SET NOT NULL"
}

declare_balance()
{
	declared_cpu "SELECT idem.guard_balance('transfer_$1', side || '_id', amount => 'amount', balance => 'balance', side => side,
		normal => 'credit', floor => 'floor') FROM unnest('{debit,credit}'::text[]) side" "$2"
}

script_balance()
{
	script="\\set d random(1, $2 / 100)
		\\set c random(1, $2 / 100)
		INSERT INTO transfer_$1 VALUES (nextval('fresh'), :d, :c, 1)"
	statement="INSERT INTO transfer_$1 SELECT nextval('fresh'), 1 + (i * 104729::bigint) % ($2 / 100), 1 + (i * 7919::bigint + 1) % ($2 / 100), 1 FROM generate_series(1, 20000) i"
}

# Once, since it is not declared twice: declared_cpu STATEMENT ROWS
declared_cpu()
{
	ask <<-SQL | sed -n 's/^cost //p'
		SELECT cpu_us() AS started \\gset
		$1;
		SELECT round((cpu_us() - :started) / $2.0, 3) AS cost \\gset
		\\echo cost :cost
	SQL
}

# ----------------------------------------------------------------------
# Guards and partitions
# ----------------------------------------------------------------------

# Two tables with four guards each time: guarded FROM TO, of guards
guarded()
{
	ask -c "DO \$d\$ BEGIN FOR i IN $1 / 4 .. $2 / 4 - 1 LOOP
		EXECUTE format('CREATE TABLE payment_%s (id bigint PRIMARY KEY, amount bigint NOT NULL, status text, note text)', i);
		EXECUTE format('CREATE TABLE refund_%s (id bigint PRIMARY KEY, payment_id bigint NOT NULL REFERENCES payment_%1\$s, amount bigint NOT NULL)', i);
		PERFORM idem.guard_states(('payment_' || i)::regclass, 'status', 'turn'), idem.guard_fixed(('payment_' || i)::regclass, '{amount}'),
			idem.guard_limit(('refund_' || i)::regclass, 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded'),
			idem.guard_kept(('refund_' || i)::regclass);
		COMMIT; END LOOP; END \$d\$" -c "VACUUM ANALYZE"
}

# Partitions of a table that is fixed and kept, and of one that is not:
# parted FROM TO
parted()
{
	ask -c "DO \$d\$ BEGIN FOR i IN $1 + 1 .. $2 LOOP
		EXECUTE format('CREATE TABLE part_%s PARTITION OF parted FOR VALUES IN (%1\$s)', i);
		EXECUTE format('CREATE TABLE other_%s PARTITION OF other FOR VALUES IN (%1\$s)', i);
		IF i % 1000 = 0 THEN COMMIT; END IF;
		END LOOP; END \$d\$" -c "VACUUM ANALYZE"
}

# What the doctor and DDL on TABLE cost: ddl_costs small|large TABLE
ddl_costs()
{
	eval "doctor_$1=$(cpu 1000 "SELECT count(*) FROM idem.doctor()")"
	eval "guards_$1=$(cpu 1000 "SELECT count(*) FILTER (WHERE intact) FROM idem.guards")"
	eval "locks_$1=$(ask -c "BEGIN" -c "SELECT count(*) FROM idem.doctor()" \
		-c "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()" -c "COMMIT" | tail -n 1)"
	counted
	count 40 "ALTER TABLE $2 ALTER note SET DEFAULT 'none';
		ALTER TABLE $2 ALTER note DROP DEFAULT;"
	keep_count column "$1"
	count 40 "ALTER TABLE $2 ADD CONSTRAINT c CHECK (id > 0) NOT VALID;
		ALTER TABLE $2 DROP CONSTRAINT c;"
	keep_count constraint "$1"
	count 20 "CREATE TABLE unrelated (id int PRIMARY KEY);
		DROP TABLE unrelated;"
	keep_count unrelated "$1"
	[ "$kind" = guards ] || for table in parted other; do
		count 4 "CREATE TABLE fresh_partition PARTITION OF $table FOR VALUES IN (0);
			DROP TABLE fresh_partition;"
		keep_count "$table" "$1"
	done
	uncounted
}

# ddl_figures BAR_OF_DOCTOR
ddl_figures()
{
	# shellcheck disable=SC2154 # set by eval
	figure "idem.doctor()" "ms of CPU" "$doctor_small" "$doctor_large" "$1"
	# shellcheck disable=SC2154
	figure "idem.guards" "ms of CPU" "$guards_small" "$guards_large" "$1"
	# shellcheck disable=SC2154
	figure "locks of idem.doctor()" locks "$locks_small" "$locks_large"
	counts column "a default set and dropped on one" 1.2
	counts constraint "a CHECK set and dropped on one" 1.2
	counts unrelated "an unrelated table made and dropped" 1.2
}

measure_guards()
{
	guarded 0 100
	ddl_costs small payment_5
	guarded 100 1000
	ddl_costs large payment_5
	ddl_figures 15
}

measure_partitions()
{
	ask -c "CREATE TABLE parted (id int PRIMARY KEY, amount int, note text) PARTITION BY LIST (id)" \
		-c "CREATE TABLE other (LIKE parted INCLUDING ALL) PARTITION BY LIST (id)" \
		-c "SELECT idem.guard_fixed('parted', '{amount}'), idem.guard_kept('parted')" >/dev/null
	parted 0 1000
	ddl_costs small part_500
	parted 1000 10000
	ddl_costs large part_500
	ddl_figures 15
	counts parted "a partition made and dropped"
	counts other "the same of a table without guards"
}

# ----------------------------------------------------------------------
# Sessions
# ----------------------------------------------------------------------

# Memory of 1,000 sessions in kB, each with its share of what it shares, after
# the script has run in all of them: session_memory SCRIPT
session_memory()
{
	printf '%s\n\\sleep 1000 s\n' "$1" | $as tee "$tmp/tmp/script" >/dev/null
	idem_start "$bin/pgbench" -h "$tmp" -U postgres -n -c 1000 -j 1 -t 1 -f "$tmp/tmp/script" "$kind" \
		>>"$tmp/pgbench.log" 2>&1
	clients=$!
	for _ in $(seq 1200); do
		[ "$(ask -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench' AND state = 'idle' AND query LIKE 'SELECT 1 AS the_end%'")" -lt 1000 ] || break
		sleep 0.5
	done
	for pid in $(ask -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'"); do
		cat "/proc/$pid/smaps_rollup"
	done | awk '/^Pss:/ { pss += $2; n++ } /^Pss_Anon:/ { anon += $2 } END { print n, pss / n, anon / n }'
	{
		kill "$clients"
		idem_wait "$clients"
	} 2>/dev/null
}

measure_sessions()
{
	ask >/dev/null <<-'SQL'
		SELECT idem.create_scope('grow', effect => 'inside', fields => '{amount}', flush => false);
		CREATE TABLE plain_payment (id bigint PRIMARY KEY, amount bigint NOT NULL, status text, refunded bigint NOT NULL DEFAULT 0);
		CREATE TABLE plain_refund (id bigint PRIMARY KEY, payment_id bigint NOT NULL REFERENCES plain_payment, amount bigint NOT NULL);
		CREATE TABLE plain_account (id bigint PRIMARY KEY, floor bigint NOT NULL DEFAULT 0, balance bigint NOT NULL DEFAULT 0);
		CREATE TABLE plain_entry (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES plain_account, amount bigint NOT NULL);
		CREATE TABLE plain_key (key text PRIMARY KEY, request jsonb);
		CREATE TABLE payment (id bigint PRIMARY KEY, amount bigint NOT NULL, status text);
		CREATE TABLE refund (id bigint PRIMARY KEY, payment_id bigint NOT NULL REFERENCES payment, amount bigint NOT NULL);
		CREATE TABLE account (id bigint PRIMARY KEY, floor bigint NOT NULL DEFAULT 0);
		CREATE TABLE entry (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES account, amount bigint NOT NULL);
		SELECT idem.guard_states('payment', 'status', 'turn'), idem.guard_fixed('payment', '{amount}');
		SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded');
		SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', floor => 'floor');
	SQL
	shared="\\set n random(1, 9000000000000000)"
	# shellcheck disable=SC2046 # three numbers
	set -- $(session_memory "$shared
		INSERT INTO plain_key VALUES ('k' || :n, '{\"amount\": 1}') ON CONFLICT DO NOTHING;
		INSERT INTO plain_payment VALUES (:n, 10, 'up');
		UPDATE plain_payment SET status = 'down' WHERE id = :n;
		INSERT INTO plain_refund VALUES (:n, :n, 1);
		UPDATE plain_payment SET refunded = 1 WHERE id = :n;
		INSERT INTO plain_account VALUES (:n);
		INSERT INTO plain_entry VALUES (:n, :n, 1);
		UPDATE plain_account SET balance = 1 WHERE id = :n;
		SELECT 1 AS the_end;") \
		$(session_memory "$shared
		SELECT granted FROM idem.claim('grow', 'k' || :n, '{\"amount\": 1}');
		INSERT INTO payment VALUES (:n, 10, 'up');
		UPDATE payment SET status = 'down' WHERE id = :n;
		INSERT INTO refund VALUES (:n, :n, 1);
		INSERT INTO account VALUES (:n);
		INSERT INTO entry VALUES (:n, :n, 1);
		SELECT 1 AS the_end;")
	[ "$1" -ge 1000 ] && [ "$4" -ge 1000 ] || die "not all sessions were there: $1 and $4"
	figure "a session of 1000, without and with idem" "kB PSS" "$2" "$5" 1.5
	figure "of which its own, without and with idem" "kB anonymous" "$3" "$6" 1.5
}

# ----------------------------------------------------------------------
# The run
# ----------------------------------------------------------------------

idem_begin "$here"
idem_need growth
idem_need_command valgrind valgrind
idem_relocate
idem_build "$tmp/build.log" || die "building failed"
say "idem on PostgreSQL $version; $few and $keys"
memory=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
idem_cluster "fsync = off" "synchronous_commit = off" "full_page_writes = off" "wal_level = minimal" \
	"max_wal_senders = 0" "max_wal_size = 2GB" "autovacuum = off" "jit = off" "max_connections = 1100" \
	"shared_buffers = $((${memory:-4194304} / 6144))MB" "maintenance_work_mem = 512MB" "work_mem = 64MB" \
	"max_locks_per_transaction = 1000" "max_parallel_workers_per_gather = 0" "max_parallel_maintenance_workers = 0"
for kind in ${kinds:-claims retire limit balance guards partitions sessions}; do
	command -v "measure_$kind" >/dev/null || die "no kind is called $kind"
	idem_step "$tmp/growth.log" "a database for $kind" "$bin/createdb" -h "$tmp" -U postgres "$kind"
	ask -f "$src/test/proof/growth/before.sql" >/dev/null
	"measure_$kind"
	[ "$keep_wanted" = yes ] ||
		idem_step "$tmp/growth.log" "dropping $kind" "$bin/dropdb" -h "$tmp" -U postgres "$kind"
done
said="$figures figures, $beyond beyond their bars"
say "$said"
name=growth
[ -z "$kinds" ] || name=growth$(printf '%s' "$kinds" | tr ' ' -)
idem_result "$name" "$said"
if [ "$keep_wanted" = yes ]; then
	keep=yes
	idem_kept "$kind"
fi
[ "$beyond" -eq 0 ]
