# shellcheck shell=sh disable=SC2016,SC2086,SC2154
# money.sh - sizes, instructions, and what bigint itself gets; read in by run.sh

# The median of a variant, of the whole or without the scan of the same round.
money_median()
{
	echo "(SELECT round(percentile_disc(0.5) WITHIN GROUP (ORDER BY v.cpu_ms ${3:+- b.cpu_ms})::numeric, 1)
		FROM bench.run v ${3:+JOIN bench.run b USING (part, what, round)}
		WHERE v.part = 'money' AND v.what = '$1' AND v.variant = '$2' ${3:+AND b.variant = '$3'})"
}

# The sizes of the indexes that the last round built.
money_sizes()
{
	for column in a r; do
		case $column in
			a)	index="index size, distinct" ;;
			*)	index="index size, repeated" ;;
		esac
		for kind in "bigint b 1.00" "numeric(20,6) n" "money c"; do
			set -- $kind
			bench_record "$index" MB "$1" \
				"(SELECT round(pg_relation_size('bench.amount_m_$column') / 1e6, 1))" \
				"(SELECT round(pg_relation_size('bench.amount_${2}_$column') / 1e6, 1))" ${3:-}
		done
	done
}

# The whole of what has a bar without its scan, and bigint in idem's place: what
# the best 64-bit number can get.
money_bigint()
{
	for money_what in sum filter; do
		bench_record "$money_what" "ms of CPU" "numeric(20,6)" \
			"$(money_median "$money_what" idem)" "$(money_median "$money_what" 'numeric(20,6)')"
		bench_record "$money_what, bigint for idem" "ms of CPU" "numeric(20,6)" \
			"$(money_median "$money_what" bigint)" "$(money_median "$money_what" 'numeric(20,6)')"
		bench_record "$money_what, bigint for idem" "ms of CPU" "numeric(20,6) (added to the scan)" \
			"$(money_median "$money_what" bigint 'the scan')" "$(money_median "$money_what" 'numeric(20,6)' 'the scan')"
	done
	for other in "numeric(20,6)" money; do
		bench_record "order by, bigint for idem" "ms of CPU" "$other" \
			"$(money_median 'order by' bigint)" "$(money_median 'order by' "$other")"
	done
}

# The instructions of a statement over 2,000 rows, of which 50 have the same r:
# money_instructions WHAT STATEMENT [BAR [BAR-OF-MONEY]].  %s in the statement
# is the suffix of the type.  Here are the bars against the types of the same
# layout: what these differ in is code, not memory, and on a machine with
# neighbours the quartiles of their time are wider apart than a bar is from 1.
money_instructions()
{
	for suffix in m b ${4:+c}; do
		echo "$2" | sed "s/%s/$suffix/g" >"$tmp/tmp/money.pgbench"
		eval "counted_$suffix=\$(bench_instructions $tmp/tmp/money.pgbench 100)"
	done
	bench_record "$1, 2,000 rows" instructions bigint "$counted_m" "$counted_b" "${3:-1.05}"
	[ -z "${4:-}" ] || bench_record "$1, 2,000 rows" instructions money "$counted_m" "$counted_c" "$4"
}

money_sizes
money_bigint
if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off"; then
	for suffix in m b c; do
		bench_ask "CREATE UNLOGGED TABLE bench.few_$suffix AS
			SELECT a, r FROM (SELECT *, ctid AS at FROM bench.amount_$suffix ORDER BY r LIMIT 2000) f ORDER BY at;
			CREATE UNLOGGED TABLE bench.filled_$suffix AS SELECT a FROM bench.few_$suffix LIMIT 0;
			COPY bench.few_$suffix (a) TO '$tmp/tmp/few_text_$suffix';
			COPY bench.few_$suffix (a) TO '$tmp/tmp/few_binary_$suffix' (FORMAT binary);
			ANALYZE bench.few_$suffix" >/dev/null
	done
	money_instructions sum "SELECT sum(a) FROM bench.few_%s;"
	money_instructions filter "SELECT count(*) FROM bench.few_%s WHERE a > '0';"
	money_instructions "order by" "SELECT a FROM bench.few_%s ORDER BY a OFFSET 1999;" 1.05 0.85
	money_instructions "equi-join" "SELECT count(*) FROM bench.few_%s JOIN bench.few_%s other USING (a);" 1.10
	money_instructions "group by" "SELECT count(*) FROM (SELECT r FROM bench.few_%s GROUP BY r) g;" 1.10
	money_instructions "moving sum" "SELECT count(s) FROM (SELECT sum(a) OVER (ROWS 99 PRECEDING) AS s FROM bench.few_%s) w;" 0.85
	money_instructions "index build, distinct" "CREATE INDEX few ON bench.few_%s (a); DROP INDEX bench.few;"
	money_instructions "index build, repeated" "CREATE INDEX few ON bench.few_%s (r); DROP INDEX bench.few;"
	for format in text binary; do
		money_instructions "copy out, $format" "COPY bench.few_%s (a) TO '/dev/null' (FORMAT $format);"
		money_instructions "copy in, $format" "COPY bench.filled_%s FROM '$tmp/tmp/few_${format}_%s' (FORMAT $format);"
	done
	bench_uncounted
fi
