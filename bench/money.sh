# money.sh - sizes of the indexes that the last round built

for column in a r; do
	case $column in
		a)	index="index size, distinct" ;;
		*)	index="index size, repeated" ;;
	esac
	for kind in "bigint b 1.00" "numeric(20,6) n" "money c"; do
		# shellcheck disable=SC2086 # name, suffix and bar
		set -- $kind
		bench_record "$index" MB "$1" \
			"(SELECT round(pg_relation_size('bench.amount_m_$column') / 1e6, 1))" \
			"(SELECT round(pg_relation_size('bench.amount_${2}_$column') / 1e6, 1))" ${3:-}
	done
done
