# machine.sh - what a transition costs in instructions, in WAL and by clients,
# and how long a large definition takes

machine_ways="idem bare empty case lookup"

# What a way is called in the table of results
machine_name()
{
	case $1 in
		bare)	echo "no trigger" ;;
		empty)	echo "empty C trigger" ;;
		case)	echo "PL/pgSQL CASE" ;;
		lookup)	echo "PL/pgSQL look-up" ;;
	esac
}

# A transition there or back of the rows of a table: TEXT-OR-ENUM WAY
machine_update()
{
	type=text
	[ "$1" = text ] || type=bench.status
	echo "UPDATE bench.machine_$1_$2 SET status =
		CASE status WHEN 'created' THEN 'paying'::$type ELSE 'created' END" | tr '\n' ' '
}

# A pgbench script: one row there and back, or another column of it
for of in text enum; do
	for way in $machine_ways; do
		printf '%s\n' '\set id random(1, 1000000)' \
			"$(machine_update $of $way) WHERE id = :id" |
			$as tee "$tmp/tmp/machine_${of}_$way.sql" >/dev/null
		printf '%s\n' '\set id random(1, 1000000)' \
			"UPDATE bench.machine_${of}_$way SET note = note + 1 WHERE id = :id" |
			$as tee "$tmp/tmp/machine_${of}_${way}_note.sql" >/dev/null
	done
done

# The single rows: WHAT UNIT BAR BAR-OF-CASE BAR-OF-LOOKUP, where measured_WAY
# holds the instructions.  Beside an empty trigger there is no bar: once a
# transaction, not once a row, the guard locks its machine.
machine_added()
{
	bench_record "$1" "$2" "no trigger" "$measured_idem" "$measured_bare" "${3:-}"
	added=$((measured_idem - measured_bare))
	bench_record "$1" "$2" "empty C trigger (added to no trigger)" $added \
		$((measured_empty - measured_bare))
	bench_record "$1" "$2" "PL/pgSQL CASE (added to no trigger)" $added \
		$((measured_case - measured_bare)) "${4:-}"
	bench_record "$1" "$2" "PL/pgSQL look-up (added to no trigger)" $added \
		$((measured_lookup - measured_bare)) "${5:-}"
}

# Instructions of a single row, on clean tables and without page images
bench_ask "VACUUM" >/dev/null
if bench_counted "full_page_writes = off"; then
	bench_counted_run "$tmp/tmp/machine_text_bare.sql" 10 >/dev/null
	for what in text enum text_note; do
		for way in $machine_ways; do
			case $what in
				text_note)	script=machine_text_${way}_note ;;
				*)	script=machine_${what}_$way ;;
			esac
			counted=$(bench_instructions "$tmp/tmp/$script.sql")
			eval "measured_$way=\$counted"
		done
		case $what in
			text_note)	machine_added "another column of one row" instructions 1.18 ;;
			*)	machine_added "transition of one row, $what" instructions 1.18 0.45 0.3 ;;
		esac
	done
	bench_uncounted
fi

# WAL of a bulk UPDATE, without page images
for of in text enum; do
	bench_ask "VACUUM" >/dev/null
	bench_restart "full_page_writes = off"
	for way in $machine_ways; do
		before=$(bench_ask "SELECT pg_current_wal_insert_lsn()")
		bench_ask "$(machine_update $of "$way")" >/dev/null
		counted=$(bench_ask "SELECT round((pg_current_wal_insert_lsn() - '$before') / count(*), 1)
			FROM bench.machine_${of}_$way")
		eval "measured_$way=\$counted"
	done
	bench_record "WAL of 1M rows, $of" "bytes a row" "no trigger" "$measured_idem" "$measured_bare" 1
	for way in empty case lookup; do
		eval "counted=\$measured_$way"
		bench_record "WAL of 1M rows, $of" "bytes a row" "$(machine_name $way)" "$measured_idem" "$counted"
	done
done
bench_restart

# Clients that change single rows
for clients in 1 8; do
	for way in $machine_ways; do
		: >"$tmp/machine.tps.$way"
		bench_tps "$tmp/tmp/machine_text_$way.sql" $clients 1 >/dev/null
	done
	for _ in $(seq "$rounds"); do
		for way in $machine_ways; do
			bench_tps "$tmp/tmp/machine_text_$way.sql" $clients 2 >>"$tmp/machine.tps.$way"
		done
	done
	for way in bare empty case lookup; do
		bar=
		[ $way != bare ] || bar=0.95
		bench_record "single rows, $clients clients" "a second" "$(machine_name $way)" \
			"$(bench_median <"$tmp/machine.tps.idem")" "$(bench_median <"$tmp/machine.tps.$way")" "$bar" '>='
	done
done

# A definition of 200 states and 2,000 edges, and the next one
bench_large="E'stateDiagram-v2\n[*] --> s0\ns199 --> [*]\n' ||
	(SELECT string_agg(format('s%s --> s%s : e%s', s, (s + e) % 200, e), E'\n')
	FROM generate_series(0, 199) s, generate_series(1, 10) e WHERE s < 199)"
bench_define()
{
	bench_ask "CREATE TEMP TABLE d AS SELECT clock_timestamp() AS began, $bench_large AS diagram;
		SELECT count(*) FROM d, idem.define_machine('bench_define', $1, loosen => 'x', tighten => 'x');
		SELECT round(1000 * extract(epoch FROM clock_timestamp() - began), 1) FROM d" | tail -n 1
}
bench_record "define 200 states, 2,000 edges" ms "a second" "$(bench_define diagram)" 1000 1
bench_record "define the next version of it" ms "a second" \
	"$(bench_define "replace(diagram, ': e7', ': f7')")" 1000 1
