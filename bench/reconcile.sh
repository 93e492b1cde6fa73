# shellcheck shell=sh
# reconcile.sh - instructions of a day reconciled, beside the join by hand; read
# in by run.sh
#
#	IDEM_BENCH_PAYMENTS	on each side (1000000); under callgrind that takes some
#				minutes

reconcile_script()
{
	case $1 in
		any_hand)	reconcile_sql="SELECT o.serial, t.serial, o.amount, t.amount
			FROM (SELECT serial, sum(amount) AS amount, count(*) AS n, min(currency) AS currency
				FROM bench.ours_any WHERE day = '2018-11-26' GROUP BY serial) o
			FULL JOIN (SELECT serial, sum(amount) AS amount, count(*) AS n, min(currency) AS currency
				FROM bench.theirs_any WHERE day = '2018-11-26' GROUP BY serial) t ON t.serial = o.serial
			WHERE o.amount IS DISTINCT FROM t.amount OR o.currency IS DISTINCT FROM t.currency OR o.n <> 1 OR t.n <> 1" ;;
		unique_hand)	reconcile_sql="SELECT o.serial, t.serial, o.amount, t.amount
			FROM (SELECT * FROM bench.ours_unique WHERE day = '2018-11-26') o
			FULL JOIN (SELECT * FROM bench.theirs_unique WHERE day = '2018-11-26') t ON t.serial = o.serial
			WHERE o.amount IS DISTINCT FROM t.amount OR o.currency IS DISTINCT FROM t.currency" ;;
		unique_sums)	reconcile_sql="SELECT kind, currency, count(*), sum(ours), sum(theirs)
			FROM (SELECT CASE WHEN o.amount IS DISTINCT FROM t.amount OR o.currency IS DISTINCT FROM t.currency THEN coalesce(o.serial, t.serial) END AS kind,
					coalesce(o.currency, t.currency) AS currency, o.amount AS ours, t.amount AS theirs
				FROM (SELECT * FROM bench.ours_unique WHERE day = '2018-11-26') o
				FULL JOIN (SELECT * FROM bench.theirs_unique WHERE day = '2018-11-26') t ON t.serial = o.serial) j
			GROUP BY kind, currency" ;;
		*)	reconcile_sql="SELECT * FROM idem.reconcile('bench $1', '2018-11-26')" ;;
	esac
	echo "$reconcile_sql;" | tr '\n\t' '  ' >"$tmp/tmp/reconcile_$1.pgbench"
	echo "$tmp/tmp/reconcile_$1.pgbench"
}

reconcile_payments=${IDEM_BENCH_PAYMENTS:-1000000}
sql "$reconcile_payments payments on each side" -c "SELECT bench.make_reconcile($reconcile_payments)"
sql "clean tables" -c "VACUUM ANALYZE"
for reconcile_way in any unique; do
	bench_ask "SELECT count(*) FROM idem.reconcile('bench $reconcile_way', '2018-11-26')" >/dev/null
done
if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0" "work_mem = 512MB" "shared_buffers = 1GB"; then
	for reconcile_way in any any_hand unique unique_hand unique_sums; do
		reconcile_file=$(reconcile_script $reconcile_way)
		reconcile_short=$(bench_counted_run "$reconcile_file" 1)
		reconcile_long=$(bench_counted_run "$reconcile_file" 2)
		eval "reconcile_$reconcile_way=$((reconcile_long - reconcile_short))"
	done
	bench_record "a day of $reconcile_payments" instructions "FULL JOIN over two GROUP BYs" "$reconcile_any" "$reconcile_any_hand" 1.3
	bench_record "a day of $reconcile_payments, unique keys" instructions "FULL JOIN" "$reconcile_unique" "$reconcile_unique_hand" 1.3
	bench_record "a day of $reconcile_payments, unique keys" instructions "FULL JOIN, counted and summed" "$reconcile_unique" "$reconcile_unique_sums" 1.3
	bench_uncounted
fi
