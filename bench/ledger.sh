# shellcheck shell=sh
# ledger.sh - transfers by instructions and by clients; read in by run.sh
#
# Instructions of the backend for one INSERT of 1,000 transfers between 20,
# 1,000 and 100,000 accounts, and for one of one: beside the table's two
# foreign keys, and beside a PL/pgSQL trigger for each row.  One hot account:
# beside a function that updates both accounts in the order of their keys, by
# instructions and by eight clients.
#
#	IDEM_BENCH_SECONDS	of each run with clients (10); 0: none
#	IDEM_BENCH_LARGE	one transfer after so many beside one after a million,
#				as 10000000 or 100000000; without it, skipped
#	IDEM_BENCH_PGLEDGER	a checkout of pgledger, beside whose function 1,000
#				transfers are made; without it, skipped

ledger_script()
{
	printf 'INSERT INTO bench.transfer_%s_%s (debit_id, credit_id, amount)
		SELECT 1 + (i * 7919 + :c * 31) %% %s, 1 + (i * 7919 + :c * 31 + 1 + i %% 17) %% %s, 1
		FROM generate_series(1, %s) i;\n' "$1" "$2" "$2" "$2" "$3" |
		sed '1i \\\\set c random(1, 1000000)' >"$tmp/tmp/ledger_$1_$2_$3.pgbench"
	echo "$tmp/tmp/ledger_$1_$2_$3.pgbench"
}

# The instructions of a batch of that size, in $counted.
ledger_count()
{
	script=$(ledger_script "$1" "$2" "$3")
	short=$(bench_counted_run "$script" "$4")
	long=$(bench_counted_run "$script" "$5")
	counted=$(((long - short) / ($5 - $4)))
	eval "counted_$1=$counted"
}

# ledger_compare WHAT ACCOUNTS SIZE SHORT LONG BAR WAY...
ledger_compare()
{
	ledger_what=$1 ledger_accounts=$2 ledger_size=$3 ledger_short=$4 ledger_long=$5 ledger_bar=$6
	shift 6
	for ledger_way in "$@"; do
		ledger_count "$ledger_way" "$ledger_accounts" "$ledger_size" "$ledger_short" "$ledger_long"
	done
	bench_record "$ledger_what: what the guards add" instructions "what the two foreign keys add" \
		$((counted_idem - counted_fk)) $((counted_fk - counted_bare)) "$ledger_bar"
	case " $* " in
		*" row "*)
			bench_record "$ledger_what: what the guards add" instructions "what a PL/pgSQL trigger adds" \
				$((counted_idem - counted_fk)) $((counted_row - counted_fk))
			bench_record "$ledger_what" instructions "PL/pgSQL trigger for each row" "$counted_idem" "$counted_row" ;;
	esac
}

# Transfers that all have account 1 on one side: ledger_hot_script WAY
ledger_hot_script()
{
	case $1 in
		idem)	ledger_call="INSERT INTO bench.transfer_idem_100001 (debit_id, credit_id, amount) VALUES (:d, :c, 1)" ;;
		*)	ledger_call="SELECT bench.pay_hot(:d, :c, 1)" ;;
	esac
	printf '\\set o random(2, 100000)\n\\set s random(0, 1)\n\\set d :s * :o + 1 - :s\n\\set c (1 - :s) * :o + :s\n%s;\n' \
		"$ledger_call" >"$tmp/tmp/ledger_hot_$1.pgbench"
	echo "$tmp/tmp/ledger_hot_$1.pgbench"
}

# Eight clients on one account, rounds interleaved.
ledger_hot_clients()
{
	: >"$tmp/tmp/tps_idem"
	: >"$tmp/tmp/tps_hand"
	for ledger_round in $(seq "$rounds"); do
		ledger_order="idem hand"
		[ $((ledger_round % 2)) = 0 ] || ledger_order="hand idem"
		for ledger_way in $ledger_order; do
			bench_tps "$(ledger_hot_script "$ledger_way")" 8 \
				"${IDEM_BENCH_SECONDS:-10}" >>"$tmp/tmp/tps_$ledger_way"
			bench_ask "VACUUM bench.account_fk_100001, bench.account_idem_100001" >/dev/null
		done
	done
	bench_record "transfers of one account, 8 clients" "per second" "function, rows in key order" \
		"$(bench_median <"$tmp/tmp/tps_idem")" "$(bench_median <"$tmp/tmp/tps_hand")" 1.2 '>='
}

ledger_hot_instructions()
{
	bench_record "one transfer of a hot account" instructions "function, rows in key order" \
		"$(bench_instructions "$(ledger_hot_script idem)" 200)" \
		"$(bench_instructions "$(ledger_hot_script hand)" 200)"
}

# One transfer between accounts that have few entries, or many.
ledger_large_script()
{
	printf '\\set d random(1, 100000)\n\\set c random(1, 100000)\nINSERT INTO bench.transfer_%s (debit_id, credit_id, amount) VALUES (:d, :c, 1);\n' \
		"$1" >"$tmp/tmp/ledger_$1.pgbench"
	echo "$tmp/tmp/ledger_$1.pgbench"
}

