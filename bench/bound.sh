# shellcheck shell=sh
# bound.sh - instructions of a claim, or a key, and one row for it; read in by run.sh

bound_script()
{
	printf '%s\n' '\set k random(1, 1000000000000000)' '\set a random(1, 1000)' 'BEGIN;' \
		"SELECT granted FROM idem.claim('bench bound', 'msg-' || :k);" \
		"INSERT INTO bench.bound_$1 (message, account, amount) VALUES ('msg-' || :k, :a, 1);" \
		'COMMIT;' >"$tmp/tmp/bound_$1.pgbench"
	echo "$tmp/tmp/bound_$1.pgbench"
}

# The same for a key in a table: bound_keys_script WAY
bound_keys_script()
{
	printf '%s\n' '\set k random(1, 1000000000000000)' '\set a random(1, 1000)' 'BEGIN;' \
		"INSERT INTO bench.bound_key_$1 VALUES ('msg-' || :k, jsonb_build_object('account', :a::int, 'amount', 1)) ON CONFLICT DO NOTHING RETURNING true;" \
		"INSERT INTO bench.bound_row_$1 (message, account, amount) VALUES ('msg-' || :k, :a, 1);" \
		'COMMIT;' >"$tmp/tmp/bound_key_$1.pgbench"
	echo "$tmp/tmp/bound_key_$1.pgbench"
}

if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0"; then
	for bound_way in bare fk idem; do
		eval "bound_$bound_way=\$(bench_instructions \"\$(bound_script $bound_way)\")"
	done
	bench_record "claim and row" instructions "no check, no foreign key" "$bound_idem" "$bound_bare"
	bench_record "claim and row" instructions "foreign key, no guard" "$bound_idem" "$bound_fk"
	bench_record "row: what the guard adds" instructions "what a foreign key adds" \
		$((bound_idem - bound_bare)) $((bound_fk - bound_bare)) 0.2
	for bound_way in bare idem; do
		eval "bound_key_$bound_way=\$(bench_instructions \"\$(bound_keys_script $bound_way)\")"
	done
	bench_record "key in a table and row" instructions "neither is guarded" "$bound_key_idem" "$bound_key_bare"
	bench_record "key in a table and row" instructions "a claim and its row" "$bound_key_idem" "$bound_idem"
	bench_uncounted
fi
