# shellcheck shell=sh disable=SC2034,SC2154
# claim.sh - claims by instructions, by clients, in bytes, at ten million keys;
# read in by run.sh
#
# Every way gets its key as a parameter of 19 digits and is one statement.
# Instructions are those of the backend for one transaction: protocol, planner's
# leave, executor, commit.  Beside the hand-written INSERT, which delivers one
# column, idem delivers one column (the bar's reading), the two that a client
# needs, and all seventeen: a client that asks for all of them pays for the
# description of each, in every execution, whatever filled them.
#
#	IDEM_BENCH_SECONDS	of each run with clients (10)
#	IDEM_BENCH_KEYS		keys in the large table (10000000)

claim_keys=${IDEM_BENCH_KEYS:-10000000}
claim_fresh='random(1000000000000000000, 9000000000000000000)'
claim_known='900000000000000000 + random(1, 10000)'
claim_request="'{\"payer\":\"u123456\",\"amount\":88.00}'"

# A statement with :k in it as a script, for keys of a kind: claim_script NAME KIND STATEMENT
claim_script()
{
	eval "claim_key=\$claim_$2"
	printf '\\set k %s\n%s;\n' "$claim_key" "$3" >"$tmp/tmp/claim_$1_$2.pgbench"
}

claim_scripts()
{
	for claim_kind in fresh known; do
		claim_script hand $claim_kind "INSERT INTO bench.hand (scope, key, status) VALUES ('bench', :k, 'done') ON CONFLICT DO NOTHING RETURNING key"
		claim_script function $claim_kind "SELECT granted, settled FROM bench.claim_plpgsql('bench', :k, NULL)"
		claim_script one $claim_kind "SELECT (idem.claim('bench', :k)).granted"
		claim_script two $claim_kind "SELECT granted, settled FROM idem.claim('bench', :k)"
		claim_script all $claim_kind "SELECT * FROM idem.claim('bench', :k)"
		claim_script fields $claim_kind "SELECT (idem.claim('bench fields', :k, $claim_request)).granted"
	done
}

# Ten thousand keys that every way knows.
claim_known_keys()
{
	bench_ask "SELECT count(*) FROM (SELECT idem.claim('bench', k), idem.claim('bench fields', k, $claim_request),
			bench.claim_plpgsql('bench', k, NULL) FROM (SELECT (900000000000000000 + i)::text AS k FROM generate_series(1, 10000) i) s) s" >/dev/null
	bench_ask "INSERT INTO bench.hand (scope, key, status)
		SELECT 'bench', (900000000000000000 + i)::text, 'done' FROM generate_series(1, 10000) i" >/dev/null
	bench_ask "VACUUM ANALYZE" >/dev/null
}

# ----------------------------------------------------------------------
# Instructions
# ----------------------------------------------------------------------

# claim_instructions KIND NAME BAR
claim_instructions()
{
	for claim_way in hand function one two all fields; do
		eval "counted_$claim_way=\$(bench_instructions $tmp/tmp/claim_${claim_way}_$1.pgbench 600)"
	done
	# shellcheck disable=SC2154 # set by eval
	{
		bench_record "$2" instructions "INSERT ON CONFLICT RETURNING" "$counted_one" "$counted_hand" "$3"
		bench_record "$2, fingerprint of two fields" instructions "INSERT ON CONFLICT RETURNING, none" "$counted_fields" "$counted_hand"
		bench_record "$2, granted and settled" instructions "INSERT ON CONFLICT RETURNING" "$counted_two" "$counted_hand"
		bench_record "$2, granted and settled" instructions "PL/pgSQL function" "$counted_two" "$counted_function"
		bench_record "$2, SELECT *" instructions "INSERT ON CONFLICT RETURNING" "$counted_all" "$counted_hand"
	}
}

# ----------------------------------------------------------------------
# Clients
# ----------------------------------------------------------------------

# claim_clients CLIENTS KIND WHAT [BAR]: rounds interleaved, the other way round
# every other time
claim_clients()
{
	for claim_way in two hand function; do
		: >"$tmp/tmp/tps_$claim_way"
	done
	for claim_round in $(seq "$rounds"); do
		claim_order="two hand function"
		[ $((claim_round % 2)) = 0 ] || claim_order="function hand two"
		for claim_way in $claim_order; do
			bench_tps "$tmp/tmp/claim_${claim_way}_$2.pgbench" "$1" \
				"${IDEM_BENCH_SECONDS:-10}" >>"$tmp/tmp/tps_$claim_way"
		done
	done
	claim_tps=$(bench_median <"$tmp/tmp/tps_two")
	bench_record "$3" "per second" "INSERT ON CONFLICT RETURNING" \
		"$claim_tps" "$(bench_median <"$tmp/tmp/tps_hand")" "${4:-NULL}" '>='
	bench_record "$3" "per second" "PL/pgSQL function" \
		"$claim_tps" "$(bench_median <"$tmp/tmp/tps_function")"
}