ledger_large_prepare()
{
	for ledger_kind in few many; do
		ledger_rows=1000000
		[ $ledger_kind = few ] || ledger_rows=$IDEM_BENCH_LARGE
		sql "$ledger_rows transfers" -c "SELECT bench.make_large('$ledger_kind', $ledger_rows)"
	done
}

# ledger_large UNIT COMMAND...: the command, with a script behind it, for both
ledger_large()
{
	ledger_unit=$1 ledger_bar=$2 ledger_direction=$3
	shift 3
	ledger_few=$("$@" "$(ledger_large_script few)")
	bench_record "one transfer after $IDEM_BENCH_LARGE" "$ledger_unit" "itself after 1000000" \
		"$("$@" "$(ledger_large_script many)")" "$ledger_few" "$ledger_bar" "$ledger_direction"
}

ledger_large_tps()
{
	bench_tps "$1" 8 "${IDEM_BENCH_SECONDS:-10}"
}

# pgledger, of a checkout, in a database of its own
ledger_pgledger_prepare()
{
	bench_ask "CREATE DATABASE pgledger" >/dev/null
	for ledger_file in vendor/scoville-pgsql-ulid/uuid-to-ulid.sql \
		vendor/scoville-pgsql-ulid/ulid-to-uuid.sql pgledger.sql; do
		idem_step "$tmp/bench.log" "pgledger: $ledger_file" \
			"$bin/psql" -X -q -h "$tmp" -U postgres -v ON_ERROR_STOP=1 \
			-f "$IDEM_BENCH_PGLEDGER/$ledger_file" pgledger
	done
	idem_step "$tmp/bench.log" "pgledger: its accounts" \
		"$bin/psql" -X -q -h "$tmp" -U postgres -v ON_ERROR_STOP=1 -c "
		SELECT count(a.id) FROM generate_series(1, 1000) i, pgledger_create_account('account ' || i, 'EUR') a;
		CREATE TABLE account AS SELECT row_number() OVER (ORDER BY id) AS n, id FROM pgledger_accounts;
		ALTER TABLE account ADD PRIMARY KEY (n); ANALYZE" pgledger
	cat >"$tmp/tmp/pgledger.pgbench" <<-'SQL'
		\set c random(1, 1000000)
		SELECT count(*) FROM pgledger_create_transfers((SELECT array_agg((d.id, c.id, 1)::transfer_request)
			FROM generate_series(1, 1000) i
			JOIN account d ON d.n = 1 + (i * 7919 + :c * 31) % 1000
			JOIN account c ON c.n = 1 + (i * 7919 + :c * 31 + 1 + i % 17) % 1000));
	SQL
}

ledger_pgledger()
{
	ledger_count idem 1000 1000 2 6
	bench_database=pgledger
	ledger_short=$(bench_counted_run "$tmp/tmp/pgledger.pgbench" 1)
	ledger_long=$(bench_counted_run "$tmp/tmp/pgledger.pgbench" 2)
	unset bench_database
	bench_record "1,000 transfers, 1,000 accounts" instructions "pgledger_create_transfers" \
		"$counted_idem" $((ledger_long - ledger_short))
}

# Batches of a thousand a second, by one client.
ledger_pgledger_tps()
{
	ledger_ours=$(bench_tps "$(ledger_script idem 1000 1000)" 1 "${IDEM_BENCH_SECONDS:-10}")
	bench_database=pgledger
	ledger_theirs=$(bench_tps "$tmp/tmp/pgledger.pgbench" 1 "${IDEM_BENCH_SECONDS:-10}")
	unset bench_database
	bench_record "1,000 transfers, 1,000 accounts" "per second" "pgledger_create_transfers" \
		"$ledger_ours" "$ledger_theirs" 8 '>='
}

ledger_wanted()
{
	[ -n "$2" ] && return 0
	say "  $1 is not set: skipped"
	return 1
}

ledger_timed=yes
[ "${IDEM_BENCH_SECONDS:-10}" != 0 ] || ledger_timed=no
ledger_is_large=no
ledger_beside=no
ledger_wanted IDEM_BENCH_LARGE "${IDEM_BENCH_LARGE:-}" && ledger_is_large=yes
ledger_wanted IDEM_BENCH_PGLEDGER "${IDEM_BENCH_PGLEDGER:-}" && ledger_beside=yes

[ $ledger_is_large = no ] || ledger_large_prepare
[ $ledger_beside = no ] || ledger_pgledger_prepare
if [ $ledger_timed = yes ]; then
	ledger_hot_clients
	[ $ledger_is_large = no ] || ledger_large "per second" 0.9 '>=' ledger_large_tps
	[ $ledger_beside = no ] || ledger_pgledger_tps
fi
if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0"; then
	ledger_compare "1,000 transfers, 20 accounts" 20 1000 2 6 1.0 bare fk idem row
	ledger_compare "1,000 transfers, 1,000 accounts" 1000 1000 2 6 1.0 bare fk idem row
	ledger_compare "1,000 transfers, 100,000 accounts" 100000 1000 2 6 1.3 bare fk idem
	ledger_compare "one transfer, 1,000 accounts" 1000 1 50 250 NULL bare fk idem row
	ledger_hot_instructions
	[ $ledger_is_large = no ] || ledger_large instructions 1.1 '<=' bench_instructions
	[ $ledger_beside = no ] || ledger_pgledger
	bench_uncounted
fi
