# shellcheck shell=sh
# limit.sh - refunds by instructions, by clients, by COPY; read in by run.sh
#
# Instructions of the backend for one INSERT, whatever else the machine does:
# with 1, 10 and 1000 refunds before it, beside the other ways.  Transactions a
# second of eight clients on one payment and on 100,000.  A COPY of a million
# refunds.  5,000 and 20,000 refunds of one payment in one statement.
#
#	IDEM_BENCH_SECONDS	of each run with clients (10); 0: none, and no COPY
#	IDEM_BENCH_COPY		rows of the COPY (1000000)

limit_script()
{
	printf '\\set p random(1, %s)\nINSERT INTO bench.refund_%s_%s (payment_id, amount) VALUES (:p, 1);\n' \
		"$3" "$1" "$2" >"$tmp/tmp/limit_$1_$2.pgbench"
	echo "$tmp/tmp/limit_$1_$2.pgbench"
}

# The instructions of a way with so many refunds before, in $counted.
limit_count()
{
	counted=$(bench_instructions "$(limit_script "$1" "$2" 500)" 300)
	eval "counted_$1_$2=$counted"
}

limit_instructions()
{
	for limit_earlier in 1 10 1000; do
		for limit_way in bare fk idem total sum; do
			limit_count $limit_way $limit_earlier
		done
		eval "bare=\$counted_bare_$limit_earlier fk=\$counted_fk_$limit_earlier"
		eval "idem=\$counted_idem_$limit_earlier"
		eval "total=\$counted_total_$limit_earlier sum=\$counted_sum_$limit_earlier"
		limit_what=$(printf 'refund, %4d before it' $limit_earlier)
		bench_record "$limit_what" instructions "no check, no foreign key" "$idem" "$bare"
		bench_record "$limit_what" instructions "foreign key only" "$idem" "$fk"
		bench_record "$limit_what" instructions "PL/pgSQL running total" "$idem" "$total" 0.85
		bench_record "$limit_what" instructions "PL/pgSQL FOR UPDATE and sum" "$idem" "$sum"
		bench_record "$limit_what: what the guard adds" instructions "what the foreign key adds" \
			$((idem - fk)) $((fk - bare)) 1.5
	done
	bench_record "refund, 1000 before it" instructions "itself with 1 before it" \
		"$counted_idem_1000" "$counted_idem_1" 1.1
}

# Eight clients; rounds interleaved, the other way round every other time.
limit_clients()
{
	limit_kind=$1 limit_payments=$2 limit_bar=$3 limit_what=$4
	for limit_way in fk idem total sum; do
		: >"$tmp/tmp/tps_$limit_way"
		limit_script $limit_way "$limit_kind" "$limit_payments" >/dev/null
	done
	for limit_round in $(seq "$rounds"); do
		limit_order="fk idem total"
		[ $((limit_round % 2)) = 0 ] || limit_order="total idem fk"
		# it slows down with every refund: once is enough to see
		[ "$limit_round" -gt 1 ] || limit_order="$limit_order sum"
		for limit_way in $limit_order; do
			bench_tps "$tmp/tmp/limit_${limit_way}_$limit_kind.pgbench" 8 \
				"${IDEM_BENCH_SECONDS:-10}" >>"$tmp/tmp/tps_$limit_way"
			bench_ask "VACUUM bench.payment_${limit_way}_$limit_kind" >/dev/null
		done
	done
	idem=$(bench_median <"$tmp/tmp/tps_idem")
	bench_record "$limit_what" "per second" "PL/pgSQL running total" \
		"$idem" "$(bench_median <"$tmp/tmp/tps_total")" "$limit_bar" '>='
	bench_record "$limit_what" "per second" "foreign key only" \
		"$idem" "$(bench_median <"$tmp/tmp/tps_fk")"
	bench_record "$limit_what" "per second" "PL/pgSQL FOR UPDATE and sum" \
		"$idem" "$(bench_median <"$tmp/tmp/tps_sum")"
}

# CPU of the backend for COPY of a file: limit_copy WAY
limit_copy()
{
	"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres <<SQL
SELECT bench.cpu_ms() AS started \\gset
COPY bench.refund_$1_copy (payment_id, amount) FROM '$tmp/tmp/refunds.copy';
SELECT round((bench.cpu_ms() - :started)::numeric, 0);
SQL
}

limit_copies()
{
	bench_ask "COPY (SELECT 1 + i % 100000, 1 FROM generate_series(1, ${IDEM_BENCH_COPY:-1000000}) i)
		TO '$tmp/tmp/refunds.copy'" >/dev/null
	for limit_way in fk idem total; do
		eval "copied_$limit_way=\$(limit_copy $limit_way)"
	done
	limit_what="COPY of ${IDEM_BENCH_COPY:-1000000} refunds of 100,000 payments"
	bench_record "$limit_what" "ms of CPU" "foreign key only" "$copied_idem" "$copied_fk"
	bench_record "$limit_what" "ms of CPU" "PL/pgSQL running total" "$copied_idem" "$copied_total"
}

# The instructions for each of so many refunds of one payment: limit_many WAY N
limit_many()
{
	printf 'INSERT INTO bench.refund_%s_hot (payment_id, amount) SELECT 1, 1 FROM generate_series(1, %s);\n' \
		"$1" "$2" >"$tmp/tmp/limit_many_$1_$2.pgbench"
	limit_short=$(bench_counted_run "$tmp/tmp/limit_many_$1_$2.pgbench" 1)
	limit_long=$(bench_counted_run "$tmp/tmp/limit_many_$1_$2.pgbench" 3)
	echo $(((limit_long - limit_short) / 2 / $2))
}

limit_statement()
{
	limit_few=$(limit_many idem 5000)
	limit_each=$(limit_many idem 20000)
	bench_record "each of 20,000 refunds of one payment in one statement" instructions "each of 5,000" \
		"$limit_each" "$limit_few" 1.1
	bench_record "each of 20,000 refunds of one payment in one statement" instructions "foreign key only" \
		"$limit_each" "$(limit_many fk 20000)"
}

if [ "${IDEM_BENCH_SECONDS:-10}" != 0 ]; then
	limit_clients hot 1 1.2 "refunds of one payment, 8 clients"
	limit_clients spread 100000 1.1 "refunds of 100,000 payments, 8 clients"
	limit_copies
fi
if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0"; then
	limit_instructions
	limit_statement
	bench_uncounted
fi