# ----------------------------------------------------------------------
# Bytes, and many keys
# ----------------------------------------------------------------------

# WAL of one transaction of a script, full page images aside: claim_wal NAME KIND
claim_wal()
{
	claim_before=$(bench_ask "SELECT pg_current_wal_insert_lsn()")
	idem_run "$tmp/pgbench.log" "$bin/pgbench" -h "$tmp" -U postgres -n \
		-M prepared -c 1 -t 20000 -f "$tmp/tmp/claim_$1_$2.pgbench" postgres
	bench_ask "SELECT round((pg_current_wal_insert_lsn() - '$claim_before'::pg_lsn) / 20000.0)"
}

# CPU microseconds of one claim in a loop of 20,000, of the cheapest of five
# loops: claim_cost fresh|known UPTO
claim_cost()
{
	for claim_round in 1 2 3 4 5; do
		claim_key="'new-' || $2 || '-$claim_round-' || i"
		[ "$1" = fresh ] || claim_key="lpad((1 + (i::bigint * 7919 + $claim_round * 104729) % $2)::text, 20, 'k')"
		"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres <<SQL
SELECT bench.cpu_ms() AS started \\gset
SELECT count(*) AS n FROM generate_series(1, 20000) i, idem.claim('bench many', $claim_key) c \\gset
SELECT round(((bench.cpu_ms() - :started) / 20)::numeric, 3);
SQL
	done | sort -g | head -n 1
}

# Claim keys of 20 bytes up to a number, a thousand a call and a transaction.
claim_fill()
{
	"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres <<SQL
DO \$d\$ BEGIN FOR j IN $1 .. $2 - 1 LOOP
	PERFORM FROM idem.claim_many('bench many', ARRAY(SELECT lpad((j * 1000 + i)::text, 20, 'k') FROM generate_series(1, 1000) i));
	COMMIT;
END LOOP; END \$d\$;
SQL
	bench_ask "VACUUM ANALYZE idem.anchor" >/dev/null
	bench_ask "CHECKPOINT" >/dev/null
}

claim_many_keys()
{
	bench_ask "TRUNCATE idem.anchor" >/dev/null
	bench_ask "SELECT idem.create_scope('bench many', effect => 'inside', fields => '{}')" >/dev/null
	claim_fill 0 100
	claim_small_fresh=$(claim_cost fresh 100000)
	claim_small_known=$(claim_cost known 100000)
	claim_fill 100 $((claim_keys / 1000))
	claim_large_fresh=$(claim_cost fresh "$claim_keys")
	claim_large_known=$(claim_cost known "$claim_keys")
	bench_record "fresh key, $claim_keys keys known" "us of CPU" "with 100000 known" \
		"$claim_large_fresh" "$claim_small_fresh" 1.3
	bench_record "repeated key, $claim_keys keys known" "us of CPU" "with 100000 known" \
		"$claim_large_known" "$claim_small_known" 1.3
	bench_record "bytes on disk a claim, $claim_keys keys" bytes "the bar of 180 bytes" \
		"$(bench_ask "SELECT round(pg_total_relation_size('idem.anchor') / count(*)::numeric, 1) FROM idem.anchor")" 180 1.0
}

claim_bytes()
{
	bench_restart "fsync = off" "full_page_writes = off" "autovacuum = off"
	claim_bytes_idem=$(claim_wal two fresh)
	claim_bytes_hand=$(claim_wal hand fresh)
	bench_record "WAL a claim, with its commit" bytes "the bar of 300 bytes" "$claim_bytes_idem" 300 1.0
	bench_record "WAL a claim, with its commit" bytes "INSERT ON CONFLICT RETURNING" "$claim_bytes_idem" "$claim_bytes_hand"
	bench_record "WAL a repeat" bytes "none" "$(claim_wal two known)" 1
}

claim_scripts
claim_known_keys
if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0"; then
	claim_instructions fresh "fresh key" 0.95
	claim_instructions known "repeated key" 0.80
	bench_uncounted
fi
for claim_clients in 1 2 8; do
	claim_clients $claim_clients fresh "fresh keys, $claim_clients clients"
	claim_clients $claim_clients known "repeated keys, $claim_clients clients"
done
bench_restart "fsync = on" "synchronous_commit = on"
claim_clients 8 fresh "fresh keys, 8 clients, fsync on" 1.0
claim_bytes
claim_many_keys
