# shellcheck shell=sh
# pair.sh - states that agree, by instructions and by clients; read in by run.sh
#
# Instructions of the backend for one INSERT of a child, and for one UPDATE of a
# parent's state, whatever else the machine does.  Transactions a second of
# eight clients that each put a child under the one row of a day and then take
# 2 ms: what a lock of that row costs, and what judge => 'entry' does.
#
#	IDEM_BENCH_SECONDS	of each run with clients (10; 0: there is none)

pair_script()
{
	case $2 in
		insert)	printf '\\set o random(1, 500)\nINSERT INTO bench.refund_%s_spread_pair (order_id, status, amount) VALUES (:o, '"'sent'"', 1);\n' "$1" ;;
		update)	printf '\\set o random(1, 500)\nBEGIN;\nUPDATE bench.order_%s_spread SET status = '"'paid'"' WHERE id = :o;\nROLLBACK;\n' "$1" ;;
		day)	printf 'BEGIN;\nINSERT INTO bench.refund_%s_day_pair (order_id, status, amount) VALUES (1, '"'sent'"', 1);\nSELECT pg_sleep(0.002);\nCOMMIT;\n' "$1" ;;
	esac >"$tmp/tmp/pair_$1_$2.pgbench"
	echo "$tmp/tmp/pair_$1_$2.pgbench"
}

# pair_count WHAT WAY...: the instructions of each, in $counted_WAY
pair_count()
{
	pair_what=$1
	shift
	for pair_way in "$@"; do
		eval "counted_$pair_way=$(bench_instructions "$(pair_script "$pair_way" "$pair_what")" 300)"
	done
}

pair_instructions()
{
	pair_count update fk idem entry hand
	bench_record "parent's state, 5 children" instructions "foreign key only" "$counted_idem" "$counted_fk"
	bench_record "parent's state, 5 children" instructions "PL/pgSQL trigger that looks" "$counted_idem" "$counted_hand"
	bench_record "parent's state, judge => 'entry'" instructions "foreign key only" "$counted_entry" "$counted_fk"
	pair_count insert bare fk idem entry hand
	bench_record "child" instructions "no check, no foreign key" "$counted_idem" "$counted_bare"
	bench_record "child" instructions "foreign key only" "$counted_idem" "$counted_fk"
	bench_record "child" instructions "PL/pgSQL trigger that locks and looks" "$counted_idem" "$counted_hand"
	bench_record "child: what the guard adds" instructions "what the foreign key adds" \
		$((counted_idem - counted_fk)) $((counted_fk - counted_bare))
	bench_record "child: what the guard adds" instructions "what a PL/pgSQL trigger adds" \
		$((counted_idem - counted_fk)) $((counted_hand - counted_fk))
	bench_record "child, judge => 'entry'" instructions "foreign key only" "$counted_entry" "$counted_fk"
	bench_record "child, judge => 'entry'" instructions "PL/pgSQL trigger that locks and looks" "$counted_entry" "$counted_hand"
}

# Rounds interleaved, the other way round every other time.
pair_day()
{
	for pair_way in fk idem entry hand share; do
		: >"$tmp/tmp/pair_tps_$pair_way"
	done
	for pair_round in $(seq "$rounds"); do
		pair_order="fk idem entry hand share"
		[ $((pair_round % 2)) = 0 ] || pair_order="share hand entry idem fk"
		for pair_way in $pair_order; do
			bench_tps "$(pair_script "$pair_way" day)" 8 "${IDEM_BENCH_SECONDS:-10}" >>"$tmp/tmp/pair_tps_$pair_way"
		done
	done
	pair_entry=$(bench_median <"$tmp/tmp/pair_tps_entry")
	bench_record "8 clients, one day, judge => 'entry'" "per second" "foreign key only" \
		"$pair_entry" "$(bench_median <"$tmp/tmp/pair_tps_fk")"
	bench_record "8 clients, one day, judge => 'entry'" "per second" "PL/pgSQL FOR SHARE" \
		"$pair_entry" "$(bench_median <"$tmp/tmp/pair_tps_share")"
	bench_record "8 clients, one day, judge => 'entry'" "per second" "judge => 'row'" \
		"$pair_entry" "$(bench_median <"$tmp/tmp/pair_tps_idem")"
	bench_record "8 clients, one day, judge => 'row'" "per second" "PL/pgSQL FOR NO KEY UPDATE" \
		"$(bench_median <"$tmp/tmp/pair_tps_idem")" "$(bench_median <"$tmp/tmp/pair_tps_hand")"
}

if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0"; then
	pair_instructions
	bench_uncounted
fi
[ "${IDEM_BENCH_SECONDS:-10}" = 0 ] || pair_day
