# fixed.sh - instructions of one UPDATE of one row

for way in idem plpgsql bare; do
	printf '%s\n' '\set id random(1, 50000)' \
		"UPDATE bench.fixed_$way SET note = note + 1 WHERE id = :id" |
		$as tee "$tmp/tmp/fixed_$way.sql" >/dev/null
done
if bench_counted; then
	idem=$(bench_instructions "$tmp/tmp/fixed_idem.sql")
	bench_record "update of one row" instructions "PL/pgSQL trigger" "$idem" \
		"$(bench_instructions "$tmp/tmp/fixed_plpgsql.sql")"
	bench_record "update of one row" instructions "no trigger" "$idem" \
		"$(bench_instructions "$tmp/tmp/fixed_bare.sql")"
	bench_uncounted
fi
