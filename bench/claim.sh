# shellcheck shell=sh disable=SC2034,SC2154
# claim.sh - claims by instructions, by clients, in bytes, at ten million keys;
# read in by run.sh
#
# Every way gets its key as a parameter of 19 digits and is one statement.
# Instructions are those of the backend for one transaction: protocol, planner's
# leave, executor, commit.  Beside the hand-written INSERT, which delivers one
# column, idem delivers one column, the two that a client needs, and all eleven:
# a client that asks for all of them pays for the description of each, in every
# execution, whatever filled them.
#
#	IDEM_BENCH_SECONDS	of each run with clients (10)
#	IDEM_BENCH_KEYS		keys in the large table (10000000)

claim_keys=${IDEM_BENCH_KEYS:-10000000}
claim_fresh='random(1000000000000000000, 9000000000000000000)'
claim_known='900000000000000000 + random(1, 10000)'
claim_fresh_thousand=$claim_fresh
claim_known_thousand='900000000000000000 + 1000 * random(0, 9)'
claim_thousand='ARRAY(SELECT (:k::bigint + i)::text FROM generate_series(1, 1000) i)'
claim_request="'{\"payer\":\"u123456\",\"amount\":88.00}'"
claim_single="jsonb_build_object('payer', :k::text, 'amount', 88.00)"

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
		for claim_way in single report hold; do
			claim_script $claim_way $claim_kind "SELECT (idem.claim('bench $claim_way', :k::text, $claim_single)).granted"
		done
		claim_script one ${claim_kind}_thousand "SELECT count(*) FROM idem.claim_many('bench', $claim_thousand)"
		claim_script hand ${claim_kind}_thousand "INSERT INTO bench.hand (scope, key, status) SELECT 'bench', k, 'done' FROM unnest($claim_thousand) k ON CONFLICT DO NOTHING"
	done
}

# Ten thousand keys that every way knows, and no way any other.
claim_known_keys()
{
	bench_ask "SET idem.truncate_reason = 'bench'; TRUNCATE idem.anchor, idem.sighting, bench.hand, bench.function" >/dev/null
	for claim_way in single report hold; do
		bench_ask "SELECT count(*) FROM (SELECT idem.claim('bench $claim_way', k, jsonb_build_object('payer', k, 'amount', 88.00))
			FROM (SELECT (900000000000000000 + i)::text AS k FROM generate_series(1, 10000) i) s) s" >/dev/null
	done
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
		bench_record "$2, fingerprint of two fields" instructions "INSERT ON CONFLICT RETURNING, none" "$counted_fields" "$counted_hand" "$3"
		bench_record "$2, granted and settled" instructions "INSERT ON CONFLICT RETURNING" "$counted_two" "$counted_hand"
		bench_record "$2, granted and settled" instructions "PL/pgSQL function" "$counted_two" "$counted_function"
		bench_record "$2, SELECT *" instructions "INSERT ON CONFLICT RETURNING" "$counted_all" "$counted_hand" 1.00
	}
}

# What it costs to look for another key with the same two members, which there is
# none of: claim_suspects KIND NAME [BAR]
claim_suspects()
{
	claim_without=$(bench_instructions "$tmp/tmp/claim_single_$1.pgbench" 600)
	for claim_way in report hold; do
		bench_record "$2, duplicate_fields, $claim_way" instructions "without duplicate_fields" \
			"$(bench_instructions "$tmp/tmp/claim_${claim_way}_$1.pgbench" 600)" "$claim_without" "${3:-NULL}"
	done
}

# For one key of a thousand in a call, making them included: claim_counted NAME
claim_counted()
{
	claim_short=$(bench_counted_run "$tmp/tmp/claim_$1.pgbench" 3)
	claim_long=$(bench_counted_run "$tmp/tmp/claim_$1.pgbench" 23)
	echo $(((claim_long - claim_short) / 20000))
}

# claim_instructions_thousand KIND NAME
claim_instructions_thousand()
{
	bench_record "$2" instructions "one INSERT ON CONFLICT of the same keys" \
		"$(claim_counted "one_$1_thousand")" "$(claim_counted "hand_$1_thousand")"
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

# A key of 20 bytes for a number: claim_key_of counted|random NUMBER
claim_key_of()
{
	case $1 in
		counted)	echo "'20261122' || lpad(($2)::text, 12, '0')" ;;
		random)		echo "left(md5(($2)::text), 20)" ;;
	esac
}

# CPU microseconds of one key in a statement of 20,000, of the cheapest of five:
# claim_cost idem|hand counted|random fresh|repeated UPTO
# What is repeated is a stretch of counted keys, as a queue delivers it again,
# or random ones of any age.
claim_cost()
{
	for claim_round in 1 2 3 4 5; do
		case $2-$3 in
			*-fresh)	claim_number="1000000000 + 20000 * ($4::bigint / 1000 + $claim_round) + i" ;;
			counted-*)	claim_number="1 + (i + $claim_round * 104729) % ($4 / 2)" ;;
			random-*)	claim_number="1 + (i::bigint * 7919 + $claim_round * 104729) % ($4 / 2)" ;;
		esac
		claim_statement="SELECT count(*) AS n FROM k, idem.claim('bench many', k.key) c \\gset"
		[ "$1" = idem ] || claim_statement="INSERT INTO bench.hand (scope, key, status) SELECT 'bench', key, 'done' FROM k ON CONFLICT DO NOTHING;"
		"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres <<SQL
CREATE TEMP TABLE k AS SELECT $(claim_key_of "$2" "$claim_number") AS key FROM generate_series(1, 20000) i;
SELECT bench.cpu_ms() AS started \\gset
$claim_statement
SELECT round(((bench.cpu_ms() - :started) / 20)::numeric, 3);
SQL
	done | sort -g | head -n 1
}

# The keys of two numbers of thousands and between, half of them counted and
# half random, for both ways, a thousand a statement and a transaction:
# claim_fill FROM TO
claim_fill()
{
	claim_keys_of="ARRAY(SELECT unnest(ARRAY[$(claim_key_of counted "j * 500 + i"), $(claim_key_of random "j * 500 + i")]) FROM generate_series(1, 500) i)"
	"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres <<SQL
DO \$d\$ BEGIN FOR j IN $1 .. $2 - 1 LOOP
	PERFORM FROM idem.claim_many('bench many', $claim_keys_of);
	COMMIT;
	INSERT INTO bench.hand (scope, key, status) SELECT 'bench', k, 'done' FROM unnest($claim_keys_of) k ON CONFLICT DO NOTHING;
	COMMIT;
END LOOP; END \$d\$;
SQL
	bench_ask "VACUUM ANALYZE idem.anchor" >/dev/null
	bench_ask "VACUUM ANALYZE bench.hand" >/dev/null
	bench_ask "CHECKPOINT" >/dev/null
}

# All costs of one key, in the order in which they are recorded: claim_costs UPTO
claim_costs()
{
	for claim_kind in "counted fresh" "counted repeated" "random fresh" "random repeated"; do
		for claim_way in idem hand; do
			# shellcheck disable=SC2086 # two words
			claim_cost $claim_way $claim_kind "$1"
		done
	done
}

# What a number of keys adds to the cost of one.  The bar is for keys as people
# number their messages and orders; of random ones each lies in memory that no
# cache of the processor holds, by any index.  The server has a quarter of
# the machine's memory, as its documentation advises, or reading from the
# operating system would be measured too.
claim_many_keys()
{
	claim_memory=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null)
	bench_restart "full_page_writes = off" "shared_buffers = $((${claim_memory:-4194304} / 4096))MB"
	bench_ask "SET idem.truncate_reason = 'bench'; TRUNCATE idem.anchor, bench.hand" >/dev/null
	bench_ask "SELECT idem.create_scope('bench many', effect => 'inside', fields => '{}', flush => false)" >/dev/null
	claim_fill 0 100
	claim_costs 100000 >"$tmp/tmp/claim_small"
	claim_fill 100 $((claim_keys / 1000))
	claim_costs "$claim_keys" >"$tmp/tmp/claim_large"
	# shellcheck disable=SC2046 # sixteen numbers
	set -- $(paste -d ' ' "$tmp/tmp/claim_small" "$tmp/tmp/claim_large")
	for claim_what in "fresh key, counted up" "repeated key, counted up" "fresh key, random" "repeated key, random"; do
		claim_bar=1.3
		[ "${claim_what%random}" = "$claim_what" ] || claim_bar=NULL
		claim_what="$claim_what, $claim_keys keys known"
		bench_record "$claim_what" "us of CPU" "with 100000 known" "$2" "$1" $claim_bar
		bench_record "$claim_what" "us of CPU" "INSERT ON CONFLICT" "$2" "$4"
		bench_record "$claim_what, INSERT itself" "us of CPU" "with 100000 known" "$4" "$3"
		shift 4
	done
	claim_bytes_idem=$(claim_wal two fresh)
	claim_bytes_hand=$(claim_wal hand fresh)
	bench_record "WAL a claim, with its commit" bytes "the bar of 300 bytes" "$claim_bytes_idem" 300 1.0
	bench_record "WAL a claim, with its commit" bytes "INSERT ON CONFLICT RETURNING" "$claim_bytes_idem" "$claim_bytes_hand"
	bench_record "bytes on disk a claim, $claim_keys keys" bytes "the bar of 180 bytes" \
		"$(bench_ask "SELECT round(pg_total_relation_size('idem.anchor') / count(*)::numeric, 1) FROM idem.anchor")" 180 1.0
}

claim_scripts
claim_known_keys
# (A claim is flushed whatever synchronous_commit says: so both ways are.)
if bench_counted "fsync = off" "synchronous_commit = on" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0"; then
	claim_instructions fresh "fresh key" 0.95
	claim_instructions known "repeated key" 0.80
	claim_suspects fresh "fresh key" 1.5
	claim_suspects known "repeated key"
	claim_instructions_thousand fresh "1000 fresh keys a call, ascending"
	claim_instructions_thousand known "1000 repeated keys a call, ascending"
	bench_uncounted
fi
for claim_clients in 1 2 8; do
	claim_clients $claim_clients fresh "fresh keys, $claim_clients clients"
	claim_clients $claim_clients known "repeated keys, $claim_clients clients"
done
bench_restart "fsync = on" "synchronous_commit = on"
claim_clients 8 fresh "fresh keys, 8 clients, fsync on" 1.0
bench_restart "full_page_writes = off"
bench_record "WAL a repeat" bytes "none" "$(claim_wal two known)" 1
claim_many_keys
